"""Columns that a declaration names, held against those of a dataset that is known."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from headrace.contracts import ContractError, KnownDataset
from headrace.tasks import examine, parse_declaration
from headrace.testkit.declarations import LEAST, merged

TYPES = {
    "left": "integer",
    "age": "integer",
    "income": "number",
    "gender": "string",
    "city": "string",
    "member": "boolean",
    "joined": "timestamp",
    "when": "string",
}
DISTINCT: Mapping[str, int | None] = {"left": 2, "age": 70, "income": None, "gender": 2, "city": 400, "member": 2}
CUSTOMERS = KnownDataset("customers", TYPES, 3, DISTINCT, {"left": ["0", "1"]})


def refused(parts: Mapping[str, Any], dataset: KnownDataset = CUSTOMERS) -> str:
    """What is said against a declaration with these parts."""
    with pytest.raises(ContractError) as said:
        parse_declaration(merged(LEAST, parts), dataset)
    return str(said.value)


def warned(parts: Mapping[str, Any], dataset: KnownDataset = CUSTOMERS) -> Sequence[str]:
    """What may surprise in it."""
    return examine(merged(LEAST, parts), dataset).warnings


@pytest.mark.parametrize("role", ["features", "ignore", "groups", "context"])
def test_a_column_that_the_dataset_does_not_have_is_refused_with_the_nearest(role: str) -> None:
    """`Gender` was accepted and never watched."""
    said = refused({"data": {role: ["Gender"]}})

    assert said == f"data.{role}[0]: dataset 'customers' has no column 'Gender'; did you mean 'gender'?"


@pytest.mark.parametrize("role", ["target", "time"])
def test_target_and_time_are_columns_of_the_dataset(role: str) -> None:
    """A run would find out much later."""
    assert f"data.{role}: dataset 'customers' has no column 'joind'; did you mean 'joined'?" in refused(
        {"data": {role: "joind"}}
    )


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"monotonic_cst": {"agee": 1}}, "training.params.monotonic_cst.agee"),
        ({"categorical_features": ["gendre"]}, "training.params.categorical_features[0]"),
        ({"interaction_cst": [["age", "ct"]]}, "training.params.interaction_cst[0][1]"),
    ],
)
def test_columns_that_parameters_name_are_columns_of_the_dataset(params: Any, place: str) -> None:
    """Wherever a column is named."""
    assert refused({"training": {"params": params}}).startswith(f"{place}: dataset 'customers' has no column")


def test_a_parameter_names_features_alone() -> None:
    """A constraint on what is ignored would have no effect."""
    parts = {"data": {"ignore": ["age"]}, "training": {"params": {"monotonic_cst": {"age": 1}}}}

    assert "training.params.monotonic_cst.age: 'age' is no feature; " in refused(parts)


def test_columns_that_are_there_may_be_named_everywhere() -> None:
    """Groups need not be features, and parameters name features."""
    data = {"features": ["age", "gender"], "groups": ["city"], "time": "joined", "context": ["member"]}
    params = {"monotonic_cst": {"age": -1}, "categorical_features": ["gender"], "class_weight": {"0": 1, "1": 5}}

    assert parse_declaration(merged(LEAST, {"data": data, "training": {"params": params}}), CUSTOMERS)


def test_names_are_compared_in_their_composed_form() -> None:
    """`é` in one code point or in two looks the same, and is."""
    dataset = KnownDataset("customers", {"left": "boolean", "\u00e9tat": "number"})

    assert parse_declaration(merged(LEAST, {"data": {"features": ["e\u0301tat"]}}), dataset).data.features == [
        "\u00e9tat"
    ]


def test_a_timestamp_is_no_feature_where_it_is_named_as_one() -> None:
    """It cannot be learned from as it is."""
    assert "data.features[1]: 'joined' is a timestamp; say what matters" in refused(
        {"data": {"features": ["age", "joined"]}}
    )


def test_a_timestamp_that_is_left_out_of_the_features_is_told() -> None:
    """It vanished without a word."""
    (said,) = (each for each in warned({}) if "joined" in each)

    assert "no feature" in said
    assert not [each for each in warned({"data": {"time": "joined"}}) if "joined" in each]
    assert not [each for each in warned({"data": {"ignore": ["joined"]}}) if "joined" in each]


def test_text_with_very_many_values_is_told() -> None:
    """400 different texts were taken as categories without a word; two are no surprise."""
    said = [each for each in warned({}) if "categories" in each]

    assert len(said) == 1
    assert "'city' is text with 400 different values" in said[0]
    assert not [each for each in warned({"data": {"ignore": ["city"]}}) if "categories" in each]


@pytest.mark.parametrize("column", ["when", "member"])
def test_what_has_no_order_in_time_cannot_be_the_time(column: str) -> None:
    """31/12/2024 would be sorted as text."""
    assert f"data.time: {column!r} holds " in refused({"data": {"time": column}})


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ("left", "binary"),
        ("gender", "binary"),
        ("member", "binary"),
        ("age", "regression"),
        ("income", "regression"),
    ],
)
def test_the_task_follows_from_what_the_target_holds(target: str, task: str) -> None:
    """A quantity is not a label: 193 values were declared as classes by default."""
    found = examine(merged(LEAST, {"data": {"target": target}}), CUSTOMERS)

    assert found.declaration.task == task
    assert found.declaration.evaluation.metrics[0] == ("roc_auc" if task == "binary" else "rmse")
    assert any("regression is taken" in each for each in found.warnings) is (task == "regression")


def test_the_task_follows_from_a_named_estimator_first() -> None:
    """Who names a regressor wants a number."""
    parts = {"training": {"estimator": "sklearn.linear_model.Ridge"}}

    assert parse_declaration(merged(LEAST, parts)).task == "regression"
    assert parse_declaration(merged(LEAST, parts), CUSTOMERS).task == "regression"


def test_where_nothing_tells_the_task_the_answer_says_which_was_taken() -> None:
    """Nobody learns it from a failed run."""
    (said,) = examine(LEAST).warnings

    assert said == (
        "task: binary (one of two labels) is taken; say `task: multiclass` (one of three labels or more) or "
        "`task: regression` (a number) where 'left' calls for it"
    )


def test_a_classifier_of_a_quantity_is_refused_with_what_to_say() -> None:
    """The person is told of the task, not of a failed run."""
    said = refused({"task": "binary", "data": {"target": "age"}})

    assert said == ("data.target: 'age' holds 70 different values; binary tells 2 labels apart; say `task: regression`")


@pytest.mark.parametrize(("target", "holds"), [("gender", "text"), ("member", "true and false")])
def test_a_regression_of_labels_is_refused_with_what_to_say(target: str, holds: str) -> None:
    """Text has no mean."""
    assert f"{target!r} holds {holds}; a regression learns numbers; say `task: binary`" in refused(
        {"task": "regression", "data": {"target": target}}
    )


def test_a_timestamp_cannot_be_predicted() -> None:
    """Neither a label nor a number."""
    assert "'joined' is a timestamp" in refused({"data": {"target": "joined"}})


@pytest.mark.parametrize(
    ("label", "good"), [(1, True), ("1", True), (1.0, True), (True, True), (2, False), ("yes", False)]
)
def test_the_positive_label_is_one_of_the_target_s(label: Any, good: bool) -> None:
    """Whatever type YAML gave it."""
    parts = {"data": {"positive": label}}
    if good:
        assert parse_declaration(merged(LEAST, parts), CUSTOMERS).data.positive == label
    else:
        assert "is no label of 'left'; its labels are 0, 1" in refused(parts)


@pytest.mark.parametrize("method", ["ks", "psi"])
def test_one_detector_for_all_columns_must_fit_them_all(method: str) -> None:
    """`psi` for numbers silently meant another test with another limit."""
    said = refused({"monitoring": {"drift": {"method": method}}})

    assert said.startswith(f"monitoring.drift.method: {method} does not fit ")
    assert "say drift.numeric and drift.categorical instead" in said


def test_each_kind_of_column_may_have_its_own_detector() -> None:
    """One limit cannot serve p-values and distances."""
    drift = {"numeric": {"method": "ks", "limit": 0.01}, "categorical": {"method": "psi"}}

    assert parse_declaration(merged(LEAST, {"monitoring": {"drift": drift}}), CUSTOMERS)
    assert parse_declaration(
        merged(LEAST, {"data": {"features": ["gender"]}, "monitoring": {"drift": {"method": "psi"}}}), CUSTOMERS
    )


def test_a_dataset_without_a_column_to_learn_from_is_refused() -> None:
    """The target alone teaches nothing."""
    assert "no column left to learn from" in refused({}, KnownDataset("customers", {"left": "boolean"}))


def test_a_target_that_holds_one_value_so_far_is_told() -> None:
    """More rows may bring the other label."""
    dataset = KnownDataset("customers", {"left": "boolean", "age": "number"}, 1, {"left": 1})

    assert any("holds one value so far" in each for each in warned({}, dataset))


@pytest.mark.parametrize(("weights", "good"), [({0: 1, 1: 5}, True), ({"0": 1, "1": 5}, True), ({"yes": 2}, False)])
def test_weights_of_labels_are_of_labels_that_the_target_has(weights: Any, good: bool) -> None:
    """Whether YAML or JSON wrote the key."""
    parts = {"training": {"params": {"class_weight": weights}}}
    if good:
        assert parse_declaration(merged(LEAST, parts), CUSTOMERS).training.params["class_weight"]
    else:
        assert "training.params.class_weight.yes: 'yes' is no label of 'left'; its labels are 0, 1" in refused(parts)
