"""The outbox of a replica, which has no database: what it says lies in files until the broker has it.

A frame is written before the answer that it tells of is sent, with one write(2) and no fsync: it outlives the
process (kill -9 included) but not a loss of power. Frames are read back in order, published, and forgotten once
acknowledged. Ids make a frame that is published twice, after a crash between acknowledgement and mark, harmless.

Layout of the folder: `<number>.log` segments of frames, and `cursor`, which holds (segment, offset) of what is next.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from headrace.faults import point

_HEAD = struct.Struct("<IIHH")  # crc of the rest, length of payload, of subject, of id
_CURSOR = struct.Struct("<QQ")
_READ = 512 * 1024  # bytes read at once: some three hundred predictions, one atomic batch


class WriteAheadLogFull(Exception):
    """The bound is reached, or the disk refuses: nothing more can be kept until the broker takes some."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message that waits to be published."""

    subject: str
    id: str
    payload: bytes


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where the next unpublished frame begins."""

    segment: int
    offset: int


class WriteAheadLog:
    """Append on one side, read and forget on the other. For one thread; one process a folder."""

    def __init__(self, folder: Path, *, bound: int, segment: int = 16 << 20) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._bound = bound
        self._segment_size = segment
        self._cursor_file = os.open(folder / "cursor", os.O_RDWR | os.O_CREAT, 0o600)
        self._reader: tuple[int, int] | None = None
        self.place = self._recover()
        self.appended = 0
        self.refused = 0

    # writing

    def append(self, subject: str, id: str, payload: bytes) -> None:
        """Keep a message; raises WriteAheadLogFull."""
        subject_bytes, id_bytes = subject.encode(), id.encode()
        rest = b"".join((subject_bytes, id_bytes, payload))
        frame = _HEAD.pack(crc32(rest), len(payload), len(subject_bytes), len(id_bytes)) + rest
        if self.size + len(frame) > self._bound:
            self.refused += 1
            raise WriteAheadLogFull(f"{self.size} bytes wait for the broker; the bound is {self._bound}")
        self._write(frame)
        self.appended += 1

    @property
    def room(self) -> bool:
        """Whether another large message would still fit."""
        return self.size + (1 << 20) <= self._bound

    @property
    def empty(self) -> bool:
        """Whether everything has been published."""
        return self.size == 0

    # reading

    def read(self) -> tuple[list[Frame], Place]:
        """The next frames, and the place after them; no frames where all is published."""
        if self.empty:
            return [], self.place
        data = os.pread(self._open(self.place.segment), _READ, self.place.offset)
        frames, used = _frames(data)
        if not frames and data and _needed(data) > len(data):
            data = os.pread(self._open(self.place.segment), _needed(data), self.place.offset)
            frames, used = _frames(data)
        if frames:
            return frames, Place(self.place.segment, self.place.offset + used)
        return self._next_segment()

    def forget(self, place: Place) -> None:
        """Everything before `place` is published."""
        # What is left behind in a segment that was torn by a crash leaves with it.
        for number in range(self.place.segment, place.segment):
            self._drop(number)
        self.size = self._size_after(place)
        self.place = place
        os.pwrite(self._cursor_file, _CURSOR.pack(place.segment, place.offset), 0)

    def close(self) -> None:
        """Give the files back; what is unpublished stays on disk."""
        os.close(self._writer)
        os.close(self._cursor_file)
        if self._reader:
            os.close(self._reader[1])

    # files

    def _recover(self) -> Place:
        """Find what an earlier process left; always write to a segment of our own, behind a frame that may be torn."""
        self._sizes = {int(path.stem): path.stat().st_size for path in sorted(self._folder.glob("*.log"))}
        saved = os.pread(self._cursor_file, _CURSOR.size, 0)
        place = Place(*_CURSOR.unpack(saved)) if len(saved) == _CURSOR.size else Place(0, 0)
        newest = max(self._sizes, default=-1)
        self._start(max(newest, place.segment) + 1)
        oldest = min(self._sizes)
        place = place if place.segment in self._sizes else Place(oldest, 0)
        for number in [n for n in self._sizes if n < place.segment]:
            self._drop(number)
        self.size = self._size_after(place)
        return place

    def _start(self, number: int) -> None:
        self._current = number
        self._sizes[number] = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._writer = os.open(self._path(number), flags, 0o600)

    def _write(self, frame: bytes) -> None:
        if self._sizes[self._current] >= self._segment_size:
            os.close(self._writer)
            self._start(self._current + 1)
        try:
            written = os.write(self._writer, frame)
        except OSError as error:
            raise WriteAheadLogFull(f"cannot write: {error.strerror}") from error
        if written != len(frame):
            os.ftruncate(self._writer, self._sizes[self._current])
            raise WriteAheadLogFull("the disk is full")
        point("wal.written")
        self._sizes[self._current] += written
        self.size += written

    def _next_segment(self) -> tuple[list[Frame], Place]:
        """Past the end of a segment, or past a frame that a crash tore."""
        later = [number for number in self._sizes if number > self.place.segment]
        if not later:
            return [], self.place
        self.forget(Place(min(later), 0))
        return self.read()

    def _open(self, number: int) -> int:
        if self._reader is None or self._reader[0] != number:
            if self._reader:
                os.close(self._reader[1])
            self._reader = (number, os.open(self._path(number), os.O_RDONLY))
        return self._reader[1]

    def _drop(self, number: int) -> None:
        self._sizes.pop(number, None)
        self._path(number).unlink(missing_ok=True)

    def _size_after(self, place: Place) -> int:
        return sum(size for number, size in self._sizes.items() if number >= place.segment) - place.offset

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010d}.log"


def _needed(data: bytes) -> int:
    """Bytes of the first frame, told by its head."""
    if len(data) < _HEAD.size:
        return len(data)
    _, payload, subject, name = _HEAD.unpack_from(data)
    return int(_HEAD.size + payload + subject + name)


def _frames(data: bytes) -> tuple[list[Frame], int]:
    """Whole, undamaged frames at the beginning of `data`, and how many bytes they take."""
    frames: list[Frame] = []
    at = 0
    while at + _HEAD.size <= len(data):
        crc, payload, subject, name = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size
        end = begin + subject + name + payload
        if end > len(data) or crc32(data[begin:end]) != crc:
            break
        frames.append(_frame(data[begin:end], subject, subject + name))
        at = end
    return frames, at


def _frame(data: bytes, subject: int, head: int) -> Frame:
    return Frame(data[:subject].decode(), data[subject:head].decode(), data[head:])
