"""What a JSON Schema cannot say of a declaration: how its parts fit together, and the range of every number."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from headrace.contracts.catalogs import priority_problem
from headrace.contracts.columns import key_problems, order_problems, role_problems
from headrace.contracts.contract import contract_problems
from headrace.contracts.durations import duration_problem
from headrace.contracts.errors import Place, Problem
from headrace.contracts.estimators import (
    asked_problems,
    frameworks,
    own_code_framework,
    training_problems,
    usual_estimator,
)
from headrace.contracts.generated.models import Contract, Declaration, Gate
from headrace.contracts.installed import Installed, MetricInfo
from headrace.contracts.options import FIELD, option_problems
from headrace.contracts.preparation import preparation_problems
from headrace.contracts.schedules import schedule_problem
from headrace.contracts.search import search_problems

LARGEST = 2**53 - 1  # whole numbers beyond it are not the same in every reader of JSON
LONGEST_TEXT = 10_000  # characters
LONGEST_LIST = 10_000
DEEPEST = 20  # mappings and lists in each other
MOST_VALUES = 100_000  # of a whole document
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_MOST_OF_A_RESOURCE = 4096
_RAYS_OWN = {  # Ray gives these names itself, and takes them as arguments of their own
    "CPU": "cpus",
    "GPU": "gpus",
    "memory": "memory_mb",
    "object_store_memory": None,
}


def bounds(document: Any) -> Iterator[Problem]:
    """Values that no reader could hold: infinite or huge numbers, endless texts and lists, bottomless nesting."""
    pending: list[tuple[Place, Any]] = [((), document)]
    seen = 0
    while pending:
        place, value = pending.pop()
        seen += 1
        if seen > MOST_VALUES:
            yield Problem((), f"a declaration has at most {MOST_VALUES} values")
            return
        if text := _beyond(value, len(place)):
            yield Problem(place, text)
        elif isinstance(value, Mapping):
            pending += [((*place, str(name)), each) for name, each in value.items()]
        elif isinstance(value, list):
            pending += [((*place, position), each) for position, each in enumerate(value)]


def _beyond(value: Any, depth: int) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no finite number"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
        return f"is a whole number beyond {LARGEST}, which not every reader can hold; write it as text"
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"is {len(value)} characters long; at most {LONGEST_TEXT} are allowed"
    if isinstance(value, list) and len(value) > LONGEST_LIST:
        return f"has {len(value)} entries; at most {LONGEST_LIST} are allowed"
    if depth > DEEPEST:
        return f"lies more than {DEEPEST} levels deep"
    if not isinstance(value, (str, int, float, list, Mapping, type(None))):
        return f"is a {type(value).__name__}, which JSON does not have; write it as text"
    return None


def problems(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    """Everything that is wrong with a declaration by itself, whatever its dataset holds."""
    yield from role_problems(declared)
    for judged in _BY_WHAT_IS_INSTALLED:
        yield from judged(declared, catalog)
    for rule in _RULES:
        yield from rule(declared)


def _steps(declared: Declaration) -> Iterator[Problem]:
    steps = declared.serving.steps
    if steps != sorted(set(steps)) or steps[-1] != 100 or steps[0] < 1:
        yield Problem(("serving", "steps"), f"rising percents that end with 100 are needed, not {steps}")


def _metrics(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    watched = declared.monitoring.performance
    named: list[tuple[Place, str]] = [
        (("evaluation", "metrics", at), name) for at, name in enumerate(declared.evaluation.metrics)
    ]
    named += [(("monitoring", "performance", "metric"), watched.metric)] if watched else []
    named += [(("evaluation", "gates", at, "metric"), gate.metric) for at, gate in enumerate(declared.evaluation.gates)]
    for place, name in named:
        if text := _metric_problem(name, declared.task, catalog):
            yield Problem(place, text)


def _metric_problem(name: str, task: str, catalog: Installed) -> str | None:
    fitting = catalog.metrics_of(task)
    if name in fitting:
        return None
    others = catalog.tasks_with(name)
    told = f"{name} is no metric of {task}; known are {', '.join(fitting)}"
    ways = " or ".join(f"`task: {each}`" for each in others)
    return f"{told}; it is one of {' and '.join(others)}: say {ways}" if others else told


def _gates(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    for at, gate in enumerate(declared.evaluation.gates):
        place = ("evaluation", "gates", at)
        yield from _gate(place, gate, catalog.metrics[gate.metric])
        if gate.beats == "trivial" and not catalog.tasks[declared.task].trivial:
            told = f"task {declared.task} has no answer that needs no model; say `beats: champion`, or a limit"
            yield Problem((*place, "beats"), told)


def _gate(place: Place, gate: Gate, metric: MetricInfo) -> Iterator[Problem]:
    limits = [limit for limit in (gate.at_least, gate.at_most, gate.beats) if limit is not None]
    if len(limits) != 1:
        yield Problem(place, "exactly one of at_least, at_most and beats is needed")
        return
    if gate.beats is None and gate.by:
        yield Problem((*place, "by"), "belongs to beats; a limit has no margin")
    for name in ("at_least", "at_most"):
        value = getattr(gate, name)
        if value is not None and (text := _outside(metric, value)):
            yield Problem((*place, name), text)
    if gate.beats is not None and (text := _too_far(metric, gate.by)):
        yield Problem((*place, "by"), text)


def _outside(metric: MetricInfo, value: float) -> str | None:
    if metric.low is not None and value < metric.low:
        return f"{metric.name} is never below {metric.low:g}; not {value:g}"
    if metric.high is not None and value > metric.high:
        return f"{metric.name} is never above {metric.high:g}; not {value:g}"
    return None


def _too_far(metric: MetricInfo, difference: float) -> str | None:
    if metric.low is not None and metric.high is not None and difference >= metric.high - metric.low:
        return f"{metric.name} lies between {metric.low:g} and {metric.high:g}; it never differs by {difference:g}"
    return None


def _performance(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    watched = declared.monitoring.performance
    if watched and catalog.tasks[declared.task].own_metrics:
        told = f"the metrics of task {declared.task} are functions of yours, which only the trainer runs; leave it out"
        yield Problem(("monitoring", "performance"), told)
        return
    if watched and (text := _too_far(catalog.metrics[watched.metric], watched.drop)):
        yield Problem(("monitoring", "performance", "drop"), text)


def _fairness(declared: Declaration) -> Iterator[Problem]:
    policy = declared.monitoring.fairness
    if policy is None:
        return
    if policy.limit > 1:
        what = "ratio" if policy.measure == "parity_ratio" else "difference"
        yield Problem(
            ("monitoring", "fairness", "limit"), f"a {what} of rates lies between 0 and 1; not {policy.limit:g}"
        )
    if not declared.data.groups:
        yield Problem(("monitoring", "fairness"), "there are no groups to compare; name their columns in data.groups")


def _holdout(declared: Declaration) -> Iterator[Problem]:
    if declared.evaluation.holdout.by == "time" and declared.data.time is None:
        text = "needs data.time, the column that orders the rows; name it, or say `by: random`"
        yield Problem(("evaluation", "holdout", "by"), text)


def _retraining(declared: Declaration) -> Iterator[Problem]:
    """What is named without effect is a mistake."""
    asked = declared.retraining
    place = ("retraining", "on")
    if "schedule" in asked.on and asked.every is None:
        yield Problem(("retraining", "every"), 'is missing; schedule needs a time, such as `every: "@weekly"`')
    if "schedule" not in asked.on and asked.every is not None:
        yield Problem(("retraining", "every"), "has no effect without `on: [schedule]`")
    if "performance" in asked.on and declared.monitoring.performance is None:
        yield Problem(place, "performance needs monitoring.performance, which says how much worse is too much")
    if "fairness" in asked.on and not declared.data.groups:
        yield Problem(place, "fairness needs data.groups, the columns whose groups are compared")


def _positive(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    positive = declared.data.positive
    if positive is not None and (text := catalog.tasks[declared.task].positive_problem(positive, None)):
        yield Problem(("data", "positive"), text)


def _task_options(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    yield from option_problems(declared.task_options or {}, catalog.tasks[declared.task], catalog.tasks)
    yield from key_problems(declared, catalog)
    yield from order_problems(declared, catalog)


def _detectors(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    drift, place = declared.monitoring.drift, ("monitoring", "drift")
    if drift.method is not None and (text := catalog.detector_problem(drift.method, limit=drift.threshold)):
        yield Problem((*place, "method"), text)
    if drift.method is None and drift.threshold is not None:
        text = "needs a method: one number cannot be the limit of p-values and of distances"
        yield Problem((*place, "threshold"), text)
    for kind in ("numeric", "categorical"):
        policy = getattr(drift, kind)
        if policy is None:
            continue
        if drift.method is not None:
            yield Problem((*place, kind), "and drift.method exclude each other; say one method, or one for each kind")
        if text := catalog.detector_problem(policy.method, kind=kind, limit=policy.limit):
            yield Problem((*place, kind, "method"), text)


def _channels(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    for at, told in enumerate(declared.monitoring.tell):
        if text := catalog.channels[told.channel].place_problem(told.to):
            yield Problem(("monitoring", "tell", at, "to"), text)


def _schedules(declared: Declaration) -> Iterator[Problem]:
    every = {("monitoring", "every"): declared.monitoring.every, ("retraining", "every"): declared.retraining.every}
    for place, text in every.items():
        if text is not None and (problem := schedule_problem(text)):
            yield Problem(place, problem)


def _durations(declared: Declaration) -> Iterator[Problem]:
    never_zero: Mapping[Place, str | None] = {
        ("risk", "review_every"): declared.risk.review_every,
        ("training", "timeout"): declared.training.timeout,
        ("approval", "expires"): declared.approval.expires,
        ("monitoring", "freshness"): declared.monitoring.freshness,
    }
    or_zero: Mapping[Place, str | None] = {
        ("serving", "bake"): declared.serving.bake,
        ("retraining", "cooldown"): declared.retraining.cooldown,
        ("monitoring", "truth", "matures_after"): declared.monitoring.truth.matures_after,
    }
    for place, text in {**never_zero, **or_zero}.items():
        if text is not None and (problem := duration_problem(text, zero=place in or_zero)):
            yield Problem(place, problem)
    if duration_problem(declared.training.timeout, zero=False, most=LONGEST_RUN) and not duration_problem(
        declared.training.timeout, zero=False
    ):
        yield Problem(("training", "timeout"), f"a run may work for {LONGEST_RUN.days} days at most")


LONGEST_RUN = timedelta(days=30)


def _training(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    training, task = declared.training, catalog.tasks[declared.task]
    yield from training_problems(
        training.framework, training.estimator, training.params, task.name, *task.kinds, learned_as=task.learned_as
    )
    yield from asked_problems(declared, *task.kinds)


def _brought(declared: Declaration, catalog: Installed) -> Iterator[Problem]:
    """A task that no library fits needs code, or says that its versions are imported; its metrics need a package."""
    training, task = declared.training, catalog.tasks[declared.task]
    if task.own_metrics and training.code is None and task.metrics_package(declared.task_options or {}) is None:
        yield Problem(
            (FIELD, "package"), "is missing; it has the functions that judge, as `headrace code push` made it"
        )
    if training.code is not None or training.on == [] or usual_estimator(training.framework, *task.kinds):
        return
    if training.framework in frameworks() and not frameworks()[training.framework].own_code:
        text = f"is missing; task {task.name} is trained by code of your own. Say `on: []` where versions are imported"
        yield Problem(("training", "code"), text)


def _asked_values(declared: Declaration) -> Iterator[Problem]:
    """The numbers of what is asked of an estimator, whichever it is."""
    training = declared.training
    weights = training.class_weight if isinstance(training.class_weight, dict) else {}
    for label, weight in weights.items():
        if weight < 0:
            yield Problem(("training", "class_weight", label), f"a weight is a number from 0 on; not {weight:g}")
    for column, relation in (training.monotone or {}).items():
        if relation not in (-1, 0, 1):
            text = f"is 1 (the answer rises with it), -1 (it falls) or 0; not {relation}"
            yield Problem(("training", "monotone", column), text)


def _own_code(declared: Declaration) -> Iterator[Problem]:
    training, place = declared.training, ("training", "code")
    info, code = frameworks().get(training.framework), training.code
    if info is None:
        return
    if info.own_code and code is None:
        yield Problem(place, f"framework {training.framework} runs code of your own; say its package here")
    if code is None:
        return
    if not info.own_code:
        text = f"belongs to the framework {own_code_framework()}, not to {training.framework}; leave one of them out"
        yield Problem(place, text)
    if (code.entry is None) == (code.command is None):
        yield Problem(place, "exactly one of entry and command is needed")
    if code.environment is not None and _leads_out(code.environment):
        yield Problem((*place, "environment"), f"{code.environment!r} is no file of the package")


def _leads_out(path: str) -> bool:
    return path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/"))


def _contract(declared: Declaration) -> Iterator[Problem]:
    if isinstance(declared.data.contract, Contract):
        yield from contract_problems(declared.data.contract, ("data", "contract"))


def _priority(declared: Declaration) -> Iterator[Problem]:
    asked = declared.training.priority
    if isinstance(asked, int) and (text := priority_problem(asked)):
        yield Problem(("training", "priority"), text)


def _custom_resources(declared: Declaration) -> Iterator[Problem]:
    for name, amount in declared.training.resources.custom.items():
        place = ("training", "resources", "custom", name)
        if name in _RAYS_OWN:
            other = _RAYS_OWN[name]
            yield Problem(place, "is a name of Ray's own" + (f"; say training.resources.{other}" if other else ""))
        elif not _RESOURCE.fullmatch(name):
            yield Problem(place, "is no name of a resource: a letter, then at most 62 letters, digits, _ and -")
        elif not 0 < amount <= _MOST_OF_A_RESOURCE:
            yield Problem(place, f"takes a number above 0, of at most {_MOST_OF_A_RESOURCE}; not {amount:g}")


def _lists(declared: Declaration) -> Iterator[Problem]:
    """The same word twice in a list of words is a mistake."""
    lists: Mapping[Place, Sequence[str]] = {
        ("evaluation", "metrics"): declared.evaluation.metrics,
        ("training", "on"): declared.training.on,
        ("retraining", "on"): declared.retraining.on,
    }
    for place, words in lists.items():
        for position, word in enumerate(words):
            if word in words[:position]:
                yield Problem((*place, position), f"{word!r} is there a second time")


_RULES: Sequence[Callable[[Declaration], Iterator[Problem]]] = (
    _steps,
    _fairness,
    _holdout,
    _retraining,
    _schedules,
    _durations,
    _contract,
    _own_code,
    _priority,
    _custom_resources,
    _lists,
    _asked_values,
    preparation_problems,
)
_BY_WHAT_IS_INSTALLED: Sequence[Callable[[Declaration, Installed], Iterator[Problem]]] = (
    _training,
    search_problems,
    _brought,
    _metrics,
    _gates,
    _performance,
    _positive,
    _task_options,
    _detectors,
    _channels,
)


def warnings(declared: Declaration, catalog: Installed) -> Iterator[str]:
    """What is legal, but may surprise, whatever the dataset holds."""
    if not declared.evaluation.gates:
        yield "evaluation.gates: there are none; every version that can be evaluated passes"
    for at, gate in enumerate(declared.evaluation.gates):
        better = catalog.metrics[gate.metric].greater_is_better
        wrong, right = ("at_most", "at_least") if better else ("at_least", "at_most")
        if getattr(gate, wrong) is not None:
            side = "more" if better else "less"
            told = f"evaluation.gates[{at}]: of {gate.metric} {side} is better, and {wrong} stops good versions"
            yield f"{told}; is {right} meant?"
