"""Folders for the time of one piece of work, which do not stay when its process is killed."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

_LOCK = ".lock"


@dataclass(frozen=True)
class Held:
    """A private folder of this process."""

    path: Path
    _lock: IO[bytes]
    """Held for as long as the folder is in use: what nobody holds was left by a process that was killed."""

    def remove(self) -> None:
        """Remove it with all that it holds; what cannot be removed is left for the next sweep."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def held(prefix: str, root: Path | None = None) -> Held:
    """Make a folder below `root`, by default the folder for temporary files.

    Those of the same prefix that killed processes left there are removed first, for they may fill the disk.
    """
    root = root or Path(tempfile.gettempdir())
    sweep(prefix, root)
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    return Held(path, _locked(path / _LOCK, "xb"))


@contextmanager
def scratch(prefix: str, root: Path | None = None) -> Iterator[Path]:
    """A folder as `held` makes it, which is removed at the end."""
    folder = held(prefix, root)
    try:
        yield folder.path
    finally:
        folder.remove()


def sweep(prefix: str, root: Path) -> None:
    """Remove what processes left that were killed; what belongs to other users is not touched."""
    for lock in root.glob(f"{prefix}*/{_LOCK}"):
        with contextlib.suppress(OSError), _locked(lock, "r+b"):
            shutil.rmtree(lock.parent, ignore_errors=True)


def _locked(path: Path, mode: str) -> IO[bytes]:
    """Hold a lock; raises BlockingIOError where somebody does. The system lets go of it when the process ends."""
    file = cast("IO[bytes]", path.open(mode))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file
