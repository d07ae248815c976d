"""One file's way: spool, source to the store, checks and Parquet, then one transaction that makes the version.

Objects come first and the event last. What a crash leaves behind are objects that nothing refers to.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import Runtime
from headrace.contracts import (
    DatasetIngested,
    DatasetRejected,
    DataWarning,
    Envelope,
    ObjectRef,
    Part,
    Violation,
)
from headrace.faults import point
from headrace.ingest.domain import (
    Incompatible,
    Version,
    columns_of,
    next_version,
    stated_format,
)
from headrace.ingest.engine import Accepted, Options, Rejected, convert
from headrace.ingest.facts import facts_of
from headrace.ingest.profile import Column
from headrace.ingest.repository import Repository, dump, version_of
from headrace.ingest.tables import RejectionRow, VersionRow
from headrace.ingest.terms import Terms, terms_of
from headrace.ingest.violations import TYPE, Violations, reason
from headrace.objects import ObjectStore

UPLOADS, DATASETS = "uploads", "datasets"
WARNINGS = 50  # told with a version; a file of thousands of columns may have one for each
BUFFER = 1 << 20  # bytes hashed and written at once, in a thread


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
            return await _Delivery(self, runtime, task, file, finish).run()

    async def give_up(self, work: UnitOfWork, task: Task, why: str, finish: JobEnd) -> None:
        """Say that a file could not be read at all; there is nothing of it to refer to."""
        answer = Answer(task.dataset, "", 0, reason=why, violations=[])
        work.session.add(_rejection(task, answer, None, work))
        work.emit(_rejected(task, answer, None))
        await finish.write(work, answer)

    async def profile(self, row: Mapping[str, Any]) -> bytes:
        """The profile of a version, out of the store."""
        return await self.store.get(ObjectRef(**row))


class JobEnd:
    """Something to be written in the transaction that ends a delivery; by default nothing."""

    async def write(self, work: UnitOfWork, answer: Answer) -> None:
        """Write it."""


class _Delivery:
    def __init__(
        self, ingestion: Ingestion, runtime: Runtime, task: Task, file: Spooled, finish: JobEnd | None
    ) -> None:
        self.runtime, self.store, self.options = runtime, ingestion.store, ingestion.options
        self.task, self.file, self.finish = task, file, finish or JobEnd()

    async def run(self) -> Answer:
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

    async def _accept(self, source: ObjectRef, result: Accepted, row: VersionRow | None, terms: Terms) -> Answer:
        columns = columns_of(result.rules)
        object_ = await self.store.put(DATASETS, result.path)
        profile = await self._profile(result, row if self.task.mode == "append" else None)
        point("ingest.stored")
        async with self._work() as work:
            repository = Repository(work.session)
            part = Part(
                object=object_,
                rows=result.rows,
                source=source,
                source_name=self.task.source_name,
                ingested_at=work.now,
            )
            newest = version_of(row, await repository.parts(row)) if row else None
            version = next_version(newest, self.task.dataset, part, columns, self.task.mode)
            if terms.rules is None:
                await repository.put_contract(
                    self.task.dataset,
                    result.rules,
                    terms.wording,
                    origin="inferred",
                    by=self.task.actor,
                    at=work.now,
                )
            return await self._write(work, version, result, profile, row, terms)

    async def _profile(self, result: Accepted, before: VersionRow | None) -> ObjectRef:
        """The profile of the version: of this file, and of the parts before it."""
        columns = result.profile
        if before is not None:
            old = json.loads(await self.store.get(ObjectRef(**before.profile)))["columns"]
            columns = {n: Column.from_dict(old[n]).merge(c) if n in old else c for n, c in columns.items()}
        rows = result.rows + (before.rows if before else 0)
        return await self.store.put(DATASETS, _profile_json(rows, columns), content_type="application/json")

    async def _write(
        self,
        work: UnitOfWork,
        version: Version,
        result: Accepted,
        profile: ObjectRef,
        before: VersionRow | None,
        terms: Terms,
    ) -> Answer:
        (part,) = dump(version.parts[-1:])
        warnings = _told(result.warnings)
        known = before.revision if before else 0
        setters = await Repository(work.session).contract_authors(version.dataset, known, terms.revision)
        row = VersionRow(
            dataset=version.dataset,
            version=version.number,
            digest=version.digest,
            mode=self.task.mode,
            rows=version.rows,
            added_rows=result.rows,
            since=before.since if before is not None and self.task.mode == "append" else version.number,
            part=part,
            source=self.file.sha256,
            columns=dump(version.columns),
            contract=dump(result.rules),
            revision=terms.revision,
            profile=profile.model_dump(mode="json", exclude_none=True),
            warnings=warnings,
            by=work.actor,
            at=work.now,
        )
        work.session.add(row)
        work.emit(
            DatasetIngested(
                dataset=version.dataset,
                version=version.number,
                digest=version.digest,
                mode=self.task.mode,
                parts=list(version.parts),
                rows=version.rows,
                added_rows=result.rows,
                columns=list(version.columns),
                contract=list(result.rules),
                contract_by=setters,
                profile=profile,
                facts=list(facts_of(result.profile)),
                source=version.parts[-1].source,
                warnings=[DataWarning.model_validate(_without_nulls(each)) for each in warnings],
            )
        )
        answer = Answer(
            row.dataset,
            self.file.sha256,
            row.rows,
            row.version,
            row.digest,
            added_rows=result.rows,
            created=True,
            warnings=warnings,
        )
        await self.finish.write(work, answer)
        return answer

    async def _reject(self, source: ObjectRef, violations: Violations, rows: int) -> Answer:
        found = [violation.as_dict() for violation in violations]
        answer = Answer(
            self.task.dataset,
            self.file.sha256,
            rows,
            rejected=violations.rows,
            reason=reason(found),
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


def _told(warnings: Violations) -> list[dict[str, Any]]:
    """The first warnings, as the answer, the event and the version have them."""
    found = [warning.as_dict() for warning in warnings]
    if len(found) <= WARNINGS:
        return found
    more = {
        "check": "more_warnings",
        "message": f"{len(found) - WARNINGS} more warnings are not told",
        "rows": 0,
        "first": [],
    }
    return [*found[:WARNINGS], more]


def _profile_json(rows: int, columns: Mapping[str, Column]) -> bytes:
    document = {"rows": rows, "columns": {name: column.as_dict() for name, column in columns.items()}}
    return json.dumps(document, allow_nan=False).encode()


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
        violations=[Violation.model_validate(_without_nulls(violation)) for violation in answer.violations],
    )


def _without_nulls(violation: dict[str, Any]) -> dict[str, Any]:
    first = [{name: value for name, value in offence.items() if value is not None} for offence in violation["first"]]
    return violation | {"first": first}
