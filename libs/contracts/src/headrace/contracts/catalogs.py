"""The names that grow: for each kind of name the catalogue that owns it, and what is said of a name that it lacks.

Schemas give such names a pattern and say in `x-names` which catalogue they come from, so that a new name changes no
released schema. Whoever takes a name in (`examine` for declarations, the receiver of a request) asks its catalogue;
whoever hears of one in a fact takes it as it comes, since its writer may be newer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.contracts.cells import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP
from headrace.contracts.errors import ContractError, Place, Problem, choice_problem
from headrace.contracts.estimators import frameworks


@dataclass(frozen=True)
class Catalog:
    """The names of one kind that this installation knows."""

    what: str
    """What they name."""
    read: Callable[[], Mapping[str, Any]]
    """Gives the names with what each one means; a function, since some catalogues are read from a file."""

    @property
    def entries(self) -> Mapping[str, Any]:
        """The names, each with what it means."""
        return self.read()

    def problem(self, name: str) -> str | None:
        """What is wrong with a name, with the nearest right one; None where it is known."""
        return None if name in self.entries else choice_problem(name, list(self.entries))

    def known(self, name: str, place: str) -> str:
        """The name itself; raises ContractError with its place where it is not known."""
        if problem := self.problem(name):
            raise ContractError.of([Problem((place,), problem)])
        return name


ROLES: Mapping[str, str] = {
    "champion": "answers, unless a canary does",
    "canary": "answers a share of the requests",
    "shadow": "is asked, too, and its answers are only logged",
}
HOLDOUTS: Mapping[str, str] = {"time": "the newest rows", "random": "rows at random, by their content"}
RIVALS: Mapping[str, str] = {
    "champion": "the version that serves",
    "trivial": "the answer that needs no model: the share of each label, the mean, the last value",
}
TRAINING_TRIGGERS: Mapping[str, str] = {"new-data": "a new version of the dataset"}
RETRAINING_CAUSES: Mapping[str, str] = {
    "drift": "the data moved away from what the model learned from",
    "performance": "the model is worse than it promised",
    "fairness": "groups are treated more unevenly than allowed",
    "schedule": "the time that `every` names has come",
}
FAIRNESS_MEASURES: Mapping[str, str] = {
    "parity_difference": "greatest difference of the groups' positive rates",
    "parity_ratio": "smallest ratio of the groups' positive rates",
}
COLUMN_TYPES: Mapping[str, str] = {
    BOOLEAN: "true or false",
    INTEGER: "a whole number of 64 bits",
    NUMBER: "a number of 64-bit floating point",
    STRING: "text",
    TIMESTAMP: "a moment",
}
COLUMN_KINDS: Mapping[str, str] = {"numeric": "numbers", "categorical": "categories"}
ALERTS: Mapping[str, str] = {
    **{name: about for name, about in RETRAINING_CAUSES.items() if name != "schedule"},
    "freshness": "no predictions come any more",
    "schema": "what comes does not fit what was declared",
    "risk": "a review of the model's risk is due",
}
FAILURES: Mapping[str, str] = {
    "code": "the estimator raised an error, or is none",
    "memory": "it took more memory than it may",
    "data": "the data cannot be learned from",
    "lost": "its process or node is gone",
    "timeout": "it took longer than it may",
    "environment": "the environment of its code could not be made",
    "disk": "its code wrote more than it may",
    "answer": "what its code saved is no model of its task: shape, missing values, labels",
    "export": "the fitted model could not be saved in a form that serves",
    "artifact": "what was imported is damaged, hostile or unknown, or does not fit the data",
}
STAGES: Mapping[str, str] = {
    "loading": "reads its data",
    "searching": "tries parameters",
    "fitting": "fits",
    "exporting": "writes the artifact",
    "scoring": "judges itself on the rows held out",
    "uploading": "puts the artifact into the object store",
}
WAITS: Mapping[str, str] = {
    "capacity": "a free place",
    "data": "data that have not come yet",
    "resources": "a node with the processors and other resources that it asks for",
    "quota": "its owner has as much at work as it may",
}
TRIAL_STATES: Mapping[str, str] = {
    "running": "it learns, or waits for a processor",
    "completed": "it was judged",
    "stopped": "it was behind the others, and was stopped early",
    "failed": "it could not be judged",
    "cancelled": "its search ended before it did",
}
PRIORITIES: Mapping[str, int] = {"low": -5, "normal": 0, "high": 5, "urgent": 10}
LOWEST, HIGHEST = -10, 10  # priorities
INGEST_MODES: Mapping[str, str] = {
    "append": "the file is added to the newest version",
    "replace": "the new version holds this file alone",
}
ROLLOUT_ACTIONS: Mapping[str, str] = {
    "rollback": "back to the version before",
    "pause": "no further step until resumed",
    "resume": "on from where it was paused",
    "promote": "all traffic now",
}
TRAINING_DATA: Mapping[str, str] = {
    "latest": "the newest version of the dataset",
    "newer": "a version newer than the one trained on last; the run waits for it",
}
DELIMITERS: Mapping[str, str] = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

CATALOGS: Mapping[str, Catalog] = {
    "alert": Catalog("kind of alert", lambda: ALERTS),
    "column-kind": Catalog("kind of column", lambda: COLUMN_KINDS),
    "column-type": Catalog("type of column", lambda: COLUMN_TYPES),
    "failure": Catalog("kind of failure", lambda: FAILURES),
    "fairness-measure": Catalog("fairness measure", lambda: FAIRNESS_MEASURES),
    "framework": Catalog("framework", frameworks),
    "holdout": Catalog("way to hold rows out", lambda: HOLDOUTS),
    "ingest-mode": Catalog("mode of ingestion", lambda: INGEST_MODES),
    "priority": Catalog("priority", lambda: PRIORITIES),
    "retraining-cause": Catalog("cause of retraining", lambda: RETRAINING_CAUSES),
    "rival": Catalog("whom a gate compares with", lambda: RIVALS),
    "role": Catalog("role in a route table", lambda: ROLES),
    "rollout-action": Catalog("way to steer a rollout", lambda: ROLLOUT_ACTIONS),
    "stage": Catalog("stage of a run", lambda: STAGES),
    "training-data": Catalog("data of a run", lambda: TRAINING_DATA),
    "training-trigger": Catalog("trigger of training", lambda: TRAINING_TRIGGERS),
    "trial-state": Catalog("state of a trial", lambda: TRIAL_STATES),
    "wait": Catalog("what a run waits for", lambda: WAITS),
}
"""Every catalogue, by the word that schemas write in `x-names`."""

DECLARED: Mapping[tuple[str, ...], str] = {
    ("training", "framework"): "framework",
    ("training", "on", "*"): "training-trigger",
    ("training", "priority"): "priority",
    ("evaluation", "holdout", "by"): "holdout",
    ("evaluation", "gates", "*", "beats"): "rival",
    ("monitoring", "fairness", "measure"): "fairness-measure",
    ("retraining", "on", "*"): "retraining-cause",
    ("data", "contract", "columns", "*", "type"): "column-type",
}
"""Where a declaration holds such names, and the catalogue of each; `*` is every entry of a list."""


def priority_of(asked: int | str) -> int:
    """A priority as a number from -10 to 10; raises ContractError for a name or a number that is none."""
    if isinstance(asked, str):
        return PRIORITIES[CATALOGS["priority"].known(asked, "priority")]
    if problem := priority_problem(asked):
        raise ContractError.of([Problem(("priority",), problem)])
    return asked


def priority_problem(asked: int) -> str | None:
    """What is wrong with a priority that is a number; None where it is one."""
    known = LOWEST <= asked <= HIGHEST
    return None if known else f"{asked} is no priority: whole numbers from {LOWEST} to {HIGHEST} are"


def name_problems(
    document: Any, declared: Mapping[tuple[str, ...], str] = DECLARED, catalogs: Mapping[str, Catalog] = CATALOGS
) -> Iterator[Problem]:
    """Each name in a declaration as it was written that no catalogue knows; what is no text is judged elsewhere."""
    for place, catalog in declared.items():
        for at, name in _values(document, place):
            if isinstance(name, str) and (problem := catalogs[catalog].problem(name)):
                yield Problem(at, problem)


def _values(document: Any, place: tuple[str, ...], at: Place = ()) -> Iterator[tuple[Place, Any]]:
    if not place:
        yield at, document
    elif place[0] == "*" and isinstance(document, list):
        for position, each in enumerate(document):
            yield from _values(each, place[1:], (*at, position))
    elif isinstance(document, Mapping) and place[0] in document:
        yield from _values(document[place[0]], place[1:], (*at, place[0]))
