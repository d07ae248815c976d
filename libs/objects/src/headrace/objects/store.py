"""The same store in coroutines: each call runs in a thread, streams hand over block by block.

The threads are the store's own, so that a server that hangs keeps nobody else's work waiting.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from headrace.contracts import Artifact, ObjectRef
from headrace.objects.errors import Denied, StoreAway
from headrace.objects.settings import ObjectSettings
from headrace.objects.spool import spooled
from headrace.objects.sync import Found, SyncObjectStore

T = TypeVar("T")
THREADS = 8  # calls at a time
LOOK_S = 2.0  # for a word about an object, of whoever has a transaction open meanwhile
PROBE = "headrace-probe"  # an object that is never written


class ObjectStore:
    """Content-addressed, write-once, verified on read; see SyncObjectStore for what each call promises."""

    def __init__(self, settings: ObjectSettings) -> None:
        self.sync = SyncObjectStore(settings)
        self._probe = SyncObjectStore(
            settings.model_copy(update={"read_timeout_s": settings.probe_timeout_s, "retries": 0})
        )
        self._threads = ThreadPoolExecutor(THREADS, "objects")

    async def probe(self, bucket: str) -> None:
        """See whether the store answers, in a few seconds at most; raises StoreAway where it does not.

        It is asked about an object, so that more than its front door must work. That the answer is no, or that the
        identity may not ask, is an answer all the same.
        """
        with suppress(Denied):
            await asyncio.to_thread(self._probe.stat, bucket, PROBE)

    def bucket(self, name: str) -> str:
        """The full name of a bucket."""
        return self.sync.bucket(name)

    async def put(
        self,
        bucket: str,
        data: bytes | Path | AsyncIterator[bytes],
        *,
        key: str | None = None,
        content_type: str = "application/octet-stream",
        sha256: str | None = None,
    ) -> ObjectRef:
        """Write once and return the reference."""
        if isinstance(data, (bytes, Path)):
            return await self._call(
                lambda: self.sync.put(bucket, data, key=key, content_type=content_type, sha256=sha256)
            )
        async with spooled(data) as path:
            return await self._call(lambda: self.sync.put(bucket, path, key=key, content_type=content_type))

    async def get(self, ref: ObjectRef) -> bytes:
        """The whole content, verified."""
        return await self._call(lambda: self.sync.get(ref))

    def stream(self, ref: ObjectRef) -> AsyncIterator[bytes]:
        """The content in blocks, verified at the end."""
        return self._blocks(self.sync.stream(ref))

    def read(self, bucket: str, key: str, version_id: str | None = None) -> AsyncIterator[bytes]:
        """The content in blocks of an object whose digest nobody knows yet."""
        return self._blocks(self.sync.read(bucket, key, version_id))

    async def download(self, ref: ObjectRef, to: Path) -> Path:
        """Write the content to a file, which appears only when it is whole and right."""
        return await self._call(lambda: self.sync.download(ref, to))

    async def stat(self, bucket: str, key: str) -> Found | None:
        """Whether an object is there, and how big."""
        return await self._call(lambda: self.sync.stat(bucket, key))

    async def may_be_there(self, bucket: str, key: str, within_s: float = LOOK_S) -> bool:
        """Whether an object is there, for whoever must answer soon, such as within a transaction.

        One that may not be looked at is none. Where the store is away, or does not say in time, it may be there:
        whoever reads it finds out.
        """
        try:
            async with asyncio.timeout(within_s):
                return await self.stat(bucket, key) is not None
        except Denied:
            return False
        except (StoreAway, TimeoutError):
            return True

    async def list(self, bucket: str, prefix: str = "") -> list[Found]:
        """Every object whose key begins with `prefix`."""
        return await self._call(lambda: [*self.sync.list(bucket, prefix)])

    async def remove(self, bucket: str, key: str, version_id: str | None = None) -> None:
        """Remove an object, or one version of it."""
        await self._call(lambda: self.sync.remove(bucket, key, version_id))

    def presign(self, ref: ObjectRef, expires: timedelta = timedelta(minutes=15)) -> str:
        """A URL that reads the object without a key, until it expires."""
        return self.sync.presign(ref, expires)

    async def put_directory(self, bucket: str, folder: Path, *, prefix: str) -> Artifact:
        """Write every file of a folder."""
        return await self._call(lambda: self.sync.put_directory(bucket, folder, prefix=prefix))

    async def get_directory(self, artifact: Artifact, to: Path) -> Path:
        """Fetch a model directory, every file verified."""
        return await self._call(lambda: self.sync.get_directory(artifact, to))

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def _blocks(self, blocks: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
        try:
            while (block := await self._call(lambda: next(blocks, None))) is not None:
                yield block
        finally:
            blocks.close()  # who stops early gives the connection back


def object_store(settings: ObjectSettings) -> ObjectStore:
    """The store that the settings name."""
    return ObjectStore(settings)
