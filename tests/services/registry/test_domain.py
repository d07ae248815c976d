"""What the registry decides, without anything around it."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import (
    Baseline,
    Comparison,
    DatasetRef,
    EvaluationCompleted,
    EvaluationMetrics,
    Gate,
    Lineage,
    VersionRegistered,
)
from headrace.registry.domain import (
    SIGNALS,
    changed_paths,
    enough,
    expires_at,
    is_newer,
    may_not_approve,
    may_not_change,
    review_due,
    risk_of,
)
from headrace.registry.gates import WAY_ON, Met, asked_of, incomparable, judge, words
from headrace.registry.policy import Policy, policy_of
from headrace.testkit import a
from headrace.testkit.builders import a_declaration

BEATS = {"metric": "roc_auc", "beats": "champion", "by": 0.002}


def evaluation(
    value: float, *, champion: float | None = None, low: float = 0.0, metric: str = "roc_auc"
) -> EvaluationCompleted:
    """Figures of a candidate, beside a champion where one is given."""
    comparisons = []
    if champion is not None:
        difference = value - champion
        comparisons = [
            Comparison(metric=metric, candidate=value, champion=champion, difference=difference, low=low,
                       high=low + 0.1, confidence=0.95, resamples=200)
        ]  # fmt: skip
    metrics = EvaluationMetrics(
        candidate={metric: value}, champion={metric: champion} if champion is not None else None
    )
    return a(
        EvaluationCompleted, metrics=metrics, comparisons=comparisons, champion=1 if champion is not None else None
    )


def gated(*gates: dict[str, object]) -> Policy:
    """A policy with these gates."""
    return policy_of(a_declaration(evaluation={"gates": list(gates)}))


@pytest.mark.parametrize(("value", "passed"), [(0.65, True), (0.6499, False)])
def test_a_lower_limit_is_met_at_the_limit_itself(value: float, passed: bool) -> None:
    """`at_least` means what it says."""
    verdict = judge(gated({"metric": "roc_auc", "at_least": 0.65}), evaluation(value))

    assert verdict.passed is passed
    assert "0.65" in verdict.gates[0].detail


@pytest.mark.parametrize(("value", "passed"), [(0.2, True), (0.21, False)])
def test_an_upper_limit_is_for_metrics_where_less_is_better(value: float, passed: bool) -> None:
    """`at_most` for errors."""
    verdict = judge(gated({"metric": "brier", "at_most": 0.2}), evaluation(value, metric="brier"))

    assert verdict.passed is passed


def test_the_first_version_beats_nobody_and_passes() -> None:
    """Somebody must be the first champion."""
    assert judge(gated(BEATS), evaluation(0.6)).passed


@pytest.mark.parametrize(
    ("value", "low", "passed"),
    [
        (0.72, 0.005, True),  # clearly better
        (0.72, -0.001, False),  # better, but it may be chance
        (0.7015, 0.0005, False),  # surely better, but by less than was asked for
        (0.69, -0.02, False),  # worse
    ],
)
def test_a_challenger_must_be_better_by_enough_and_not_by_chance(value: float, low: float, passed: bool) -> None:
    """The difference reaches `by`, and its interval lies above 0."""
    verdict = judge(gated(BEATS), evaluation(value, champion=0.7, low=low), Met(1))

    assert verdict.passed is passed
    assert "0.7000" in verdict.gates[0].detail


@pytest.mark.parametrize(("value", "by", "passed"), [(0.72, 0.01, True), (0.705, 0.01, False), (0.7, 0, False)])
def test_a_difference_without_an_interval_is_told_as_such(value: float, by: float, passed: bool) -> None:
    """A function that judges no resamples leaves the difference alone to decide, and the gate says so."""
    told = evaluation(value, champion=0.7, low=value - 0.7)
    bare = told.comparisons[0].model_copy(update={"resamples": 0, "low": value - 0.7, "high": value - 0.7})

    verdict = judge(gated({**BEATS, "by": by}), told.model_copy(update={"comparisons": [bare]}), Met(1))

    assert verdict.passed is passed
    assert "without an interval, since its function judges no resamples" in verdict.gates[0].detail
    assert ("above 0 is needed" in verdict.gates[0].detail) is not passed


TRIVIAL = {"metric": "roc_auc", "beats": "trivial"}


def beside_trivial(value: float, low: float, trivial: float = 0.5) -> EvaluationCompleted:
    """Figures of a candidate beside those of the trivial answer."""
    found = Baseline(metric="roc_auc", candidate=value, trivial=trivial, difference=value - trivial, low=low,
                     high=low + 0.1, confidence=0.95, resamples=200, answer="the share of each label")  # fmt: skip
    return evaluation(value).model_copy(update={"baselines": [found]})


@pytest.mark.parametrize(("value", "low", "passed"), [(0.6, 0.05, True), (0.52, -0.01, False), (0.5, 0.0, False)])
def test_a_first_version_must_be_better_than_an_answer_without_a_model(value: float, low: float, passed: bool) -> None:
    """ROC AUC 0.5 is no champion: the interval of the difference lies above 0."""
    verdict = judge(gated(TRIVIAL), beside_trivial(value, low))

    assert verdict.passed is passed
    assert "0.5000 of the share of each label" in verdict.gates[0].detail


def test_a_version_that_was_never_compared_with_the_trivial_answer_does_not_pass() -> None:
    """Silence is not a pass."""
    verdict = judge(gated(TRIVIAL), evaluation(0.9))

    assert not verdict.passed
    assert "not compared with the trivial answer" in verdict.reason


def test_a_metric_that_was_not_measured_fails_its_gate() -> None:
    """Silence is not a pass."""
    verdict = judge(gated({"metric": "f1", "at_least": 0.1}), evaluation(0.9))

    assert not verdict.passed
    assert "f1 could not be measured" in verdict.reason


def test_all_gates_are_told_and_only_the_unmet_ones_are_the_reason() -> None:
    """A person sees what held as well."""
    gates = gated({"metric": "roc_auc", "at_least": 0.9}, BEATS)
    verdict = judge(gates, evaluation(0.72, champion=0.7, low=0.01), Met(1))

    assert [gate.passed for gate in verdict.gates] == [False, True]
    assert verdict.reason == verdict.gates[0].detail


def test_no_gates_mean_that_every_version_passes() -> None:
    """The smallest declaration serves what it trains."""
    assert judge(gated(), evaluation(0.1)).passed


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (Gate(metric="roc_auc", at_least=0.65), "roc_auc at least 0.65"),
        (Gate(metric="brier", at_most=0.2), "brier at most 0.2"),
        (Gate(metric="roc_auc", beats="champion", by=0.002), "roc_auc beats the champion by 0.002"),
        (Gate(metric="rmse", beats="trivial", by=1), "rmse beats the trivial answer by 1"),
    ],
)
def test_gates_read_as_sentences(gate: Gate, text: str) -> None:
    """They stand in logs, cards and reports."""
    assert words(gate) == text


def test_changes_are_told_by_their_paths() -> None:
    """The innermost place that differs, not the whole document."""
    old = {"name": "m", "data": {"dataset": "a", "target": "t"}, "owner": {"team": "x"}}
    new = {"name": "m", "data": {"dataset": "b", "target": "t"}, "risk": {"impact": "high"}, "owner": {"team": "x"}}

    assert list(changed_paths(old, new)) == ["data.dataset", "risk"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json)
def test_a_document_does_not_differ_from_itself(document: object) -> None:
    """Declaring the same again changes nothing."""
    assert list(changed_paths(document, document)) == []


@given(json, json)
def test_documents_differ_in_both_directions_alike(old: object, new: object) -> None:
    """A change and its undoing name the same places."""
    assert sorted(changed_paths(old, new)) == sorted(changed_paths(new, old))


def test_an_author_never_approves_their_own() -> None:
    """Neither who declared the model nor who asked for the run."""
    authors = {"key:ann": "declared revision 2", "key:bob": "asked for the run"}

    assert "declared revision 2" in (may_not_approve("key:ann", authors) or "")
    assert "asked for the run" in (may_not_approve("key:bob", authors) or "")
    assert may_not_approve("key:eve", authors) is None
    assert may_not_approve("oidc:login.example/eve", authors) is None


@pytest.mark.parametrize("actor", ["nats:outsider", "nats:operator", "nats:acme", "service:monitor", "", "ann"])
def test_only_a_person_decides(actor: str) -> None:
    """Who is known by a connection alone has not shown who they are."""
    assert "needs a person" in (may_not_approve(actor, {}) or "")


@pytest.mark.parametrize(
    ("actor", "declarers", "needed", "may"),
    [
        ("key:ann", ["key:bob"], 2, True),
        ("oidc:login.example/ann", ["nats:outsider"], 0, True),
        ("nats:acme", ["nats:acme"], 0, True),
        ("nats:acme", ["nats:acme"], 2, True),  # what loosens waits for people all the same
        ("nats:acme", ["nats:acme", "key:ann"], 0, False),
        ("nats:acme", ["key:ann"], 0, False),
        ("nats:operator", ["key:ann"], 0, False),
        ("nats:outsider", ["nats:outsider"], 0, True),
        ("nats:outsider", ["nats:outsider"], 1, False),
        ("nats:outsider", ["nats:acme"], 0, False),
        ("service:monitor", ["key:ann"], 0, False),
    ],
)
def test_a_program_changes_what_it_alone_has_declared(actor: str, declarers: list[str], needed: int, may: bool) -> None:
    """And one without an identity of its own nothing that needs approvals."""
    why = may_not_change(actor, declarers, needed)

    assert (why is None) is may
    assert may or "headrace apply" in (why or "")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_could_not_be_computed_meets_no_gate(value: float) -> None:
    """And says so: neither a figure nor a difference. The schemas refuse such numbers; the rule does not rely on it."""
    for limit in ({"metric": "roc_auc", "at_least": 0.1}, {"metric": "brier", "at_most": 0.9}):
        event = evaluation(0.5, metric=str(limit["metric"]))
        metrics = event.metrics.model_copy(update={"candidate": {limit["metric"]: value}})
        verdict = judge(gated(limit), event.model_copy(update={"metrics": metrics}))
        assert "could not be measured" in verdict.reason
    for gate, event, place in (
        (BEATS, evaluation(0.9, champion=0.7, low=0.1), "comparisons"),
        (TRIVIAL, beside_trivial(0.9, 0.1), "baselines"),
    ):
        for name in ("difference", "low"):
            found = getattr(event, place)[0].model_copy(update={name: value})
            verdict = judge(gated(gate), event.model_copy(update={place: [found]}), Met(1))
            assert "could not be computed" in verdict.reason


@pytest.mark.parametrize("said", ["column 'wind' is gone from flights version 5", None])
def test_what_cannot_be_compared_says_why_and_what_to_do(said: str | None) -> None:
    """The champion is named; the gate is not met, and others are judged all the same."""
    event = evaluation(0.9).model_copy(update={"champion": 3, "incomparable": said})
    verdict = judge(gated(BEATS, {"metric": "roc_auc", "at_least": 0.65}), event, Met(3))

    assert [gate.passed for gate in verdict.gates] == [False, True]
    assert "champion 3" in verdict.reason
    assert (said or "has no roc_auc of both") in verdict.reason
    assert "apply the declaration without the gate" in verdict.reason


def test_figures_of_a_comparison_that_is_called_dishonest_do_not_count() -> None:
    """Where the evaluation says that no honest comparison exists, a difference beside it is none."""
    event = evaluation(0.9, champion=0.7, low=0.1).model_copy(update={"incomparable": "all rows were learned from"})

    assert not judge(gated(BEATS), event, Met(1)).passed


def run(began: int, target: str = "late") -> VersionRegistered:
    """A version whose making began at an hour."""
    return a(VersionRegistered, lineage=a(Lineage, started_at=datetime(2026, 1, 1, began, tzinfo=UTC)), target=target)


def test_a_run_that_began_before_the_champions_must_beat_it() -> None:
    """Whatever is declared: else the older run of two takes the alias by ending last."""
    assert asked_of(gated(), run(2), None).gates == ()
    assert asked_of(gated(), run(2), run(1)).gates == ()
    (gate,) = asked_of(gated(), run(1), run(2)).gates
    assert words(gate) == "roc_auc beats the champion by 0"
    assert len(asked_of(gated(BEATS), run(1), run(2)).gates) == 1  # what is declared asks for more


def test_models_of_different_targets_are_not_compared() -> None:
    """A figure of one says nothing about the other."""
    assert incomparable(run(1), run(2)) is None
    assert "'late'" in (incomparable(run(1, "cancelled"), run(1)) or "")


def test_versions_of_different_datasets_have_no_order() -> None:
    """Version 5 of one dataset is no newer than version 3 of another."""
    flights = DatasetRef(name="flights", version=5, digest="a" * 64)
    trains = DatasetRef(name="trains", version=3, digest="a" * 64)

    assert not is_newer(flights, trains)
    assert is_newer(flights, flights.model_copy(update={"version": 4}))
    assert not is_newer(flights, flights)


def test_one_person_counts_once() -> None:
    """Two approvals are two people."""
    assert not enough(["key:ann", "key:ann"], 2)
    assert enough(["key:ann", "key:bob"], 2)
    assert enough([], 0)


def test_deadlines_come_from_the_declaration() -> None:
    """ISO 8601 durations, counted from the moment."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    declared = a_declaration(approval={"needed": 1, "expires": "P1DT12H"}, risk={"review_every": "P90D"})

    assert expires_at(declared, now) == now + timedelta(hours=36)
    assert review_due(declared, now) == now + timedelta(days=90)


@given(st.lists(st.sampled_from(sorted(SIGNALS)), max_size=20), st.sampled_from(sorted(SIGNALS)))
def test_each_signal_raises_the_risk_and_it_stays_a_probability(seen: list[str], one_more: str) -> None:
    """More evidence of harm never makes a model look safer."""
    declared = a_declaration(risk={"impact": "high"})

    before, after = risk_of(declared, seen), risk_of(declared, [*seen, one_more])

    assert 0 < before.probability <= after.probability <= 1
    assert 0 < after.score <= 1


@pytest.mark.parametrize(("impact", "signals", "rating"), [
    ("low", [], "low"),
    ("high", [], "low"),
    ("medium", ["performance"], "medium"),
    ("high", ["performance", "drift"], "high"),
])  # fmt: skip
def test_risk_is_probability_times_impact(impact: str, signals: list[str], rating: str) -> None:
    """The same signals weigh more where a wrong answer does more harm."""
    assert risk_of(a_declaration(risk={"impact": impact}), signals).rating == rating


def test_what_to_do_is_said_once_however_many_gates_had_no_champion_to_meet() -> None:
    """By the registry, at the end; the trainer says what is in the way."""
    gates = gated(BEATS, {"metric": "brier", "beats": "champion", "by": 0})
    told = evaluation(0.72).model_copy(update={"incomparable": "version 1 has learned from every held-out row"})

    reason = judge(gates, told, Met(1)).reason

    assert reason.count("has learned from every held-out row") == 2
    assert reason.count("apply the declaration without the gate") == 1
    assert reason.endswith(WAY_ON)
    assert WAY_ON not in judge(gated(BEATS), evaluation(0.6, champion=0.7), Met(1)).reason
