"""What a running program uses, and what it says: read from outside, whatever it does."""

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from headrace.frameworks.own import Said

_LINE, _READ = 64 << 10, 1 << 20  # bytes of one line, and of what is read at once
_NAME, _MESSAGE = 100, 500  # characters
_MOST_NAMES = 200  # different metrics of a run
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Events:
    """The file of events, read as it grows; a line that says nothing is counted, and passed over."""

    def __init__(self, path: Path, hear: Callable[[Said], None]) -> None:
        self._path, self._hear = path, hear
        self._at, self._rest = 0, b""
        self._names: set[str] = set()
        self.odd = 0
        """Lines that could not be understood."""

    def read(self) -> Iterator[Said]:
        """What has been said since; checkpoints are handed back, everything else is heard."""
        while data := self._more():
            *lines, self._rest = (self._rest + data).split(b"\n")
            if len(self._rest) > _LINE:
                self._rest, self.odd = b"", self.odd + 1
            for said in filter(None, map(self._said, lines)):
                if said.checkpoint is None:
                    self._hear(said)
                else:
                    yield said

    def _more(self) -> bytes:
        try:
            with open_plain(self._path) as file:
                file.seek(self._at)
                data = file.read(_READ)
        except OSError:
            return b""
        self._at += len(data)
        return data

    def _said(self, line: bytes) -> Said | None:
        try:
            [(what, told)] = json.loads(line).items()
            return {"progress": _progress, "metric": self._metric, "checkpoint": _checkpoint}[what](told)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            self.odd += 1
            return None

    def _metric(self, told: Mapping[str, Any]) -> Said | None:
        name, value = str(told["name"])[:_NAME], float(told["value"])
        self._names.add(name)
        if not math.isfinite(value) or len(self._names) > _MOST_NAMES:
            raise ValueError(name)
        return Said(step=_whole(told.get("step", 0)), metrics={name: value})


def _progress(told: Mapping[str, Any]) -> Said:
    message = told.get("message")
    return Said(_whole(told["step"]), _whole(told["of"]), str(message)[:_MESSAGE] if message else None)


def _checkpoint(told: Mapping[str, Any]) -> Said:
    metrics = {str(name)[:_NAME]: float(value) for name, value in (told.get("metrics") or {}).items()}
    if not all(map(math.isfinite, metrics.values())) or len(metrics) > _MOST_NAMES:
        raise ValueError("metrics")
    return Said(step=_whole(told.get("step", 0)), metrics=metrics, checkpoint=str(told["path"]))


def _whole(value: Any) -> int:
    number = int(value)
    if not 0 <= number < 2**53:
        raise ValueError(number)
    return number


def open_plain(path: Path) -> BinaryIO:
    """A regular file for reading; what is a link, a pipe or a device raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not os.path.isfile(f"/proc/self/fd/{descriptor}"):  # noqa: PTH113  by the descriptor, not by the name
        os.close(descriptor)
        raise OSError(f"{path.name} is no regular file")
    return os.fdopen(descriptor, "rb")


def size_of(folder: Path) -> int:
    """Bytes on disk below a folder; what goes away meanwhile, or cannot be read, is passed over."""
    total, pending = 0, [folder]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for each in entries:
                with contextlib.suppress(OSError):
                    total += each.stat(follow_symlinks=False).st_blocks * 512
                    if each.is_dir(follow_symlinks=False):
                        pending.append(Path(each.path))
    return total


def memory_of(root: int) -> int:
    """Resident bytes of a process and of all that it has started, as far as they are below it."""
    parents, resident = {}, {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  names alone, four times a second
        if entry.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                parents[int(entry)], resident[int(entry)] = int(fields[1]), int(fields[21]) * _PAGE
    below = {root}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(resident.get(each, 0) for each in below)
