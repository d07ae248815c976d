"""Packages of code: an archive is checked, written anew, stored, and becomes a version that an event tells of."""

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import Runtime
from headrace.code.archive import Limits, Package, normal
from headrace.code.errors import BadPackage
from headrace.code.scratch import scratch
from headrace.contracts import CodePushed, ObjectRef
from headrace.objects import ObjectStore
from headrace.trainer.tables import CodePackageRow, Repository
from headrace.trainer.uploads import spooled

_HEADERS = 4096  # bytes of a tar archive beside the content of each file, at most
_TURNS = 5  # how often a push is tried that another one of the same package has overtaken


@dataclass(frozen=True)
class Pushed:
    """A version of a package; `created` is false where the newest version already was the same."""

    row: CodePackageRow
    created: bool


@dataclass(frozen=True)
class Origin:
    """Where a folder was, as its sender says: a commit of git, and whether the folder differed from it."""

    commit: str | None = None
    dirty: bool | None = None


class _Overtaken(Exception):
    """Another push of the same package has taken the number."""


class Packages:
    """Takes archives in, one after the other in memory, any number on disk."""

    def __init__(self, store: ObjectStore, bucket: str, limits: Limits) -> None:
        self._store, self._bucket, self._limits = store, bucket, limits

    async def push(
        self, runtime: Runtime, name: str, archive: AsyncIterable[bytes], origin: Origin, by: str, trace: str | None
    ) -> Pushed:
        """Make an archive the newest version of a package; the same files again change nothing. Raises Refused."""
        with scratch("headrace-upload-") as folder:
            package = await self._checked(archive, folder)
            stored = await self._store.put(
                self._bucket, package.archive, content_type="application/x-tar", sha256=package.sha256
            )
        for _ in range(_TURNS):
            try:
                async with runtime.work(by, traceparent=trace) as work:
                    return await _keep(work, name, package, stored, origin)
            except _Overtaken:
                continue
        raise Refused(f"others push {name!r} all the time; push it again")

    async def _checked(self, archive: AsyncIterable[bytes], folder: Path) -> Package:
        path = folder / "sent.tar"
        most = self._limits.size + self._limits.files * _HEADERS
        await spooled(archive, path, most, f"the archive is larger than {most:,} bytes; ignore what is no code")
        try:
            return await asyncio.to_thread(normal, path, folder, self._limits)
        except BadPackage as error:
            raise Refused(f"the package is refused: {error}") from error


async def _keep(work: UnitOfWork, name: str, package: Package, stored: ObjectRef, origin: Origin) -> Pushed:
    newest = await Repository(work.session).package(name)
    if newest is not None and newest.digest == package.sha256:
        return Pushed(newest, created=False)
    row = CodePackageRow(
        package=name,
        version=newest.version + 1 if newest else 1,
        digest=package.sha256,
        object=stored.model_dump(mode="json", exclude_none=True),
        files=[vars(each) for each in package.members],
        size=package.size,
        commit=origin.commit,
        dirty=origin.dirty,
        by=work.actor,
        at=work.now,
    )
    work.session.add(row)
    try:
        await work.session.flush()
    except IntegrityError as error:
        raise _Overtaken from error
    told = {"package": name, "version": row.version, "object": stored, "files": len(row.files), "size": row.size}
    work.emit(CodePushed.model_validate({**told, "commit": row.commit, "dirty": row.dirty, "by": work.actor}))
    return Pushed(row, created=True)
