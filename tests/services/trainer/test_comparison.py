"""Runs side by side, without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from headrace.trainer.comparison import compared
from headrace.trainer.domain import Run, State

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_run(name: str, params: dict[str, Any], auc: float | None, features: tuple[str, ...] = ("wind",)) -> Run:
    """A run with parameters and, where it completed, a metric."""
    job = {
        "estimator": "the.Estimator",
        "params": params,
        "seed": 0,
        "data": {"dataset": "flights", "digest": "d1", "parts": 2},
        "features": [{"name": each, "type": "number"} for each in features],
    }
    outcome = {"metrics": {"roc_auc": auc}, "packages": {"numpy": "2.0"}} if auc is not None else {"reason": "it broke"}
    told = {"model": "delay", "dataset": "flights", "reason": "", "requested_by": "key:ann", "asked_at": NOON}
    state = State.COMPLETED if auc is not None else State.FAILED
    return Run(run=name, declared_revision=1, dataset_version=1, state=state, job=job, outcome=outcome, **told)


def found(*runs: Run) -> dict[tuple[str, str], tuple[list[Any], bool]]:
    """Each thing that is known of runs, by part and name."""
    return {(each.part, each.name): (list(each.values), each.differs) for each in compared(runs)}


def test_what_runs_differ_in_is_told_apart_from_what_is_the_same() -> None:
    """Parameters, metrics, data and features, a value for each run in the order in which they were given."""
    told = found(a_run("r1", {"C": 1.0, "max_iter": 100}, 0.8), a_run("r2", {"C": 2.0, "max_iter": 100}, 0.9))

    assert told["parameters", "C"] == ([1.0, 2.0], True)
    assert told["parameters", "max_iter"] == ([100, 100], False)
    assert told["metrics", "roc_auc"] == ([0.8, 0.9], True)
    assert told["data", "digest"] == (["d1", "d1"], False)
    assert told["packages", "numpy"] == (["2.0", "2.0"], False)


def test_what_a_run_does_not_have_is_nothing_there() -> None:
    """A failed run has no metrics, and another parameter or feature is one that the others lack."""
    told = found(
        a_run("r1", {"C": 1.0}, 0.8), a_run("r2", {"penalty": "l1"}, None), a_run("r3", {}, 0.7, ("wind", "carrier"))
    )

    assert told["parameters", "C"] == ([1.0, None, None], True)
    assert told["parameters", "penalty"] == ([None, "l1", None], True)
    assert told["metrics", "roc_auc"] == ([0.8, None, 0.7], True)
    assert told["features", "carrier"] == ([None, None, "number"], True)
    assert told["run", "state"] == ([State.COMPLETED, State.FAILED, State.COMPLETED], True)
    assert told["outcome", "reason"] == ([None, "it broke", None], True)


def test_a_run_that_never_started_has_the_parameters_that_were_asked_for() -> None:
    """Nothing is resolved yet; what was wished is known."""
    waiting = replace(a_run("r1", {}, 0.8), job=None, outcome=None, state=State.QUEUED, params={"C": 3.0})

    told = found(waiting, a_run("r2", {"C": 3.0}, 0.8))

    assert told["parameters", "C"] == ([3.0, 3.0], False)
    assert told["training", "estimator"] == ([None, "the.Estimator"], True)


def test_parts_come_in_one_order_and_each_thing_once() -> None:
    """Whoever reads two comparisons finds the same thing at the same place."""
    lines = compared([a_run("r1", {"C": 1.0}, 0.8), a_run("r2", {"b": 2}, 0.9)])

    parts = [each.part for each in lines]
    assert list(dict.fromkeys(parts)) == sorted(set(parts), key=parts.index)
    assert len({(each.part, each.name) for each in lines}) == len(lines)
    assert parts.index("parameters") < parts.index("metrics") < parts.index("packages")
