"""Getting a version into memory: from the disk's cache or the object store, never without checking every byte.

The cache is keyed by the artifact's digest, so that a replica starts without the object store, and what was changed
on the disk is found out and fetched again. What a route table names stays on the disk; reading it has threads of its
own, so that it never waits for a store that hangs.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import structlog

from headrace.contracts import Artifact, File, Route
from headrace.inference.errors import Refusal
from headrace.inference.route_table import Loaded
from headrace.objects import Corrupt, Missing, digest_of
from headrace.runtimes import BadModel, load, starts_slowly

log = structlog.get_logger()

T = TypeVar("T")
FETCHES = 4  # at a time, of the eight threads of the store's client
STARTS = 16  # programs that start at a time: one that never says hello holds one of them for a minute
_MARK = ".used"
_BLOCK = 1 << 20


class Directories(Protocol):
    """What is needed of the object store."""

    async def probe(self, bucket: str) -> None:
        """Raise StoreAway where it does not answer."""
        ...

    async def get_directory(self, artifact: Artifact, to: Path) -> Path:
        """Fetch a model directory, every file checked against its digest."""
        ...


class Loader:
    """Loads versions; keeps the directories that are routed, and the newest `keep` of those that are not."""

    def __init__(
        self,
        store: Directories,
        cache: Path,
        *,
        routed: Callable[[], Collection[str] | None],
        keep: int = 20,
        threads: int = 2,
        ignore_unknown: bool = False,
    ) -> None:
        """`routed` answers the digests that route tables name; None while the tables are not all known."""
        self._store = store
        self._cache = cache
        self._routed = routed
        self._keep = keep
        self._ignore_unknown = ignore_unknown
        self._threads = ThreadPoolExecutor(threads, "load")
        self._starts = ThreadPoolExecutor(STARTS, "start")  # of programs, which nothing else waits for
        self._fetching = asyncio.Semaphore(FETCHES)
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by digest

    async def load(self, model: str, route: Route) -> Loaded:
        """A version, warmed up; raises Refusal where it is not what was approved."""
        if not route.artifact.digest == route.digest == digest_of(route.artifact.files):
            raise Refusal(f"the files that its route lists are not those of digest {route.digest[:12]}")
        # two models may be routed to one artifact: the second must not take the folder away that the first reads
        async with self._loading.setdefault(route.digest, asyncio.Lock()):
            return await self._load(route)

    async def _load(self, route: Route) -> Loaded:
        folder = self._cache / route.digest
        if not await self._on_disk(_intact, folder, route.artifact.files):
            await self._fetch(route.artifact, folder)
        slow = await self._on_disk(_starts_slowly, folder)
        loaded = await self._on_disk(_read, folder, route, self._ignore_unknown, threads=self._starts if slow else None)
        await self._on_disk(self._tidy, route.digest)
        return loaded

    def close(self) -> None:
        """Start no more reading."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._starts.shutdown(wait=False, cancel_futures=True)

    async def _on_disk(self, work: Callable[..., T], *args: Any, threads: ThreadPoolExecutor | None = None) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads or self._threads, work, *args)

    async def _fetch(self, artifact: Artifact, folder: Path) -> None:
        async with self._fetching:
            self._cache.mkdir(parents=True, exist_ok=True)
            staging = Path(mkdtemp(prefix=".fetch-", dir=self._cache))
            try:
                fetched = await self._store.get_directory(artifact, staging / "model")
                await self._on_disk(_check_fetched, fetched, artifact)
                await self._on_disk(_replace, fetched, folder)
            except (Corrupt, Missing) as error:
                raise Refusal(str(error)) from error
            finally:
                await self._on_disk(partial(shutil.rmtree, staging, ignore_errors=True))

    def _tidy(self, used: str) -> None:
        """Mark what is used, and drop what no table names and was not used for longest."""
        (self._cache / used / _MARK).touch()
        routed = self._routed()
        if routed is None:
            return
        marks = [mark for mark in self._cache.glob(f"*/{_MARK}") if mark.parent.name not in routed]
        marks.sort(key=lambda mark: mark.stat().st_mtime, reverse=True)
        for mark in marks[self._keep :]:
            shutil.rmtree(mark.parent, ignore_errors=True)


def _starts_slowly(folder: Path) -> bool:
    try:
        return starts_slowly(folder)
    except BadModel as error:
        raise Refusal(str(error)) from error


def _read(folder: Path, route: Route, ignore_unknown: bool) -> Loaded:
    try:
        model = load(folder)
    except BadModel as error:
        raise Refusal(str(error)) from error
    own, registered = model.signature, route.signature
    if (own.inputs, own.outputs) != (registered.inputs, registered.outputs):
        model.close()
        raise Refusal("the model's own signature is not the one that was registered")
    loaded = Loaded(route.version, route.digest, model, registered, ignore_unknown=ignore_unknown)
    try:
        loaded.warm_up()
    except Exception as error:  # the runtime's own errors have no common base
        raise Refusal(f"it does not answer: {error}") from error
    return loaded


def _check_fetched(folder: Path, artifact: Artifact) -> None:
    if not _intact(folder, artifact.files):
        raise Refusal(f"the files of {artifact.prefix} are not those of digest {artifact.digest[:12]}")


def _intact(folder: Path, files: Sequence[File]) -> bool:
    """Whether a folder holds exactly these files, byte for byte."""
    if not folder.is_dir():
        return False
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != _MARK}
    if there != {file.path for file in files}:
        return False
    return all(_sha256(folder / file.path) == file.sha256 for file in files)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _replace(fetched: Path, folder: Path) -> None:
    """Move a fetched directory to its place, in place of a damaged one."""
    if folder.exists():
        log.warning("cached_model_was_damaged", folder=folder.name)
        shutil.rmtree(folder)
    fetched.replace(folder)
