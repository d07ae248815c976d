"""The trainer's decisions, without a broker, a database or Ray."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import Column, Declaration
from headrace.contracts.catalogs import FAILURES, STAGES
from headrace.tasks import parse_declaration
from headrace.trainer.domain import State
from headrace.trainer.planning import Unplannable, metrics_of, plan
from headrace.trainer.scheduling import (
    MOST_ATTEMPTS,
    MOST_WITH_CHECKPOINTS,
    Queued,
    Recent,
    after_loss,
    next_runs,
    released_by,
    trains_on_new_data,
    waits_for,
    will_train_on,
)
from headrace.trainer.worker.jobs import Kind, Stage

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = [
    Column(name="at", type="timestamp", nullable=False),
    Column(name="seen_at", type="timestamp", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="carrier", type="string", nullable=False),
    Column(name="late", type="integer", nullable=False),
]


def declared(**parts: Any) -> Declaration:
    """A declaration of flights; `parts` replace whole sections."""
    data = {"dataset": "flights", "target": "late", "time": "at"}
    return parse_declaration({"name": "delay", "data": data, **parts})


def resolved(declaration: Declaration, **asked: Any) -> Any:
    """The plan of a run with the columns above."""
    asked = {"params": {}, "seed": None, "estimator": "the.Default", **asked}
    return plan(declaration, COLUMNS, **asked)


def asked(run: str, model: str, minutes: int = 0) -> Queued:
    """A run asked for some minutes after noon."""
    return Queued(run, model, NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("wants", "newest", "pinned", "trained", "waits"),
    [
        ("latest", 3, None, 3, "capacity"),
        ("newer", 3, None, 2, "capacity"),
        ("newer", 3, None, 3, "data"),
        ("newer", 3, None, None, "capacity"),
        ("latest", None, None, None, "data"),
        ("latest", 3, 2, 3, "capacity"),
        ("latest", 3, 4, 3, "data"),
        ("newer", 3, 3, 3, "capacity"),
    ],
)
def test_what_a_run_waits_for(
    wants: str, newest: int | None, pinned: int | None, trained: int | None, waits: str
) -> None:
    """Data that have been learned from already are not newer; data that nobody has cannot be learned from."""
    assert waits_for(wants=wants, newest=newest, pinned=pinned, trained=trained) == waits


def test_new_data_let_a_waiting_run_go() -> None:
    """Unless it waits for a version that is still to come."""
    assert released_by(4, pinned=None, newer_than=3)
    assert released_by(1, pinned=None, newer_than=None)
    assert not released_by(3, pinned=None, newer_than=3)
    assert not released_by(4, pinned=5, newer_than=None)
    assert released_by(5, pinned=5, newer_than=None)


def test_new_data_start_one_run_not_two() -> None:
    """A run that is about to take the version makes another needless; one pinned to an older version does not."""
    assert will_train_on(4, queued=True, pinned=None, newer_than=None)
    assert will_train_on(4, queued=False, pinned=None, newer_than=3)
    assert not will_train_on(4, queued=True, pinned=2, newer_than=None)
    assert trains_on_new_data(declared(), taken=False)
    assert not trains_on_new_data(declared(), taken=True)
    assert not trains_on_new_data(declared(training={"on": []}), taken=False)


def test_the_longest_waiting_goes_first() -> None:
    """Between models that never ran, the order of asking decides."""
    queue = [asked("b", "two", 2), asked("a", "one", 1), asked("c", "three", 3)]

    assert next_runs(queue, {}, 2) == ["a", "b"]


def test_a_model_with_many_wishes_keeps_nobody_waiting() -> None:
    """A model without a worker goes before one that has some, however many it asked for earlier."""
    queue = [*(asked(f"greedy-{n}", "greedy", n) for n in range(9)), asked("modest", "modest", 60)]

    assert next_runs(queue, {"greedy": Recent(running=1)}, 2) == ["modest", "greedy-0"]
    assert next_runs(queue, {}, 2) == ["greedy-0", "modest"]


def test_models_take_turns() -> None:
    """Where none runs, who got a worker last goes last."""
    recent = {"one": Recent(last_started=NOON), "two": Recent(last_started=NOON - timedelta(hours=1))}

    assert next_runs([asked("a", "one", 1), asked("b", "two", 2)], recent, 1) == ["b"]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 99)), max_size=20), st.integers(0, 25))
def test_no_worker_idles_and_no_run_starts_twice(wishes: list[tuple[str, int]], free: int) -> None:
    """As many different runs start as there are workers or wishes."""
    queue = [asked(f"{n}", model, minutes) for n, (model, minutes) in enumerate(wishes)]

    chosen = next_runs(queue, {}, free)

    assert len(chosen) == len(set(chosen)) == min(free, len(queue))


def test_a_lost_run_is_tried_again_but_not_for_ever() -> None:
    """The last attempt's loss is the run's end."""
    assert after_loss(1) == "resume"
    assert after_loss(MOST_ATTEMPTS) == "fail"
    assert after_loss(1, MOST_WITH_CHECKPOINTS - 1) == "resume"
    assert after_loss(1, MOST_WITH_CHECKPOINTS) == "fail"


def test_all_columns_are_features_but_those_that_cannot_be() -> None:
    """Not the target, not the time, no timestamp, nothing ignored."""
    ignoring = {"dataset": "flights", "target": "late", "time": "at", "ignore": ["carrier"]}

    assert [c.name for c in resolved(declared()).features] == ["wind", "carrier"]
    assert [c.name for c in resolved(declared(data=ignoring)).features] == ["wind"]


def test_a_time_is_a_feature_where_steps_for_it_are_declared() -> None:
    """The column of time by its own name alone; what is dropped is none; both go to the run."""
    prepared = {"kinds": {"timestamp": ["date-parts"]}, "columns": {"carrier": ["drop"]}}
    planned = resolved(declared(training={"preparation": prepared}))

    assert [c.name for c in planned.features] == ["seen_at", "wind"]
    assert planned.preparation.kinds == {"timestamp": ["date-parts"]}
    assert planned.warnings == []
    hours = {"columns": {"at": [{"cyclic": {"parts": ["hour"]}}]}}
    assert [c.name for c in resolved(declared(training={"preparation": hours})).features] == ["at", "wind", "carrier"]
    assert "seen_at is a timestamp and no feature; say what matters of it" in resolved(declared()).warnings[0]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"data": {"features": ["wind", "seen_at"]}}, "feature seen_at is a timestamp; say what matters of it"),
        (
            {"training": {"preparation": {"columns": {"rain": ["log"]}}}},
            "columns rain of training.preparation are none",
        ),
    ],
)
def test_steps_and_times_that_do_not_fit_the_data_fail_the_run_in_words(parts: dict[str, Any], reason: str) -> None:
    """Where the declaration came before the data."""
    data = {"dataset": "flights", "target": "late", **parts.get("data", {})}

    with pytest.raises(Unplannable, match=reason):
        resolved(declared(**{**parts, "data": data}))


def test_the_request_goes_before_the_declaration() -> None:
    """Parameters are merged, the seed is replaced, the estimator is the framework's own where none is named."""
    params = {"max_iter": 1, "max_bins": 8}
    planned = resolved(declared(training={"params": params, "seed": 3}), params={"max_iter": 2}, seed=9)

    assert (planned.params, planned.seed) == ({"max_iter": 2, "max_bins": 8}, 9)
    assert resolved(declared(training={"seed": 3})).seed == 3
    named = "sklearn.ensemble.RandomForestClassifier"
    assert resolved(declared(training={"estimator": named})).estimator == named
    unfilled = Declaration(name="delay", data=declared().data)
    assert resolved(unfilled).estimator == "the.Default"


def test_the_holdout_is_by_time_where_there_is_one() -> None:
    """Unless the declaration says at random."""
    timeless = {"dataset": "flights", "target": "late"}

    assert resolved(declared()).by == "time"
    assert resolved(declared(evaluation={"holdout": {"by": "random"}})).by == "random"
    assert resolved(declared(data=timeless)).by == "random"


def test_metrics_are_the_declared_and_those_of_the_gates() -> None:
    """A gate without its metric could never be judged."""
    gated = {"metrics": ["brier"], "gates": [{"metric": "roc_auc", "at_least": 0.5}]}

    assert metrics_of(declared(evaluation=gated)) == ["brier", "roc_auc"]
    assert metrics_of(declared(task="regression")) == ["rmse", "mae", "r2"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"target": "delay"}, "target 'delay' is no column of dataset 'flights': at, seen_at, wind"),
        ({"target": "late", "time": "when"}, "time column 'when' is no column"),
        ({"target": "late", "features": ["wind", "rain"]}, "features rain are no columns"),
        ({"target": "late", "ignore": ["wind", "carrier"], "time": "at"}, "no column left to learn from"),
    ],
)
def test_what_does_not_fit_is_said_in_words(data: dict[str, Any], reason: str) -> None:
    """The author reads what is wrong and what there is."""
    with pytest.raises(Unplannable, match=reason):
        resolved(declared(data={"dataset": "flights", **data}))


def test_only_the_last_states_have_ended() -> None:
    """A run that has ended changes no more."""
    assert {s for s in State if s.ended} == {State.COMPLETED, State.FAILED, State.CANCELLED}


def test_stages_and_failures_that_are_said_are_those_of_the_catalogue() -> None:
    """What nobody has read about cannot be understood."""
    assert set(get_args(Stage)) == set(STAGES)
    assert set(get_args(Kind)) == set(FAILURES)
