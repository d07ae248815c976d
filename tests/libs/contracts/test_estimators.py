"""The catalogue of estimators: whole, current, and enough to judge a declaration without the libraries."""

import importlib
from typing import Any

import pytest

from headrace.contracts.estimators import (
    fits,
    frameworks,
    kind_of_estimator,
    params_problems,
    training_problems,
    usual_estimator,
    words,
)
from headrace.frameworks import CATALOG
from headrace.tasks import TASKS, parse_declaration
from headrace.testkit.declarations import LEAST, merged

NAMED = [(framework, path) for framework, info in frameworks().items() for path in info.estimators]


def said(framework: str, path: str, **params: Any) -> str:
    """What is wrong with the parameters of an estimator."""
    return "; ".join(map(str, params_problems(path, frameworks()[framework].estimators[path], params)))


def test_the_catalogue_has_every_framework_and_its_usual_estimators() -> None:
    """What is trained where nothing is named can be named."""
    assert set(frameworks()) == set(CATALOG)
    for framework, entry in CATALOG.items():
        for kind, path in entry.usual.items():
            assert usual_estimator(framework, kind) == path
            assert kind_of_estimator(framework, path) == kind


@pytest.mark.parametrize(("framework", "path"), NAMED)
def test_an_estimator_is_a_class_of_its_library_whose_defaults_are_allowed(framework: str, path: str) -> None:
    """A default that the catalogue would refuse shows a misread constraint."""
    found = frameworks()[framework].estimators[path]

    if CATALOG[framework].installed is not None:
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
    for known in (each for each in found.params.values() if each.default is not None):
        assert fits(known.default, known.allowed), known


@pytest.mark.parametrize(("framework", "path"), NAMED)
def test_every_estimator_can_be_declared_with_what_it_needs(framework: str, path: str) -> None:
    """The catalogue is what the trainer can run."""
    found = frameworks()[framework].estimators[path]
    params = {name: values[0] for name, values in found.needs.items()}

    able = [task for task in TASKS.values() if found.kind in task.kinds and task.learned_as not in found.cannot]
    assert able
    for task in able:
        assert (
            list(training_problems(framework, path, params, task.name, *task.kinds, learned_as=task.learned_as)) == []
        )


def test_an_estimator_that_cannot_fit_a_task_is_refused_with_the_reason() -> None:
    """Of the same kind, but this one fails where the catalogue was made."""
    found = frameworks()["sklearn"].estimators
    path, reasons = next((path, each.cannot) for path, each in found.items() if each.cannot)
    task = next(iter(reasons))

    (problem,) = training_problems("sklearn", path, {}, task, *TASKS[task].kinds)

    assert str(problem).startswith(f"training.estimator: {path} cannot be trained for task {task}: it {reasons[task]}")


def test_a_task_that_is_learned_as_another_one_is_refused_by_its_own_name() -> None:
    """The reason is that of the task which the estimator would learn; the author knows the one that was declared."""
    estimators = frameworks()["sklearn"].estimators
    path, found = next((path, each) for path, each in estimators.items() if "quantiles" in each.cannot)

    (problem,) = training_problems("sklearn", path, {}, "forecasting", found.kind, learned_as="quantiles")

    assert f"cannot be trained for task forecasting: it {found.cannot['quantiles']}" in str(problem)


@pytest.mark.parametrize("name", ["max_bin", "scale_pos_weight", "monotone_constraints", "device_type", "alpha"])
def test_documented_parameters_of_lightgbm_are_known(name: str) -> None:
    """They are no arguments of the class, but of the library."""
    values = {"max_bin": 63, "scale_pos_weight": 5.0, "monotone_constraints": {"age": 1}, "device_type": "cpu"}

    assert said("lightgbm", "lightgbm.LGBMRegressor", **{name: values.get(name, 0.9)}) == ""


@pytest.mark.parametrize(
    ("alias", "own"), [("eta", "learning_rate"), ("lambda_l1", "reg_alpha"), ("mc", "monotone_constraints")]
)
def test_an_alias_is_known_by_the_name_that_the_class_gives_it(alias: str, own: str) -> None:
    """So that one parameter cannot be given twice under two names."""
    found = frameworks()["lightgbm"].estimators["lightgbm.LGBMClassifier"]

    assert found.canonical(alias) == own
    assert "is another name of" in said("lightgbm", "lightgbm.LGBMClassifier", **{alias: 0.1, own: 0.1})


def test_a_parameter_that_a_run_cannot_take_is_refused_with_the_reason() -> None:
    """Files and sockets of the node are nobody's parameters."""
    assert said("lightgbm", "lightgbm.LGBMClassifier", output_model="/tmp/x") == (
        "training.params.output_model: output_model reads or writes a file on the node that trains; leave it out"
    )


@pytest.mark.parametrize(
    ("value", "good"), [(1, True), (10**6, True), (0, False), (1.5, False), (True, False), ("5", False), (None, False)]
)
def test_values_are_held_against_the_library_s_own_constraints(value: Any, good: bool) -> None:
    """A whole number from 1 is neither text nor true."""
    assert (said("sklearn", "sklearn.ensemble.RandomForestClassifier", n_estimators=value) == "") is good


def test_keys_that_yaml_reads_as_numbers_are_the_same_as_those_of_json() -> None:
    """JSON has text keys alone; the trainer gives them the type of the label that they name."""
    as_yaml = (
        "name: churn\ndata: {dataset: customers, target: left}\ntraining: {params: {class_weight: {0: 1, 1: 5}}}\n"
    )
    as_json = merged(LEAST, {"training": {"params": {"class_weight": {"0": 1, "1": 5}}}})

    assert parse_declaration(as_yaml) == parse_declaration(as_json)
    assert parse_declaration(as_yaml).training.params == {"class_weight": {"0": 1, "1": 5}}


LAYERS = [
    {
        "type": "list",
        "items": [
            {"type": "integer", "min": 1},
            {"type": "object", "keys": {"units": {"type": "integer", "min": 1}, "on": {"type": "boolean"}},
             "needed": ["units"]},
        ],
    }
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ([], True),
        ([3, 5], True),
        ([{"units": 3}, 5], True),
        ([{"units": 3, "on": True}], True),
        ([0], False),
        ([True], False),
        (["3"], False),
        (3, False),
        ({"units": 3}, False),
        ([{"on": True}], False),
        ([{"units": 3, "off": True}], False),
        ([{"units": 0}], False),
        ([{"units": 3, "on": 1}], False),
        ([{}], False),
        ([[3]], False),
    ],
)
def test_a_list_is_held_against_what_its_items_may_be(value: Any, good: bool) -> None:
    """Every item fits one of the rules; a mapping has the keys that it needs, and none that nobody knows."""
    assert fits(value, LAYERS) is good


def test_the_items_of_a_list_are_told_in_words() -> None:
    """Who wrote a wrong item reads what it could have been, and which keys of a mapping may be left out."""
    assert words(LAYERS) == "takes a list, each an integer from 1 or a mapping of units, on if wanted"


def test_a_list_or_mapping_of_anything_takes_anything() -> None:
    """Rules without items or keys are as before."""
    assert fits([1, "a", None], [{"type": "list"}])
    assert fits({"a": [1]}, [{"type": "object"}])
    assert words([{"type": "list"}, {"type": "object"}]) == "takes a list or a mapping"
