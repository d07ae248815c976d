"""Completeness: which sequence numbers of each stream a log holds, and which are missing between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hole:
    """Sequence numbers `first` to `last` of a stream that the log does not hold.

    `noticed` is when the broker received the message after them, in RFC 3339.
    """

    stream: str
    first: int
    last: int
    noticed: str

    @property
    def where(self) -> str:
        """The place in words."""
        return f"{self.stream} {self.first}" + (f"..{self.last}" if self.last > self.first else "")


@dataclass
class _Range:
    first: int
    last: int
    received: str  # of the first


@dataclass
class Sequences:
    """The numbers seen so far as ranges: memory grows with the holes, not with the messages."""

    streams: dict[str, list[_Range]] = field(default_factory=dict)

    def add(self, stream: str, seq: int, received: str) -> bool:
        """Note a number; False where it was there already."""
        ranges = self.streams.setdefault(stream, [])
        at = bisect_right(ranges, seq, key=lambda each: each.first)
        before = ranges[at - 1] if at else None
        if before is not None and seq <= before.last:
            return False
        after = ranges[at] if at < len(ranges) else None
        joins_before = before is not None and before.last + 1 == seq
        joins_after = after is not None and after.first == seq + 1
        if joins_before and before is not None:
            before.last = after.last if joins_after and after is not None else seq
            if joins_after:
                del ranges[at]
        elif joins_after and after is not None:
            after.first, after.received = seq, received
        else:
            ranges.insert(at, _Range(seq, seq, received))
        return True

    def holes(self) -> Iterator[Hole]:
        """Every hole, from number 1 of each stream to the highest number seen."""
        for stream, ranges in self.streams.items():
            end = 0
            for each in ranges:
                if each.first > end + 1:
                    yield Hole(stream, end + 1, each.first - 1, each.received)
                end = each.last
