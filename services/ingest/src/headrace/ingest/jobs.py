"""Files that were asked for by events: worked on in the background, and taken up again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import col, or_, select, update

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import Runtime, Unavailable
from headrace.chassis.every import Every, every
from headrace.contracts import ObjectPlace, decode
from headrace.ingest.pipeline import Answer, Ingestion, JobEnd, Task, spool
from headrace.ingest.settings import IngestSettings
from headrace.ingest.tables import JobRow
from headrace.objects import Missing, ObjectStore, StoreAway

POLL = timedelta(seconds=1)  # between looks at the table, for jobs that another process queued or let go
LONGEST = timedelta(hours=12)  # for one file; the largest takes minutes
OPEN = ("queued", "running")
log = structlog.get_logger()


class _Ends(JobEnd):
    """Closes the job in the very transaction that makes the version."""

    def __init__(self, job: str) -> None:
        self._job = job

    async def write(self, work: UnitOfWork, answer: Answer) -> None:
        """Mark the job."""
        done = update(JobRow).where(col(JobRow.id) == self._job)
        await work.session.exec(done.values(state=answer.state, answer=asdict(answer), lease=None))


class Jobs:
    """Works on queued jobs, oldest first, a few at a time and one at a time for each dataset."""

    def __init__(self, settings: IngestSettings, store: ObjectStore, ingestion: Ingestion) -> None:
        self._settings, self._store, self._ingestion = settings, store, ingestion
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look at the table soon: a job has been queued."""
        self._awake.set()

    def loop(self) -> Every[Runtime, JobRow]:
        """The loop: a job that fails again and again is set aside and rejected, the others go on meanwhile."""
        return every(
            POLL,
            self._due,
            self._work_on,
            name="jobs",
            longest=LONGEST,
            give_up=self._give_up,
            held=self._held,
            outages=(StoreAway, Unavailable),
            at_once=self._settings.ingest_at_once,
            wake=self._awake,
        )

    async def _due(self, runtime: Runtime) -> dict[str, JobRow]:
        """The oldest open job of each dataset that no process works on."""
        now = runtime.clock()
        async with runtime.session() as session:
            query = select(JobRow).where(col(JobRow.state).in_(OPEN), _is_free(now))
            rows = (await session.exec(query.order_by(col(JobRow.created)))).all()
        first: dict[str, JobRow] = {}
        for row in rows:
            first.setdefault(row.dataset, row)
        return {row.id: row for row in first.values() if not self._ingestion.busy(row.dataset)}

    async def _held(self, runtime: Runtime) -> list[str]:
        """Jobs that a process works on, or worked on when it died: a service starts again before their leases end."""
        async with runtime.session() as session:
            return list((await session.exec(select(JobRow.id).where(col(JobRow.state).in_(OPEN)))).all())

    async def _work_on(self, runtime: Runtime, job: JobRow) -> bool:
        """Take one job to its end, unless another process has it; what fails is open again, and judged by the loop."""
        if not await self._leased(runtime, job):
            return False
        bound = log.bind(job=job.id, dataset=job.dataset)
        try:
            async with self._renewed(job, runtime):
                answer = await self._ingest(job, runtime)
        except Missing as error:
            raise Refused(f"the file could not be read: {error}") from error
        except Exception:
            await self._let_go(runtime, job)
            raise
        bound.info("job_ended", outcome=answer.state, version=answer.version, rows=answer.rows)
        return True

    async def _give_up(self, work: UnitOfWork, job: JobRow, reason: str) -> None:
        """A job that is set aside ends as rejected, in the name of who asked and as a consequence of the request."""
        task = task_of(job)
        continued = replace(
            work,
            actor=task.actor,
            cause=task.cause,
            root=f"{task.cause.id}/work" if task.cause else work.root,
            correlationid=task.correlation or (task.cause.correlationid if task.cause else None),
        )
        await self._ingestion.give_up(continued, task, reason, _Ends(job.id))

    async def _leased(self, runtime: Runtime, job: JobRow) -> bool:
        """Take a job for this process."""
        async with runtime.work("service:ingest") as work:
            mine = update(JobRow).where(col(JobRow.id) == job.id, col(JobRow.state).in_(OPEN), _is_free(work.now))
            until = work.now + self._settings.ingest_lease
            taken = await work.session.exec(mine.values(state="running", lease=until, attempts=JobRow.attempts + 1))
        return bool(taken.rowcount)

    async def _let_go(self, runtime: Runtime, job: JobRow) -> None:
        async with runtime.work("service:ingest") as work:
            mine = update(JobRow).where(col(JobRow.id) == job.id, col(JobRow.state) == "running")
            await work.session.exec(mine.values(state="queued", lease=None))

    async def _ingest(self, job: JobRow, runtime: Runtime) -> Answer:
        place = ObjectPlace(**job.source)
        with self._ingestion.workspace() as folder:
            largest = self._ingestion.options.limits.file
            file = await spool(
                self._store.read(place.bucket, place.key, place.version_id), Path(folder, "source"), largest
            )
            return await self._ingestion.ingest(runtime, task_of(job), file, _Ends(job.id))

    @asynccontextmanager
    async def _renewed(self, job: JobRow, runtime: Runtime) -> AsyncIterator[None]:
        """Keep the lease while the work goes on; where that fails, the lease runs out and the loop tries again."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._settings.ingest_lease.total_seconds() / 3)
                with suppress(Exception):
                    await self._renew(runtime, job)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, runtime: Runtime, job: JobRow) -> None:
        async with runtime.work("service:ingest") as work:
            mine = update(JobRow).where(col(JobRow.id) == job.id, col(JobRow.state) == "running")
            await work.session.exec(mine.values(lease=work.now + self._settings.ingest_lease))


def _is_free(now: datetime) -> Any:
    return or_(col(JobRow.lease).is_(None), col(JobRow.lease) < now)


def task_of(job: JobRow) -> Task:
    """What a stored job asks for."""
    return Task(
        dataset=job.dataset,
        mode=job.mode,
        actor=job.actor,
        format=job.format,
        source_name=job.source_name,
        cause=decode(job.cause.encode()) if job.cause else None,
        correlation=job.correlation,
        traceparent=job.traceparent,
    )
