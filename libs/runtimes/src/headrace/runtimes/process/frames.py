"""Frames over two pipes: four bytes of length, the highest first, then as many bytes of JSON; each with a deadline."""

import os
import select
import time

LARGEST = 64 << 20  # bytes of a frame: a batch of 1,000 rows x 2,000 numbers is 20 MB
_READ = 1 << 20
_HEAD = 4


class Late(Exception):
    """The other side did not read or write in time."""


class Ended(Exception):
    """The other side closed its end."""


class Garbled(Exception):
    """What came is no frame."""


class Frames:
    """The two ends of the pipes to one child; one thread at a time."""

    def __init__(self, writes: int, reads: int) -> None:
        """Take over two descriptors."""
        self._writes, self._reads = writes, reads
        self._came = bytearray()
        for fd in (writes, reads):
            os.set_blocking(fd, False)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(writes, select.POLLOUT)
        self._readable.register(reads, select.POLLIN)

    def send(self, body: bytes, deadline: float) -> None:
        """Write a frame; raises Late, Ended."""
        left = memoryview(len(body).to_bytes(_HEAD, "big") + body)
        while left:
            try:
                left = left[os.write(self._writes, left) :]
            except BlockingIOError:
                _wait(self._writable, deadline)
            except OSError as error:
                raise Ended from error

    def receive(self, deadline: float) -> bytes:
        """Read a frame; raises Late, Ended, Garbled."""
        length = int.from_bytes(self._take(_HEAD, deadline), "big")
        if length > LARGEST:
            raise Garbled(f"a frame of {length} bytes; at most {LARGEST} are read, so what it wrote may be no frame")
        return self._take(length, deadline)

    def close(self) -> None:
        """Close both ends."""
        os.close(self._writes)
        os.close(self._reads)

    def _take(self, count: int, deadline: float) -> bytes:
        while len(self._came) < count:
            _wait(self._readable, deadline)
            self._came += self._read()
        taken = bytes(self._came[:count])
        del self._came[:count]
        return taken

    def _read(self) -> bytes:
        try:
            data = os.read(self._reads, _READ)
        except BlockingIOError:
            return b""
        if not data:
            raise Ended
        return data


def _wait(poll: select.poll, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise Late
