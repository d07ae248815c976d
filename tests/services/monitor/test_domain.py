"""What the monitor decides, without anything around it."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import FairnessResult, Window
from headrace.monitor.domain import (
    Clock,
    Figures,
    alert_of,
    decisive,
    event_time,
    findings,
    is_news,
    judged,
    matured,
    must_retrain,
    window_of,
)
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
        "route": "champion",
        "window": WINDOW,
        "versions": [3],
        "predictions": 500,
        "truths": 500,
        "newest": NOON,
        "not_judged": [],
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


@pytest.mark.parametrize(("value", "promised"), [(math.nan, 0.9), (0.5, math.nan), (math.nan, math.nan)])
def test_a_metric_without_a_value_is_over_no_limit(value: float, promised: float) -> None:
    """NaN compares false with everything: it must not be taken for a drop."""
    found = findings(figures(metrics={"roc_auc": value}, reference={"roc_auc": promised}), DECLARED)

    assert found == []


AHEAD = timedelta(minutes=5)
far = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda at: at.replace(tzinfo=UTC))


@given(far, moments)
def test_event_time_never_runs_ahead_of_its_arrival(said: datetime, arrived: datetime) -> None:
    """Whatever a request says: within the tolerance it is believed, beyond it the arrival counts."""
    counted = event_time(said, arrived, AHEAD)

    assert counted <= arrived + AHEAD
    assert counted == said or (counted == arrived and said > arrived + AHEAD)


@pytest.mark.parametrize("offset", [timezone(timedelta(hours=14)), timezone(-timedelta(hours=14)), UTC])
def test_the_end_of_the_calendar_is_a_time_like_any_other(offset: timezone) -> None:
    """No arithmetic overflows before the bound is drawn."""
    assert event_time(datetime.max.replace(tzinfo=offset), NOON, AHEAD) == NOON
    assert event_time(datetime.min.replace(tzinfo=UTC), NOON, AHEAD) == datetime.min.replace(tzinfo=UTC)


def fair(column: str, group: str = "AA", *, breached: bool = True) -> FairnessResult:
    """What was found over a column."""
    return FairnessResult(
        column=column,
        measure="parity_difference",
        value=0.3,
        low=0.2,
        high=0.4,
        limit=0.1,
        breached=breached,
        group=group,
    )


def test_every_finding_has_an_alert_of_its_own() -> None:
    """Two columns in one window are two alerts."""
    shown = figures(fairness=[fair("carrier"), fair("origin")])

    alerts = {alert_of(finding, shown).alert for finding in findings(shown, DECLARED)}

    assert len(alerts) == 2


def test_a_finding_is_news_when_it_is_new_or_grows() -> None:
    """The same one in the next window is not; nor is one that shrank."""
    (unfair,) = findings(figures(fairness=[fair("carrier")]), DECLARED)
    (worse,) = findings(figures(metrics={"roc_auc": 0.8}), DECLARED)

    assert is_news(unfair, None)
    assert not is_news(unfair, ["AA"])
    assert not is_news(unfair, ["AA", "UA"])
    assert is_news(unfair, ["UA"])
    assert is_news(worse, ["warning"])


def test_a_window_tells_what_it_has_judged() -> None:
    """A finding that is not among it stays open: too few rows prove nothing."""
    shown = figures(fairness=[fair("carrier", breached=False)])

    assert judged(shown, DECLARED) == {"drift", "performance/roc_auc", "fairness/carrier"}
    assert judged(figures(drift_share=None, metrics={}), DECLARED) == set()


def test_the_newest_version_with_enough_rows_decides() -> None:
    """Neither its predecessor, nor a canary that has hardly answered."""
    assert decisive({1: 900, 2: 200}, 200) == 2
    assert decisive({1: 900, 2: 199}, 200) == 1
    assert decisive({1: 10}, 200) is None
