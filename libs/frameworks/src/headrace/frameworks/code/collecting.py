"""Taking over what a program has written: plain files alone, without following any link, whatever changes meanwhile."""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

_MOST_FILES = 10_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Foreign(ValueError):
    """There is something that cannot be taken over; the message names it."""


def collect(root: Path, name: str, to: Path) -> None:
    """Copy the file or folder `name` below `root` to `to`, a folder that is not there yet; raises Foreign."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise Foreign(f"{name!r} is no path inside the run's folder")
    try:
        to.mkdir(parents=True)
        with _opened(root, parts[:-1]) as place:
            _take(place, parts[-1], to)
    except OSError as error:
        raise Foreign(f"{name} cannot be taken over: {error.strerror}") from error


def discard(root: Path, below: str, name: str) -> None:
    """Remove what lies under the path `name` in the folder `below` of `root`; what lies elsewhere stays."""
    parts = PurePosixPath(name).parts
    if len(parts) != 2 or parts[0] != below or parts[1] == "..":
        return
    with suppress(OSError), _opened(root, parts[:1]) as place:
        if stat.S_ISDIR(os.stat(parts[1], dir_fd=place, follow_symlinks=False).st_mode):
            shutil.rmtree(parts[1], ignore_errors=True, dir_fd=place)
        else:
            os.unlink(parts[1], dir_fd=place)


@contextmanager
def _opened(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """A folder below another one, reached without following any link."""
    place = os.open(root, _FOLDER)
    try:
        for part in parts:
            place, above = os.open(part, _FOLDER, dir_fd=place), place
            os.close(above)
        yield place
    finally:
        os.close(place)


def _take(place: int, name: str, to: Path) -> None:
    kind = os.stat(name, dir_fd=place, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(kind):
        _file(place, name, to / name)
        return
    taken = 0
    for at, folders, files, inside in os.fwalk(name, dir_fd=place, follow_symlinks=False):
        target = to / PurePosixPath(at).relative_to(name)
        for each in folders:
            (target / each).mkdir()
        for each in files:
            _file(inside, each, target / each)
        taken += len(files)
        if taken > _MOST_FILES:
            raise Foreign(f"{name} has more than {_MOST_FILES:,} files")


def _file(place: int, name: str, to: Path) -> None:
    """One plain file; a link is told by the kernel (ELOOP), a pipe or a device by its kind."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=place)
    except OSError as error:
        raise Foreign(f"{name} is a link or cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Foreign(f"{name} is no plain file")
        with to.open("xb") as out:
            shutil.copyfileobj(file, out)
