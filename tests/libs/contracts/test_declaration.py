"""Declarations from people: every wrong place is named, with what would be right."""

import re
from typing import Any

import pytest
import yaml

from headrace.contracts import ContractError, load_yaml
from headrace.tasks import METRICS, TASKS, parse_declaration
from headrace.testkit.builders import a_declaration
from headrace.testkit.declarations import LEAST, Bad, bad_documents


def declared(**parts: Any) -> Any:
    """The least declaration with these parts."""
    return parse_declaration({**LEAST, **parts})


def test_the_least_declaration_is_filled_with_the_usual() -> None:
    """Name, data set and target are enough."""
    declaration = parse_declaration(LEAST)

    assert declaration.training.estimator == "sklearn.ensemble.HistGradientBoostingClassifier"
    assert declaration.evaluation.metrics == list(TASKS["binary"].usual)
    assert declaration.evaluation.holdout.by == "random"
    assert declaration.approval.needed == 0


def test_where_no_gate_is_declared_a_version_must_beat_the_trivial_answer_and_the_champion() -> None:
    """Nothing worse takes over because somebody left a part out, and nothing worthless is the first."""
    usual = parse_declaration(LEAST).evaluation.gates
    chosen = declared(evaluation={"metrics": ["accuracy"]}).evaluation.gates

    first = TASKS["binary"].usual[0]
    assert [(gate.metric, gate.beats, gate.by) for gate in usual] == [(first, "trivial", 0), (first, "champion", 0)]
    assert [gate.metric for gate in chosen] == ["accuracy", "accuracy"]


def test_who_declares_that_there_are_no_gates_has_none() -> None:
    """An empty list is a decision."""
    assert declared(evaluation={"gates": []}).evaluation.gates == []


def test_a_time_column_makes_the_holdout_the_newest_rows() -> None:
    """What is later must not teach about what was earlier."""
    assert declared(data={**LEAST["data"], "time": "seen_at"}).evaluation.holdout.by == "time"


def test_a_regression_is_judged_by_the_metrics_of_regressions() -> None:
    """The task decides the defaults."""
    declaration = declared(task="regression")

    assert declaration.evaluation.metrics == list(TASKS["regression"].usual)
    assert declaration.training.estimator.endswith("Regressor")


def test_metrics_that_gates_and_monitoring_need_are_computed_too() -> None:
    """A gate on a metric that nobody computes could never pass."""
    declaration = declared(
        evaluation={"metrics": ["roc_auc"], "gates": [{"metric": "brier", "at_most": 0.2}]},
        monitoring={"performance": {"metric": "log_loss", "drop": 0.1}},
    )

    assert declaration.evaluation.metrics == ["roc_auc", "brier", "log_loss"]


@pytest.mark.parametrize(("bad", "document"), bad_documents(), ids=lambda each: getattr(each, "name", ""))
def test_a_wrong_declaration_is_refused_with_the_place_and_what_would_be_right(bad: Bad, document: Any) -> None:
    """The person who wrote it knows what to change."""
    with pytest.raises(ContractError, match=re.escape(bad.says)):
        parse_declaration(document)


@pytest.mark.parametrize("priority", ["low", "urgent", -10, 0, 10])
def test_a_priority_stays_as_it_is_written(priority: str | int) -> None:
    """A name or a number; the usual one is `normal`."""
    assert declared(training={"priority": priority}).training.priority == priority
    assert parse_declaration(LEAST).training.priority == "normal"


def test_resources_by_name_are_numbers_above_zero() -> None:
    """Fractions, too."""
    custom = {"fpga": 1, "licence_of-cplex": 0.5}

    assert declared(training={"resources": {"custom": custom}}).training.resources.custom == custom


def test_every_wrong_place_is_named_at_once() -> None:
    """Nobody mends a file field by field, one upload each."""
    with pytest.raises(ContractError) as refused:
        declared(trainig={}, servin={})
    assert "trainig" in str(refused.value)
    assert "servin" in str(refused.value)


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "On", "YES", "y", "n"])
def test_words_are_words_and_not_truth_values(word: str) -> None:
    """`on: [drift]` is a key in YAML 1.2; YAML 1.1 would read True."""
    assert load_yaml(f"{word}: {word}") == {word: word}


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_true_and_false_are_truth_values(text: str, value: bool) -> None:
    """As in JSON, and in YAML 1.2's core schema."""
    assert load_yaml(f"a: {text}") == {"a": value}


@pytest.mark.parametrize("source", [b"\xff\xfe\x00", "a: [", "{a: 1, b"])
def test_what_is_neither_yaml_nor_json_is_said_to_be_so(source: Any) -> None:
    """A binary file, an open bracket."""
    with pytest.raises(ContractError, match="neither YAML nor JSON"):
        load_yaml(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' is there a second time"),
        ("training:\n  params: {x: 1}\n  on: []\n  params: {x: 2}\n", "line 4: 'params' is there a second time"),
        ('{"a": 1, "a": 1}', "line 1: 'a' is there a second time"),
    ],
)
def test_a_key_that_stands_there_twice_is_refused(source: str, said: str) -> None:
    """One of the two would be ignored without a word."""
    with pytest.raises(ContractError, match=said):
        load_yaml(source)


def test_the_same_key_in_two_mappings_and_a_merge_are_no_doubles() -> None:
    """What a merge brings along may be said anew."""
    assert load_yaml("a: {x: 1}\nb: {x: 2}") == {"a": {"x": 1}, "b": {"x": 2}}
    assert load_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}")["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize("source", ["- a list", "just text", "", "17"])
def test_what_is_no_mapping_is_answered_with_the_least_declaration(source: str) -> None:
    """An empty file, a list, a word."""
    with pytest.raises(ContractError, match="a declaration is a mapping with at least name and data"):
        parse_declaration(source)


def test_yaml_cannot_make_objects() -> None:
    """A declaration comes from outside; it must not run anything."""
    with pytest.raises(ContractError, match="neither YAML nor JSON"):
        parse_declaration("name: !!python/object/apply:os.system ['true']")


def test_yaml_json_and_mapping_are_read_alike() -> None:
    """Three ways to say the same."""
    document = a_declaration(name="churn").model_dump(mode="json", exclude_none=True)

    as_yaml = parse_declaration(yaml.safe_dump(document))
    assert as_yaml == parse_declaration(document)


@pytest.mark.parametrize("name", METRICS)
def test_an_improvement_is_positive_whatever_the_metric_s_direction(name: str) -> None:
    """Less error and more area are both better."""
    better, worse = (0.8, 0.7) if METRICS[name].greater_is_better else (0.7, 0.8)

    assert METRICS[name].improvement(better, worse) == pytest.approx(0.1)
    assert METRICS[name].improvement(worse, better) == pytest.approx(-0.1)
