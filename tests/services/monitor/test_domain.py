"""What the monitor decides, without anything around it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import FairnessPolicy, Window
from headrace.monitor.domain import Clock, Figures, findings, matured, must_retrain, window_of
from headrace.monitor.fairness import fairness_of
from headrace.monitor.quality import quality_of
from headrace.testkit.builders import a_declaration

NOON = datetime(2013, 3, 15, 12, 30, tzinfo=UTC)
WINDOW = Window(number=1, start=NOON, end=NOON + timedelta(days=1))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("schedule", "start", "end"),
    [
        ("PT1H", datetime(2013, 3, 15, 12, tzinfo=UTC), datetime(2013, 3, 15, 13, tzinfo=UTC)),
        ("P1D", datetime(2013, 3, 15, tzinfo=UTC), datetime(2013, 3, 16, tzinfo=UTC)),
        ("@monthly", datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC)),
        ("@weekly", datetime(2013, 3, 10, tzinfo=UTC), datetime(2013, 3, 17, tzinfo=UTC)),
        ("0 6 * * *", datetime(2013, 3, 15, 6, tzinfo=UTC), datetime(2013, 3, 16, 6, tzinfo=UTC)),
    ],
)
def test_a_moment_lies_in_the_window_of_its_schedule(schedule: str, start: datetime, end: datetime) -> None:
    """Durations tumble from 1970 on, cron windows lie between two of its times."""
    assert window_of(schedule, NOON) == (start, end)


@given(moments, st.sampled_from(["PT15M", "P1D", "P7D", "@hourly", "@daily", "@weekly", "@monthly", "30 4 * * 1"]))
def test_windows_follow_each_other_without_gap_or_overlap(moment: datetime, schedule: str) -> None:
    """Every moment lies in exactly one window, and the next begins where it ends."""
    start, end = window_of(schedule, moment)

    assert start <= moment < end
    assert window_of(schedule, end)[0] == end
    assert window_of(schedule, start) == (start, end)


def test_event_time_goes_on_while_nobody_asks() -> None:
    """For live traffic it is the wall clock; for a replay of 2013 it is 2013."""
    wall = datetime(2026, 1, 1, tzinfo=UTC)

    assert Clock(wall, wall).now(wall + timedelta(hours=1)) == wall + timedelta(hours=1)
    assert Clock(NOON, wall).now(wall + timedelta(seconds=5)) == NOON + timedelta(seconds=5)
    assert Clock(NOON, wall).now(wall - timedelta(hours=1)) == NOON


def test_a_window_waits_for_its_truth() -> None:
    """Truth arrives late; the declaration says how late."""
    declared = a_declaration(monitoring={"truth": {"matures_after": "P2D"}})

    assert not matured(NOON, declared, NOON + timedelta(days=1, hours=23))
    assert matured(NOON, declared, NOON + timedelta(days=2))


def figures(**fields: object) -> Figures:
    """Figures in which nothing is over a limit."""
    plain: dict[str, object] = {
        "model": "m",
        "version": 3,
        "window": WINDOW,
        "truths": 500,
        "drift": [],
        "drift_share": 0.0,
        "metrics": {"roc_auc": 0.9},
        "reference": {"roc_auc": 0.9},
        "fairness": [],
    }
    return Figures(**{**plain, **fields})  # type: ignore[arg-type]


DECLARED = a_declaration(
    monitoring={"drift": {"share": 0.5}, "performance": {"metric": "roc_auc", "drop": 0.03}},
    retraining={"on": ["performance"], "cooldown": "PT1H"},
)


def test_figures_within_the_limits_call_for_nothing() -> None:
    """Silence is the usual case."""
    assert findings(figures(), DECLARED) == []


@pytest.mark.parametrize(("value", "severity"), [(0.871, None), (0.87, "warning"), (0.80, "critical")])
def test_a_drop_beyond_the_limit_is_told_and_one_twice_as_deep_is_critical(value: float, severity: str | None) -> None:
    """Measured against what the version promised on its own holdout."""
    found = findings(figures(metrics={"roc_auc": value}), DECLARED)

    assert [each.severity for each in found] == ([severity] if severity else [])


def test_for_errors_more_is_worse() -> None:
    """A drop is oriented by the metric."""
    declared = a_declaration(task="regression", monitoring={"performance": {"metric": "rmse", "drop": 2.0}})

    worse = findings(figures(metrics={"rmse": 13.0}, reference={"rmse": 10.0}), declared)
    better = findings(figures(metrics={"rmse": 7.0}, reference={"rmse": 10.0}), declared)

    assert [each.kind for each in worse] == ["performance"]
    assert better == []


def test_a_figure_that_is_missing_is_no_finding() -> None:
    """Nothing is concluded from nothing."""
    assert findings(figures(metrics={}, drift_share=None), DECLARED) == []


def test_retraining_is_asked_for_when_the_declaration_names_the_cause() -> None:
    """Drift was not named here."""
    assert must_retrain(["performance"], DECLARED, None, NOON) == "performance"
    assert must_retrain(["drift"], DECLARED, None, NOON) is None
    assert must_retrain([], DECLARED, None, NOON) is None


def test_retraining_is_not_asked_for_again_before_the_cooldown_is_over() -> None:
    """One request is enough until it had its effect."""
    assert must_retrain(["performance"], DECLARED, NOON, NOON + timedelta(minutes=59)) is None
    assert must_retrain(["performance"], DECLARED, NOON, NOON + timedelta(hours=1)) == "performance"


def judged(count: int, *, classes: int = 2) -> pd.DataFrame:
    """Rows whose truth is known, and what the model said."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, classes, count).astype(float)
    probability = np.clip(truth * 0.4 + rng.uniform(0, 0.6, count), 0, 1)
    return pd.DataFrame({"truth": truth, "probability": probability, "label": (probability >= 0.5).astype(int)})


def test_quality_is_the_fields_own() -> None:
    """Through scikit-learn, for every metric that a classifier may be asked for."""
    from sklearn.metrics import brier_score_loss, roc_auc_score

    rows = judged(400)

    found = quality_of(rows, ["roc_auc", "brier", "f1", "log_loss", "accuracy"], 100)

    assert found["roc_auc"] == pytest.approx(roc_auc_score(rows.truth, rows.probability))
    assert found["brier"] == pytest.approx(brier_score_loss(rows.truth, rows.probability))
    assert set(found) == {"roc_auc", "brier", "f1", "log_loss", "accuracy"}


def test_no_figure_is_made_of_too_little() -> None:
    """Too few rows, one class alone, or no truth at all."""
    assert quality_of(judged(99), ["roc_auc"], 100) == {}
    assert quality_of(judged(400, classes=1), ["roc_auc"], 100) == {}
    assert quality_of(judged(400).assign(truth=np.nan), ["roc_auc"], 100) == {}


def test_quality_of_numbers() -> None:
    """Regression has its own metrics."""
    rows = pd.DataFrame({"truth": [1.0, 2.0, 3.0], "prediction": [1.0, 2.0, 5.0]})

    found = quality_of(rows, ["mae", "rmse", "roc_auc"], 3)

    assert found["mae"] == pytest.approx(2 / 3)
    assert set(found) == {"mae", "rmse"}


def test_parity_compares_the_rates_of_groups_with_enough_rows() -> None:
    """A group of three says nothing."""
    rows = pd.DataFrame(
        {
            "carrier": ["UA"] * 100 + ["AA"] * 100 + ["ZZ"] * 3,
            "label": [1] * 60 + [0] * 40 + [1] * 20 + [0] * 80 + [1] * 3,
        }
    )

    difference = fairness_of(rows, ["carrier"], FairnessPolicy(measure="parity_difference", limit=0.3))[0]
    ratio = fairness_of(rows, ["carrier"], FairnessPolicy(measure="parity_ratio", limit=0.3))[0]

    assert (difference.value, difference.breached, difference.group) == (pytest.approx(0.4), True, "AA")
    assert (ratio.value, ratio.breached) == (pytest.approx(1 / 3, abs=1e-6), False)


def test_one_group_alone_cannot_be_treated_unevenly() -> None:
    """And a column that was not logged is not judged."""
    rows = pd.DataFrame({"carrier": ["UA"] * 50, "label": [1] * 50})

    assert fairness_of(rows, ["carrier", "origin"], FairnessPolicy()) == []


def test_the_monitor_and_the_trainer_mean_the_same_by_every_metric() -> None:
    """Two implementations, one meaning: a promise is measured as it was made."""
    from headrace.contracts import METRICS
    from headrace.frameworks.metrics import value

    rows = judged(500)
    numbers = rows.assign(prediction=rows["probability"])
    truth, score = rows["truth"].to_numpy(), rows["probability"].to_numpy()

    for name in METRICS:
        found = quality_of(numbers, [name], 100)[name]
        assert found == pytest.approx(value(name, truth, score), rel=1e-6), name
