"""The watch: closes windows when their time has come, and says what they show."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import structlog

from headrace.bus import Work
from headrace.chassis import Every, Runtime, every
from headrace.contracts import (
    AlertRaised,
    EvaluationScheduled,
    TrainingCompleted,
    TrainingRequested,
    Window,
    WindowEvaluated,
    derive_id,
)
from headrace.contracts.durations import parse_duration
from headrace.monitor import gauges
from headrace.monitor.domain import Figures, Finding, alert_of, findings, matured, must_retrain, window_of
from headrace.monitor.judging import Measured, measure, sample_of
from headrace.monitor.references import References
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import AskedRow, DeclaredRow, LoggedRow, Records, TrainedRow, WindowRow
from headrace.objects import StoreAway

log = structlog.get_logger()
ACTOR = "service:monitor"
LONGEST_WINDOW = timedelta(minutes=30)  # a window of a million rows; its thread cannot be cut off


@dataclass(frozen=True)
class Judged:
    """A window's rows and figures, before they are said."""

    row: DeclaredRow
    window: Window
    versions: list[int]
    predictions: int
    truths: int
    newest: datetime
    figures: Figures


class Watch:
    """Looks at every model apart from the others; the arithmetic runs in a thread, outside the transaction."""

    def __init__(self, settings: MonitorSettings, references: References) -> None:
        self._settings = settings
        self._references = references

    def loops(self) -> list[Every[Runtime, DeclaredRow]]:
        """Windows are judged, and silent models noticed."""
        often = self._settings.monitor_look_every
        judging = every(
            often,
            next_windows,
            self.judge_next,
            name="judge",
            give_up=pass_over,
            outages=(StoreAway,),
            longest=LONGEST_WINDOW,
        )
        return [judging, every(often, asked_models, note_silence, name="silence")]

    async def judge_next(self, runtime: Runtime, row: DeclaredRow) -> bool:
        """Judge the next window of a model where its time has come; whether there was one."""
        window = await next_window(runtime, row)
        if window is None:
            return False
        await self._judge(runtime, row, window)
        return True

    async def _judge(self, runtime: Runtime, row: DeclaredRow, window: Window) -> None:
        async with runtime.session() as session:
            records = Records(session)
            logged = await records.logged_between(row.model, window.start, window.end)
            truths = await records.truths_of(sorted({each.prediction_id for each in logged}))
            decisive = [each for each in logged if each.digest == logged[-1].digest]
            trained = await session.get(TrainedRow, logged[-1].digest)
        event = trained.event if trained else None
        reference = await self._reference(event)
        measured = await asyncio.to_thread(self._measure, row, decisive, truths, event, reference)
        judged = _judged(row, window, logged, truths, measured, event)
        async with runtime.work(ACTOR) as work:
            await say(work, judged)
        gauges.show(judged.figures)

    async def _reference(self, trained: TrainingCompleted | None) -> pd.DataFrame | None:
        return await self._references.get(trained.reference) if trained else None

    def _measure(
        self,
        row: DeclaredRow,
        logged: Sequence[LoggedRow],
        truths: dict[tuple[str, int], object],
        trained: TrainingCompleted | None,
        reference: pd.DataFrame | None,
    ) -> Measured:
        sample = sample_of(logged, truths)
        return measure(sample, row.parsed(), trained, reference, self._settings.monitor_threads)


async def next_windows(runtime: Runtime) -> Mapping[str, DeclaredRow]:
    """The models that may have a window to judge, by the number of that window and of the declaration."""
    async with runtime.session() as session:
        rows = await Records(session).active()
    return {f"{row.model}/{row.revision}/window-{row.windows + 1}": row for row in rows if row.revision}


async def next_window(runtime: Runtime, row: DeclaredRow) -> Window | None:
    """The next window of a model, once it is over and its truth has had its time to come."""
    declared, clock = row.parsed(), row.clock
    async with runtime.session() as session:
        oldest = await Records(session).first_after(row.model, row.judged_until)
    if oldest is None or clock is None:
        return None
    start, end = window_of(declared.monitoring.every, oldest)
    if not matured(end, declared, clock.now(runtime.clock())):
        return None
    return Window(number=row.windows + 1, start=start, end=end)


async def pass_over(work: Work, seen: DeclaredRow, _reason: str) -> None:
    """Go on with the window after one that cannot be judged."""
    records = Records(work.session)
    row, oldest = await records.declared(seen.model), await records.first_after(seen.model, seen.judged_until)
    if row is None or oldest is None or row.windows != seen.windows:
        return
    _, end = window_of(row.parsed().monitoring.every, oldest)
    row.windows, row.judged_until = row.windows + 1, end
    work.session.add(row)


async def asked_models(runtime: Runtime) -> Mapping[str, DeclaredRow]:
    """The models that were asked, and are not known to be silent."""
    async with runtime.session() as session:
        rows = await Records(session).active()
    asked = (row for row in rows if row.revision and row.arrived is not None and row.silent_since is None)
    return {f"{row.model}/{row.revision}": row for row in asked}


async def note_silence(runtime: Runtime, row: DeclaredRow) -> None:
    """Say once when a model that should be asked is not."""
    freshness = row.parsed().monitoring.freshness
    if freshness is None or row.arrived is None:
        return
    silence = runtime.clock() - row.arrived
    if silence > parse_duration(freshness):
        async with runtime.work(ACTOR) as work:
            await say_silence(work, row.model, silence.total_seconds())


async def say(work: Work, judged: Judged) -> None:
    """Say what a window shows, once: the row of the window and what is said commit together."""
    row = await Records(work.session).declared(judged.row.model)
    if row is None or row.windows >= judged.window.number:
        return  # another copy of this service was faster
    row.windows, row.judged_until = judged.window.number, judged.window.end
    event = _evaluated(judged)
    figures = event.model_dump(mode="json", exclude_none=True)
    window = judged.window
    work.session.add(row)
    work.session.add(
        WindowRow(
            model=row.model,
            number=window.number,
            start=window.start,
            end=window.end,
            judged_at=work.now,
            figures=figures,
        )
    )
    work.emit(event)
    await _say_findings(work, row, judged.figures)
    work.emit(_scheduled(row, window))


async def say_silence(work: Work, model: str, seconds: float) -> None:
    """Nobody has asked the model for too long."""
    row = await Records(work.session).declared(model)
    if row is None or row.silent_since is not None:
        return
    row.silent_since = work.now
    work.session.add(row)
    alert = derive_id(model, "freshness", str(row.arrived), 0)
    message = f"no prediction was asked for {seconds:,.0f} seconds; look whether callers still reach the model"
    work.emit(AlertRaised(model=model, alert=alert, kind="freshness", severity="warning", message=message))


async def _say_findings(work: Work, row: DeclaredRow, figures: Figures) -> None:
    declared = row.parsed()
    found = findings(figures, declared)
    for finding in found:
        work.emit(finding.event)
        work.emit(alert_of(finding, figures))
    asked = await work.session.get(AskedRow, (row.model, figures.version))
    cause = must_retrain([finding.kind for finding in found], declared, asked.at if asked else None, work.now)
    if cause is not None:
        await _ask(work, asked, figures, found)


async def _ask(work: Work, asked: AskedRow | None, figures: Figures, found: Sequence[Finding]) -> None:
    reason = "; ".join(finding.message for finding in found)
    asked = asked or AskedRow(model=figures.model, version=figures.version, at=work.now, reason=reason)
    asked.at, asked.reason = work.now, reason
    work.session.add(asked)
    work.emit(TrainingRequested(model=figures.model, reason=reason, data="newer"))


def _judged(
    row: DeclaredRow,
    window: Window,
    logged: Sequence[LoggedRow],
    truths: dict[tuple[str, int], object],
    measured: Measured,
    trained: TrainingCompleted | None,
) -> Judged:
    newest = logged[-1]
    figures = Figures(
        model=row.model,
        version=newest.version,
        window=window,
        truths=len(truths),
        drift=measured.drift,
        drift_share=measured.drift_share,
        metrics=measured.metrics,
        reference=trained.metrics if trained else {},
        fairness=measured.fairness,
    )
    return Judged(
        row=row,
        window=window,
        versions=sorted({each.version for each in logged}),
        predictions=sum(each.rows for each in logged),
        truths=len(truths),
        newest=newest.time,
        figures=figures,
    )


def _evaluated(judged: Judged) -> WindowEvaluated:
    figures = judged.figures
    return WindowEvaluated(
        model=judged.row.model,
        window=judged.window,
        versions=judged.versions,
        version=figures.version,
        predictions=judged.predictions,
        truths=judged.truths,
        drift=[*figures.drift],
        drift_share=figures.drift_share,
        metrics=figures.metrics,
        reference=figures.reference,
        fairness=[*figures.fairness],
        freshness_s=(judged.window.end - judged.newest).total_seconds(),
    )


def _scheduled(row: DeclaredRow, window: Window) -> EvaluationScheduled:
    declared = row.parsed()
    start, end = window_of(declared.monitoring.every, window.end)
    due = end + parse_duration(declared.monitoring.truth.matures_after)
    return EvaluationScheduled(model=row.model, window=Window(number=window.number + 1, start=start, end=end), due=due)
