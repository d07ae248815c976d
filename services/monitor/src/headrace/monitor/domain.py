"""What the monitor decides: which window a moment is in, when it can be judged, what its figures call for.

Pure: standard library, contracts, tasks and croniter's arithmetic only.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import croniter

from headrace.contracts import (
    AlertRaised,
    ColumnDrift,
    Declaration,
    DriftDetected,
    Event,
    FairnessBreached,
    FairnessResult,
    NotJudged,
    PerformanceDegraded,
    Window,
    derive_id,
)
from headrace.contracts.durations import parse_duration
from headrace.tasks import METRICS
from headrace.tasks.labels import text

ACTOR = "service:monitor"  # who acts where nobody asked
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMED = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}


def window_of(schedule: str, moment: datetime) -> tuple[datetime, datetime]:
    """Start and end of the window that `moment` lies in; start included, end not, in UTC.

    A duration tumbles from 1970 on; a cron expression's windows lie between two of its times.
    """
    if schedule.startswith("P"):
        length = parse_duration(schedule)
        start = EPOCH + (moment - EPOCH) // length * length
        return start, start + length
    times = croniter(NAMED.get(schedule, schedule), moment.astimezone(UTC) + timedelta(microseconds=1))
    start = times.get_prev(datetime)
    return start, croniter(NAMED.get(schedule, schedule), start).get_next(datetime)


def event_time(said: datetime, arrived: datetime, ahead: timedelta) -> datetime:
    """The event time that counts: what was said, but never ahead of its arrival by more than `ahead`.

    One answer that says 2099 would otherwise end every window until then. Such an answer counts when it arrived.
    """
    return said if said <= arrived + ahead else arrived


@dataclass(frozen=True)
class Clock:
    """The clock of event time: the newest event's time, and what has passed since it arrived.

    For live traffic this is the wall clock; for a replay of last year it is last year.
    """

    newest: datetime
    arrived: datetime

    def now(self, wall: datetime) -> datetime:
        """The present moment of event time."""
        return self.newest + max(timedelta(0), wall - self.arrived)


def matured(end: datetime, declared: Declaration, now: datetime) -> bool:
    """Whether a window is over and its truth has had its time to come."""
    return now - parse_duration(declared.monitoring.truth.matures_after) >= end


@dataclass(frozen=True)
class Figures:
    """What was measured of a window, for one of the versions that answered in it."""

    model: str
    version: int
    route: str
    window: Window
    versions: Sequence[int]
    predictions: int
    truths: int
    newest: datetime
    drift: Sequence[ColumnDrift]
    drift_share: float | None
    metrics: dict[str, float]
    reference: dict[str, float]
    fairness: Sequence[FairnessResult]
    not_judged: Sequence[NotJudged]


@dataclass(frozen=True)
class Finding:
    """Something over its limit: the fact to say, how urgent, and in words.

    `about` names it over the windows; `marks` are what makes it worth telling again when one is added.
    """

    kind: str
    about: str
    marks: frozenset[str]
    severity: str
    event: Event
    message: str


def findings(figures: Figures, declared: Declaration) -> list[Finding]:
    """Everything that is over its limit."""
    return [*_drift(figures, declared), *_performance(figures, declared), *_fairness(figures)]


def judged(figures: Figures, declared: Declaration) -> set[str]:
    """What a window says something about, one way or the other: a finding that it does not show is over."""
    policy = declared.monitoring.performance
    return {
        *(["drift"] if figures.drift_share is not None else []),
        *([f"performance/{policy.metric}"] if policy and policy.metric in figures.metrics else []),
        *(_about_fairness(each) for each in figures.fairness),
    }


def is_news(finding: Finding, told: Collection[str] | None) -> bool:
    """Whether somebody must be told: of a finding that is new, or has more marks than were `told`."""
    return told is None or not finding.marks <= set(told)


def _drift(figures: Figures, declared: Declaration) -> Iterator[Finding]:
    limit = declared.monitoring.drift.share
    if figures.drift_share is None or figures.drift_share < limit:
        return
    columns = [each.column for each in figures.drift if each.drifted and each.role == "feature"]
    event = DriftDetected(
        model=figures.model,
        version=figures.version,
        window=figures.window,
        columns=columns,
        share=figures.drift_share,
        limit=limit,
    )
    message = f"{figures.drift_share:.0%} of the columns drifted ({', '.join(columns)}); {limit:.0%} are allowed"
    yield Finding("drift", "drift", frozenset(columns), "warning", event, message)


def _performance(figures: Figures, declared: Declaration) -> Iterator[Finding]:
    policy = declared.monitoring.performance
    if policy is None or policy.metric not in METRICS:
        return
    value, reference = figures.metrics.get(policy.metric, math.nan), figures.reference.get(policy.metric, math.nan)
    drop = -METRICS[policy.metric].improvement(value, reference)
    if not drop >= policy.drop:  # nor where there is no figure: NaN is over no limit
        return
    event = PerformanceDegraded(
        model=figures.model,
        version=figures.version,
        window=figures.window,
        metric=policy.metric,
        value=value,
        reference=reference,
        drop=drop,
        limit=policy.drop,
        truths=figures.truths,
    )
    worse = f"{policy.metric} is {value:.4f}, {drop:.4f} worse than the {reference:.4f} promised"
    message, severity = f"{worse}; {policy.drop:g} is allowed", "critical" if drop >= 2 * policy.drop else "warning"
    yield Finding("performance", f"performance/{policy.metric}", frozenset({severity}), severity, event, message)


def _fairness(figures: Figures) -> Iterator[Finding]:
    for each in figures.fairness:
        if each.breached:
            event = FairnessBreached(
                model=figures.model,
                version=figures.version,
                window=figures.window,
                column=each.column,
                label=each.label,
                measure=each.measure,
                value=each.value,
                low=each.low,
                high=each.high,
                limit=each.limit,
                group=each.group,
            )
            seen = f"{each.measure}{_of_label(each)} over {each.column} is {each.value:.3f} (limit {each.limit:g})"
            message = f"{seen}; {each.group} fares worst"
            yield Finding("fairness", _about_fairness(each), frozenset({str(each.group)}), "warning", event, message)


def _about_fairness(result: FairnessResult) -> str:
    return f"fairness/{result.column}" + ("" if result.label is None else f"/{text(result.label)}")


def _of_label(result: FairnessResult) -> str:
    return "" if result.label is None else f" of the answer {result.label!r}"


def alert_of(finding: Finding, figures: Figures) -> AlertRaised:
    """The alert that goes with a finding."""
    return AlertRaised.model_validate(
        {
            "model": figures.model,
            "alert": derive_id(figures.model, finding.about, str(figures.window.number), figures.version),
            "kind": finding.kind,
            "severity": finding.severity,
            "message": finding.message,
            "version": figures.version,
            "window": figures.window,
        }
    )


def decisive(rows: Mapping[int, int], minimum: int) -> int | None:
    """The version whose findings may ask for training: the newest one with enough rows.

    Of an older one that still answers beside it nothing follows, since its successor is there already.
    """
    return max((version for version, count in rows.items() if count >= minimum), default=None)


def must_retrain(
    causes: Sequence[str], declared: Declaration, last_asked: datetime | None, wall: datetime
) -> str | None:
    """Why retraining must be asked for now; None where the declaration does not want it, or it was asked for.

    `last_asked` is when it was asked for the version that serves, or by the schedule; before the cool-down is over one
    request is enough.
    """
    wanted = [cause for cause in causes if cause in declared.retraining.on]
    if not wanted or (last_asked is not None and wall < cooled(declared, last_asked)):
        return None
    return " and ".join(dict.fromkeys(wanted))


def cooled(declared: Declaration, last_asked: datetime) -> datetime:
    """When retraining may be asked for again."""
    return last_asked + parse_duration(declared.retraining.cooldown)
