"""The watch: closes windows when their time has come, and says what they show of each version."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import Runtime
from headrace.contracts import VersionRegistered, Window
from headrace.monitor import gauges
from headrace.monitor.announcements import Judged, Seen, say
from headrace.monitor.declarations import Declarations
from headrace.monitor.domain import ACTOR, Figures, matured, window_of
from headrace.monitor.measurement import Measured, measure
from headrace.monitor.references import References
from headrace.monitor.sample import Sample, sample_of
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import DeclaredRow, LoggedRow, Repository, WindowRow
from headrace.tasks import target_of, task_named

log = structlog.get_logger()

LONGEST = timedelta(minutes=30)  # of a window of some million rows; its thread cannot be cut off
AT_ONCE = 2  # windows; each has its rows in memory


@dataclass(frozen=True)
class Due:
    """A window whose time has come, as far as could be told without judging it."""

    model: str
    number: int
    revision: int

    @property
    def key(self) -> str:
        """One attempt at one window: a new declaration may mend what kept it from being judged."""
        return f"{self.model}/window-{self.number}/revision-{self.revision}"


class Watch:
    """Judges windows; the arithmetic runs in a thread, outside the transaction."""

    def __init__(self, settings: MonitorSettings, references: References) -> None:
        self._settings = settings
        self._references = references
        self._declarations = Declarations()

    async def due(self, runtime: Runtime) -> Mapping[str, Due]:
        """The windows that can be judged now, the oldest of each model."""
        async with runtime.session() as session:
            rows = await Repository(session).asked()
        found = [
            Due(row.model, row.windows + 1, row.revision) for row, oldest in rows if self._is_due(runtime, row, oldest)
        ]
        return {each.key: each for each in found}

    async def judge(self, runtime: Runtime, due: Due) -> bool:
        """Judge one window; True, since there may be another one after it."""
        async with runtime.session() as session:
            row = await Repository(session).declared(due.model)
            oldest = await Repository(session).oldest(due.model, row.judged_until) if row else None
        if row is None or row.windows >= due.number or oldest is None:
            return False
        start, end = _window(self._declarations.of(row).monitoring.every, oldest)
        await self._judge(runtime, row, Window(number=due.number, start=start, end=end))
        return True

    async def give_up(self, work: UnitOfWork, due: Due, reason: str) -> None:
        """A window that cannot be judged is over all the same: the ones after it are judged."""
        repository = Repository(work.session)
        row = await repository.declared(due.model, lock=True)
        oldest = await repository.oldest(due.model, row.judged_until) if row else None
        if row is None or oldest is None or row.windows >= due.number:
            return
        try:
            start, end = window_of(row.parsed().monitoring.every, oldest)
        except (ValueError, ArithmeticError):  # it is the schedule that is wrong: the next declaration mends it
            return
        row.windows, row.judged_until = due.number, end
        work.session.add(row)
        work.session.add(
            WindowRow(model=row.model, number=due.number, start=start, end=end, judged_at=work.now, failed=reason)
        )

    def _is_due(self, runtime: Runtime, row: DeclaredRow, oldest: datetime | None) -> bool:
        """Also where it cannot be told: what is wrong is found out when the window is judged, apart from the others."""
        if oldest is None or row.clock is None:
            return False
        try:
            declared = self._declarations.of(row)
            _, end = window_of(declared.monitoring.every, oldest)
            return matured(end, declared, row.clock.now(runtime.clock()))
        except Exception as error:
            log.debug("window_cannot_be_told", model=row.model, error=str(error))
            return True

    async def _judge(self, runtime: Runtime, row: DeclaredRow, window: Window) -> None:
        moment = runtime.clock()
        async with runtime.session() as session:
            repository = Repository(session)
            logged = await repository.logged_between(row.model, window.start, window.end)
            truths = await repository.truths_of(row.model, sorted({each.prediction_id for each in logged}))
            known = {each.digest: each.facts for each in await repository.versions(row.model)}
        versions = _by_version(logged)
        found = [
            await self._version(row, window, sorted(versions), answers, truths, known.get(answers[-1].digest))
            for _, answers in sorted(versions.items())
        ]
        seen = Seen(moment, sum(each.rows for each in logged), truths)
        async with runtime.work(ACTOR) as work:
            await say(work, Judged(row.model, self._declarations.of(row), window, found, seen))
        for figures in found:
            gauges.show(figures)

    async def _version(
        self,
        row: DeclaredRow,
        window: Window,
        versions: Sequence[int],
        answers: Sequence[LoggedRow],
        truths: Mapping[tuple[str, int], Any],
        known: VersionRegistered | None,
    ) -> Figures:
        declared = self._declarations.of(row)
        target = target_of(known.signature) if known else task_named(declared.task).bare(declared.task_options or {})
        reference = await self._references.get(known.reference) if known and known.reference else None

        def measured() -> tuple[Sample, Measured]:
            sample = sample_of(answers, truths, target)
            return sample, measure(sample, declared, known, reference, self._settings.monitor_threads)

        sample, found = await asyncio.to_thread(measured)
        return Figures(
            model=row.model,
            version=answers[0].version,
            route=_route(answers),
            window=window,
            versions=versions,
            predictions=len(sample.truth),
            truths=sample.truths,
            newest=answers[-1].time,
            drift=found.drift,
            drift_share=found.drift_share,
            metrics=found.metrics,
            reference=known.metrics if known else {},
            fairness=found.fairness,
            not_judged=found.not_judged,
        )


def _window(schedule: str, moment: datetime) -> tuple[datetime, datetime]:
    """As `window_of`; raises Refused where the schedule makes no windows, which no second try mends."""
    try:
        return window_of(schedule, moment)
    except (ValueError, ArithmeticError) as error:
        told = f"monitoring.every is {schedule!r}, which makes no windows ({error}); apply a declaration that does"
        raise Refused(told) from error


def _by_version(logged: Sequence[LoggedRow]) -> Mapping[int, list[LoggedRow]]:
    """The answers of each version."""
    found: dict[int, list[LoggedRow]] = defaultdict(list)
    for each in logged:
        found[each.version].append(each)
    return found


def _route(answers: Sequence[LoggedRow]) -> str:
    """The role in which a version answered most rows."""
    rows: dict[str, int] = defaultdict(int)
    for each in answers:
        rows[each.route] += each.rows
    return max(rows, key=lambda route: rows[route])
