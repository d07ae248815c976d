"""Files that were asked for by events: worked on in the background, and taken up again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import structlog
from sqlmodel import col, or_, select, update

from headrace.bus import Work
from headrace.bus.store import is_outage
from headrace.chassis import Runtime
from headrace.contracts import ObjectPlace, decode
from headrace.ingest.settings import IngestSettings
from headrace.ingest.tables import JobRow
from headrace.ingest.work import Answer, Ingestion, JobEnd, Task, spool
from headrace.objects import Missing, ObjectStore, StoreAway

POLL = 1.0  # seconds between looks at the table, for jobs that another process queued or let go
ATTEMPTS = 5
log = structlog.get_logger()


class _Ends(JobEnd):
    """Closes the job in the very transaction that makes the version."""

    def __init__(self, job: str) -> None:
        self._job = job

    async def write(self, work: Work, answer: Answer) -> None:
        """Mark the job."""
        done = update(JobRow).where(col(JobRow.id) == self._job)
        await work.session.exec(done.values(state=answer.state, answer=asdict(answer), lease=None))


class Jobs:
    """Takes queued jobs, oldest first, a few at a time and one at a time for each dataset."""

    def __init__(self, settings: IngestSettings, store: ObjectStore) -> None:
        self._settings, self._store = settings, store
        self._awake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look at the table soon: a job has been queued."""
        self._awake.set()

    async def run(self, runtime: Runtime, ingestion: Ingestion) -> None:
        """Work for ever; what is running when the service stops is begun anew at the next start.

        An outage of the database ends this loop, and the service starts it again; the work goes on meanwhile.
        """
        try:
            while True:
                await self._take_up(runtime, ingestion)
                await self._rest()
        except asyncio.CancelledError:  # the service stops
            ingestion.stop.set()
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            raise

    async def _take_up(self, runtime: Runtime, ingestion: Ingestion) -> None:
        self._running = {task for task in self._running if not task.done()}
        while len(self._running) < self._settings.ingest_at_once and (job := await self._claim(runtime, ingestion)):
            self._running.add(asyncio.create_task(self._work_on(job, runtime, ingestion)))

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._awake.wait(), POLL)
        except TimeoutError:
            return
        finally:
            self._awake.clear()

    async def _claim(self, runtime: Runtime, ingestion: Ingestion) -> JobRow | None:
        """The next job that may run, leased to this process."""
        async with runtime.work("service:ingest") as work:
            free = or_(col(JobRow.lease).is_(None), col(JobRow.lease) < work.now)
            query = select(JobRow).where(
                col(JobRow.state).in_(["queued", "running"]), JobRow.not_before <= work.now, free
            )
            for job in (await work.session.exec(query.order_by(col(JobRow.created)).limit(20))).all():
                if not ingestion.busy(job.dataset) and await self._lease(work, job):
                    return job
        return None

    async def _lease(self, work: Work, job: JobRow) -> bool:
        until = work.now + self._settings.ingest_lease
        mine = update(JobRow).where(
            col(JobRow.id) == job.id,
            col(JobRow.state) == job.state,
            col(JobRow.lease).is_(None) if job.lease is None else col(JobRow.lease) == job.lease,
        )
        taken = await work.session.exec(mine.values(state="running", lease=until, attempts=job.attempts + 1))
        return bool(taken.rowcount)

    async def _work_on(self, job: JobRow, runtime: Runtime, ingestion: Ingestion) -> None:
        bound = log.bind(job=job.id, dataset=job.dataset, attempt=job.attempts)
        try:
            async with self._renewed(job, runtime):
                answer = await self._ingest(job, runtime, ingestion)
            bound.info("job_ended", outcome=answer.state, version=answer.version, rows=answer.rows)
        except Exception as error:
            bound.warning("job_failed", error=repr(error))
            if _is_hopeless(error, job):
                await ingestion.give_up(runtime, task_of(job), f"the file could not be read: {error}", _Ends(job.id))
            else:
                await self._later(job, runtime)
        finally:
            self.wake()

    async def _ingest(self, job: JobRow, runtime: Runtime, ingestion: Ingestion) -> Answer:
        place = ObjectPlace(**job.source)
        with ingestion.workspace() as folder:
            file = await spool(self._store.read(place.bucket, place.key, place.version_id), Path(folder, "source"))
            return await ingestion.ingest(runtime, task_of(job), file, _Ends(job.id))

    @asynccontextmanager
    async def _renewed(self, job: JobRow, runtime: Runtime) -> AsyncIterator[None]:
        """Keep the lease while the work goes on."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._settings.ingest_lease.total_seconds() / 3)
                async with runtime.work("service:ingest") as work:
                    mine = update(JobRow).where(col(JobRow.id) == job.id, col(JobRow.state) == "running")
                    await work.session.exec(mine.values(lease=work.now + self._settings.ingest_lease))

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()

    async def _later(self, job: JobRow, runtime: Runtime) -> None:
        """Try again after a wait that doubles: the store or the database is away, and comes back."""
        wait = min(self._settings.ingest_retry * 2 ** min(job.attempts, 10), self._settings.ingest_retry_most)
        async with runtime.work("service:ingest") as work:
            again: datetime = work.now + wait
            mine = update(JobRow).where(col(JobRow.id) == job.id, col(JobRow.state) == "running")
            await work.session.exec(mine.values(state="queued", lease=None, not_before=again))


def _is_hopeless(error: Exception, job: JobRow) -> bool:
    """Whether trying again is of no use: the object is gone, or we fail over it each time; an outage ends."""
    if isinstance(error, StoreAway) or is_outage(error):
        return False
    return isinstance(error, Missing) or job.attempts >= ATTEMPTS


def task_of(job: JobRow) -> Task:
    """What a stored job asks for."""
    return Task(
        dataset=job.dataset,
        mode="replace" if job.mode == "replace" else "append",
        actor=job.actor,
        format=job.format,
        source_name=job.source_name,
        cause=decode(job.cause.encode()) if job.cause else None,
        correlation=job.correlation,
        traceparent=job.traceparent,
    )
