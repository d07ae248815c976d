"""Getting a version into memory: from the disk's cache or the object store, never without checking every byte.

The cache is keyed by the artifact's digest, so that a replica starts without the object store, and what was changed
on the disk is found out and fetched again.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

import structlog

from headrace.contracts import Artifact, File, Route
from headrace.deployer.serving.errors import Refusal
from headrace.deployer.serving.versions import Loaded
from headrace.frameworks import FrameworkError, load_onnx, refuse_pickle
from headrace.objects import Corrupt, Missing, digest_of

log = structlog.get_logger()

_MARK = ".used"
_BLOCK = 1 << 20


class Directories(Protocol):
    """What is needed of the object store."""

    async def get_directory(self, artifact: Artifact, to: Path) -> Path:
        """Fetch a model directory, every file checked against its digest."""
        ...


class Loader:
    """Loads versions; keeps the newest `keep` directories that nobody uses any more."""

    def __init__(self, store: Directories, cache: Path, *, keep: int = 20) -> None:
        self._store = store
        self._cache = cache
        self._keep = keep

    async def load(self, model: str, route: Route) -> Loaded:
        """A version, warmed up; raises Refusal where it is not what was approved."""
        if not route.artifact.digest == route.digest == digest_of(route.artifact.files):
            raise Refusal(f"the files that its route lists are not those of digest {route.digest[:12]}")
        folder = self._cache / route.digest
        if not await asyncio.to_thread(_intact, folder, route.artifact.files):
            await self._fetch(route.artifact, folder)
        loaded = await asyncio.to_thread(_read, folder, route)
        await asyncio.to_thread(self._tidy, route.digest)
        return loaded

    async def _fetch(self, artifact: Artifact, folder: Path) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix=".fetch-", dir=self._cache))
        try:
            fetched = await self._store.get_directory(artifact, staging / "model")
            await asyncio.to_thread(_check_fetched, fetched, artifact)
            await asyncio.to_thread(_replace, fetched, folder)
        except (Corrupt, Missing) as error:
            raise Refusal(str(error)) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)

    def _tidy(self, used: str) -> None:
        """Mark what is used, and drop the directories that were not used for longest."""
        (self._cache / used / _MARK).touch()
        marks = sorted(self._cache.glob(f"*/{_MARK}"), key=lambda mark: mark.stat().st_mtime, reverse=True)
        for mark in marks[self._keep :]:
            shutil.rmtree(mark.parent, ignore_errors=True)


def _read(folder: Path, route: Route) -> Loaded:
    try:
        refuse_pickle(folder)
        predictor = load_onnx(folder)
    except FrameworkError as error:
        raise Refusal(str(error)) from error
    if predictor.signature != route.signature:
        raise Refusal("the model's own signature is not the one that was registered")
    loaded = Loaded(route.version, route.digest, predictor)
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
