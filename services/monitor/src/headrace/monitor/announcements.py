"""What is said of a judged window: the figures, what is over a limit, and the request to train again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headrace.bus import UnitOfWork
from headrace.contracts import Declaration, TrainingRequested, Window, WindowEvaluated, WindowScheduled
from headrace.contracts.durations import parse_duration
from headrace.monitor import gauges
from headrace.monitor.domain import (
    Figures,
    Finding,
    alert_of,
    decisive,
    findings,
    is_news,
    judged,
    must_retrain,
    window_of,
)
from headrace.monitor.tables import AskedRow, DeclaredRow, FindingRow, JudgementRow, Repository, WindowRow

SCHEDULED = 0  # the version of an AskedRow that the schedule wrote
SLOWEST = timedelta(minutes=1)  # between the start of a report of truths and its commit


@dataclass(frozen=True)
class Seen:
    """What was there when the window's rows were read; more may have come before the figures are said."""

    moment: datetime
    rows: int
    truths: Mapping[tuple[str, int], Any]


@dataclass(frozen=True)
class Judged:
    """A window's figures, a version each, before they are said."""

    model: str
    declared: Declaration
    window: Window
    figures: Sequence[Figures]
    seen: Seen


async def say(work: UnitOfWork, judgement: Judged) -> None:
    """Say what a window shows, once: the rows of the window and what is said commit together."""
    repository, window = Repository(work.session), judgement.window
    row = await repository.declared(judgement.model, lock=True)
    if row is None or row.windows >= window.number:
        return  # another copy of this service was faster
    row.windows, row.judged_until = window.number, window.end
    await _keep(work, repository, row, judgement)
    found = {}
    for figures in judgement.figures:
        work.emit(_evaluated(figures))
        found[figures.version] = await _say_findings(work, repository, figures, judgement.declared)
    rows = {each.version: each.predictions for each in judgement.figures}
    newest = decisive(rows, judgement.declared.monitoring.minimum)
    if newest is not None:
        await _ask(work, judgement, newest, found[newest])
    work.emit(_scheduled(judgement.declared, row.model, window))


async def _keep(work: UnitOfWork, repository: Repository, row: DeclaredRow, judgement: Judged) -> None:
    window, seen = judgement.window, judgement.seen
    span = (row.model, window.start, window.end)
    since = await repository.truths_since(row.model, seen.moment - SLOWEST, window.start, window.end)
    missed = sum(seen.truths.get(place) != value for place, value in since.items())
    rows = await repository.rows_between(*span) - seen.rows
    row.late_predictions, row.late_truths = row.late_predictions + rows, row.late_truths + missed
    work.session.add(row)
    work.session.add(
        WindowRow(
            model=row.model,
            number=window.number,
            start=window.start,
            end=window.end,
            judged_at=work.now,
            late_predictions=rows,
            late_truths=missed,
        )
    )
    gauges.show_late(row.model, row.late_predictions, row.late_truths)
    for figures in judgement.figures:
        said = _evaluated(figures).model_dump(mode="json", exclude_none=True)
        work.session.add(JudgementRow(model=row.model, number=window.number, version=figures.version, figures=said))


async def _say_findings(
    work: UnitOfWork, repository: Repository, figures: Figures, declared: Declaration
) -> Sequence[Finding]:
    """Say each finding; the alert only where it is new, or has grown since it was told."""
    found = findings(figures, declared)
    told = await repository.findings(figures.model, figures.version)
    for finding in found:
        work.emit(finding.event)
        row = told.pop(finding.about, None)
        if is_news(finding, row.marks if row else None):
            work.emit(alert_of(finding, figures))
            row = row or FindingRow(
                model=figures.model, version=figures.version, about=finding.about, since=figures.window.number, marks=[]
            )
            row.marks = sorted({*row.marks, *finding.marks})
            work.session.add(row)
    for about in told.keys() & judged(figures, declared):
        await work.session.delete(told[about])
    return found


async def _ask(work: UnitOfWork, judgement: Judged, version: int, found: Sequence[Finding]) -> None:
    """Ask for training, once for all causes of a window."""
    asked = await work.session.get(AskedRow, (judgement.model, version))
    scheduled = await work.session.get(AskedRow, (judgement.model, SCHEDULED))
    last = max((each.at for each in (asked, scheduled) if each), default=None)
    declared = judgement.declared
    if must_retrain([finding.kind for finding in found], declared, last, work.now) is None:
        return
    wanted = [finding.message for finding in found if finding.kind in declared.retraining.on]
    await ask(work, judgement.model, version, "; ".join(wanted), data="newer")


async def ask(work: UnitOfWork, model: str, version: int, reason: str, *, data: Any) -> None:
    """Ask for training, and remember when and why."""
    row = await work.session.get(AskedRow, (model, version))
    row = row or AskedRow(model=model, version=version, at=work.now, reason=reason)
    row.at, row.reason = work.now, reason
    work.session.add(row)
    work.emit(TrainingRequested(model=model, reason=reason, data=data))


def _evaluated(figures: Figures) -> WindowEvaluated:
    return WindowEvaluated(
        model=figures.model,
        window=figures.window,
        versions=[*figures.versions],
        version=figures.version,
        route=figures.route,
        predictions=figures.predictions,
        truths=figures.truths,
        drift=[*figures.drift],
        drift_share=figures.drift_share,
        metrics=figures.metrics,
        reference=figures.reference,
        fairness=[*figures.fairness],
        not_judged=[*figures.not_judged],
        freshness_s=(figures.window.end - figures.newest).total_seconds(),
    )


def _scheduled(declared: Declaration, model: str, window: Window) -> WindowScheduled:
    start, end = window_of(declared.monitoring.every, window.end)
    due = end + parse_duration(declared.monitoring.truth.matures_after)
    return WindowScheduled(model=model, window=Window(number=window.number + 1, start=start, end=end), due=due)
