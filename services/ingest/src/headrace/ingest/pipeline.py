"""One file's way: spool, source to the store, checks and Parquet, then one transaction that makes the version.

Objects come first and the event last. What a crash leaves behind are objects that nothing refers to.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import defaultdict
from collections.abc import AsyncIterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import structlog
from sqlalchemy.exc import IntegrityError

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import Runtime
from headrace.contracts import (
    DatasetRejected,
    Envelope,
    ObjectRef,
    Part,
    Violation,
)
from headrace.faults import point
from headrace.ingest.domain import (
    Incompatible,
    columns_of,
    next_version,
)
from headrace.ingest.engine import Accepted, Options, Rejected, convert
from headrace.ingest.manifest import Manifests
from headrace.ingest.profiles import DATASETS, Profile, Profiles
from headrace.ingest.sources import stated_format
from headrace.ingest.tables import RejectionRow, Repository, VersionRow, version_of
from headrace.ingest.terms import Terms, terms_of
from headrace.ingest.version_records import Made
from headrace.ingest.violations import TYPE, Violations, reason, told, without_nulls
from headrace.objects import ObjectStore

UPLOADS = "uploads"
STORE = "objects"  # as readiness names it
BUFFER = 1 << 20  # bytes hashed and written at once, in a thread
log = structlog.get_logger()


@dataclass(frozen=True)
class Task:
    """What to ingest, and in whose name."""

    dataset: str
    mode: str
    actor: str
    format: str | None = None
    content_type: str | None = None
    source_name: str | None = None
    cause: Envelope | None = None
    correlation: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True)
class Spooled:
    """A file on this machine's disk, with its digest."""

    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Answer:
    """What became of a file. `created` is false where the newest version already has it."""

    dataset: str
    sha256: str
    rows: int
    version: int = 0
    digest: str = ""
    added_rows: int = 0
    created: bool = False
    rejected: int = 0  # offending rows
    reason: str | None = None
    violations: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> Literal["done", "rejected"]:
        """How it ended."""
        return "done" if self.reason is None else "rejected"


async def spool(chunks: AsyncIterable[bytes], path: Path, largest: int | None = None) -> Spooled:
    """Write a stream to disk while its digest is computed; memory holds a megabyte of it.

    Raises Refused where it is larger than `largest` bytes.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        waiting = bytearray()

        def flush() -> None:
            digest.update(waiting)
            file.write(waiting)

        async for chunk in chunks:
            waiting += chunk
            size += len(chunk)
            if largest is not None and size > largest:
                raise Refused(f"the file is larger than {largest:,} bytes; send it in parts")
            if len(waiting) >= BUFFER:
                await asyncio.to_thread(flush)
                waiting.clear()
        flush()
    point("ingest.spooled")
    return Spooled(path, digest.hexdigest(), size)


class Ingestion:
    """Turns files into dataset versions, one at a time for each dataset."""

    def __init__(self, store: ObjectStore, options: Options, folder: Path, at_once: int = 2) -> None:
        self.store, self.options, self.folder = store, options, folder
        self.manifests, self.profiles = Manifests(store), Profiles(store)
        self._room = asyncio.Semaphore(at_once)
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def workspace(self) -> TemporaryDirectory[str]:
        """A folder of its own for one file, removed behind it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(dir=self.folder)

    def busy(self, dataset: str) -> bool:
        """Whether a file of this dataset is being worked on."""
        return self._turns[dataset].locked()

    async def ingest(self, runtime: Runtime, task: Task, file: Spooled, finish: JobEnd | None = None) -> Answer:
        """Take a spooled file through; `finish` joins the transaction that makes it true."""
        async with self._turns[task.dataset], self._room:
            runtime.must_answer(STORE)  # whoever waited behind one that hung need not hang as well
            return await _Delivery(self, runtime, task, file, finish).run()

    async def give_up(self, work: UnitOfWork, task: Task, why: str, finish: JobEnd) -> None:
        """Say that a file could not be read at all; there is nothing of it to refer to."""
        answer = Answer(task.dataset, "", 0, reason=why, violations=[])
        work.session.add(_rejection(task, answer, None, work))
        work.emit(_rejected(task, answer, None))
        await finish.write(work, answer)


class JobEnd:
    """Something to be written in the transaction that ends a delivery; by default nothing."""

    async def write(self, work: UnitOfWork, answer: Answer) -> None:
        """Write it."""


class _Overtaken(Exception):
    """Another process has made a version of the dataset meanwhile."""


class _Delivery:
    def __init__(
        self, ingestion: Ingestion, runtime: Runtime, task: Task, file: Spooled, finish: JobEnd | None
    ) -> None:
        self.runtime, self.store, self.options = runtime, ingestion.store, ingestion.options
        self.manifests, self.profiles = ingestion.manifests, ingestion.profiles
        self.task, self.file, self.finish = task, file, finish or JobEnd()

    async def run(self) -> Answer:
        """The whole way, from its beginning again where another process was faster."""
        try:
            return await self._run()
        except _Overtaken:
            log.info("ingestion_overtaken", dataset=self.task.dataset)
            return await self.run()  # each time somebody else has made a version: this ends

    async def _run(self) -> Answer:
        """The whole way; also the short one, where the newest version has the file already."""
        async with self.runtime.session() as session:
            repository = Repository(session)
            newest = await repository.newest(self.task.dataset)
            if newest is not None and await repository.is_known(newest, self.file.sha256, self.task.mode):
                known: VersionRow | None = newest
            else:
                known = None
            terms = await terms_of(repository, self.task.dataset)
        return await self._known(known) if known is not None else await self._new(newest, terms)

    async def _new(self, newest: VersionRow | None, terms: Terms) -> Answer:
        source, result = await self._convert(terms)
        if isinstance(result, Rejected):
            return await self._reject(source, result.violations, result.rows)
        try:
            return await self._accept(source, result, newest, terms)
        except Incompatible as fault:
            violations = Violations(keep=1)
            violations.add(TYPE, str(fault), rows=result.rows)
            return await self._reject(source, violations, result.rows)

    async def _convert(self, terms: Terms) -> tuple[ObjectRef, Accepted | Rejected]:
        """Upload the source while it is checked; the slower of the two decides."""
        form = stated_format(self.task.format, self.task.content_type, self.task.source_name)
        out = self.file.path.with_name("out.parquet")
        stop = threading.Event()
        upload = asyncio.create_task(self.store.put(UPLOADS, self.file.path, sha256=self.file.sha256))
        work = asyncio.to_thread(convert, self.file.path, form, terms.rules, out, self.options, stop, terms.wording)
        converting = asyncio.create_task(work)
        try:
            await asyncio.wait([converting, upload], return_when=asyncio.FIRST_EXCEPTION)
            if upload.done():
                upload.result()  # a store that fails ends the work at once, not when all is checked
            result = await asyncio.shield(converting)
            point("ingest.converted")
            return await upload, terms.ordered(result, self.options.keep)
        finally:
            stop.set()
            upload.cancel()
            await asyncio.wait([converting])  # it reads and writes files that are removed behind it

    async def _known(self, row: VersionRow) -> Answer:
        answer = Answer(self.task.dataset, self.file.sha256, row.rows, row.version, row.digest, warnings=row.warnings)
        async with self._work() as work:
            await self.finish.write(work, answer)
        return answer

    async def _accept(self, source: ObjectRef, result: Accepted, newest: VersionRow | None, terms: Terms) -> Answer:
        part = Part(
            object=await self.store.put(DATASETS, result.path),
            rows=result.rows,
            source=source,
            source_name=self.task.source_name,
            profile=await self.profiles.put(await asyncio.to_thread(Profile(result.rows, result.profile).as_json)),
            ingested_at=self.runtime.clock(),
        )
        version = next_version(
            version_of(newest) if newest else None,
            self.task.dataset,
            part,
            columns_of(result.rules),
            self.task.mode,
        )
        before = newest if version.parts > 1 else None
        grown = await self.manifests.add(ObjectRef(**before.manifest) if before else None, part)
        point("ingest.stored")
        made = Made(version, self.task.mode, part, grown, result, terms, newest)
        try:
            async with self._work() as work:
                return await self._write(work, made)
        except IntegrityError as error:
            if await self._newest_number() == made.after:
                raise
            raise _Overtaken from error

    async def _newest_number(self) -> int | None:
        async with self.runtime.session() as session:
            return await Repository(session).newest_number(self.task.dataset)

    async def _write(self, work: UnitOfWork, made: Made) -> Answer:
        """One transaction: the version, its event, the contract that its file made, the end of its job."""
        repository, terms = Repository(work.session), made.terms
        if await repository.newest_number(self.task.dataset) != made.after:
            raise _Overtaken
        if terms.rules is None:
            rules = made.result.rules
            await repository.put_contract(
                self.task.dataset, rules, terms.wording, origin="inferred", by=self.task.actor, at=work.now
            )
        known = made.newest.revision if made.newest else 0
        setters = await repository.contract_authors(self.task.dataset, known, terms.revision)
        warnings = told(made.result.warnings, "warnings")
        row = made.row(work, warnings)
        work.session.add(row)
        work.emit(made.event(setters, warnings))
        answer = Answer(
            row.dataset,
            self.file.sha256,
            row.rows,
            row.version,
            row.digest,
            added_rows=row.added_rows,
            created=True,
            warnings=warnings,
        )
        await self.finish.write(work, answer)
        return answer

    async def _reject(self, source: ObjectRef, violations: Violations, rows: int) -> Answer:
        found = told(violations, "violations")
        answer = Answer(
            self.task.dataset,
            self.file.sha256,
            rows,
            rejected=violations.rows,
            reason=reason(violation.as_dict() for violation in violations),
            violations=found,
        )
        async with self._work() as work:
            work.session.add(_rejection(self.task, answer, source, work))
            work.emit(_rejected(self.task, answer, source))
            await self.finish.write(work, answer)
        return answer

    def _work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return _work(self.runtime, self.task)


def _work(runtime: Runtime, task: Task) -> AbstractAsyncContextManager[UnitOfWork]:
    """A transaction in the name of who asked, as a consequence of what was asked."""
    return runtime.work(task.actor, traceparent=task.traceparent, correlationid=task.correlation, cause=task.cause)


def _rejection(task: Task, answer: Answer, source: ObjectRef | None, work: UnitOfWork) -> RejectionRow:
    return RejectionRow(
        dataset=task.dataset,
        reason=str(answer.reason),
        source=source.model_dump(mode="json", exclude_none=True) if source else None,
        source_name=task.source_name,
        rows=answer.rows,
        violations=answer.violations,
        by=work.actor,
        at=work.now,
    )


def _rejected(task: Task, answer: Answer, source: ObjectRef | None) -> DatasetRejected:
    return DatasetRejected(
        dataset=task.dataset,
        reason=str(answer.reason),
        source=source,
        source_name=task.source_name,
        rows=answer.rows,
        violations=[Violation.model_validate(without_nulls(violation)) for violation in answer.violations],
    )
