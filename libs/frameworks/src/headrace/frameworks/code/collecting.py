"""Taking over what a program has written: plain files alone, without following any link, whatever changes meanwhile."""

import os
import shutil
import stat
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
    to.mkdir(parents=True)
    place = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            place, above = os.open(part, _FOLDER, dir_fd=place), place
            os.close(above)
        _take(place, parts[-1], to)
    except OSError as error:
        raise Foreign(f"{name} cannot be read: {error.strerror}") from error
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
