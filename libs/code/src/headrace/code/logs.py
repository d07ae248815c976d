"""A log that stays small, whatever is printed: its head as it comes, its end at the end, and how much was cut."""

import threading

HEAD, TAIL = 512 << 10, 128 << 10  # bytes kept of a run's log
_RECENT = 8 << 10  # bytes of the last that was printed


class BoundedLog:
    """Takes bytes; gives those of the head as they come, and what else is kept at the end."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._room, self._most = head, tail
        self._fresh, self._tail = bytearray(), bytearray()
        self._recent = b""
        self._behind = 0  # bytes beyond the head
        self._lock = threading.Lock()  # one thread reads what is printed, another keeps it

    def add(self, data: bytes) -> None:
        """Take what was printed."""
        with self._lock:
            self._recent = (self._recent + data[-_RECENT:])[-_RECENT:]
            head, rest = data[: self._room], data[self._room :]
            self._room -= len(head)
            self._fresh += head
            self._behind += len(rest)
            self._tail += rest
            if len(self._tail) > 2 * self._most:
                del self._tail[: -self._most]

    def fresh(self) -> bytes:
        """What the head has got since this was asked last."""
        with self._lock:
            found = bytes(self._fresh)
            self._fresh.clear()
            return found

    def end(self) -> bytes:
        """What is still to be kept: the rest of the head, how much was cut, and the tail."""
        with self._lock:
            tail = bytes(self._tail[-self._most :])
        cut = self._behind - len(tail)
        return self.fresh() + (f"\n... {cut:,} bytes were cut here ...\n".encode() if cut else b"") + tail

    @property
    def recent(self) -> str:
        """The last that was printed, as text: where a failure is."""
        return self._recent.decode(errors="replace")
