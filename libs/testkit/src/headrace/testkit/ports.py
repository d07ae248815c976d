"""Free ports that stay free until their server listens, and servers that are ready.

A port that the kernel names and takes back at once may be somebody else's before the server listens: another test
process asks the same kernel, and every connection that anybody opens takes one too. So each test process has stretches
of ports of its own, below those that connections take, held by locks that end with the process.
"""

import fcntl
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

# above what a Ray of its own gives to workers (10,002 to 19,999), below what Linux gives to connections (from 32,768);
# a stretch holds one embedded stack
FIRST, LAST, STRETCH = 20_000, 32_700, 200


class Stretches:
    """The ports of this process: each stretch is locked for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: list[IO[bytes]] = []
        self._ports: list[int] = []
        self._next = 0
        self._lock = Lock()

    def stretch(self) -> int:
        """The first of 200 ports that no other test process uses, and nobody listens on."""
        for first in range(FIRST, LAST, STRETCH):
            lock = self._locked(first)
            if lock is not None and all(map(_is_free, range(first, first + STRETCH))):
                self._locks.append(lock)
                return first
        raise RuntimeError(f"no {STRETCH} free ports together between {FIRST} and {LAST}")

    def ports(self, many: int) -> list[int]:
        """Free ports, all different; a port comes again after all others of this process, and only if it is free."""
        with self._lock:
            turn = self._turn()
            return [next(turn) for _ in range(many)]

    def _turn(self) -> Iterator[int]:
        tried = 0
        while True:
            if tried == len(self._ports):
                first = self.stretch()
                self._next = len(self._ports)
                self._ports.extend(range(first, first + STRETCH))
            port = self._ports[self._next]
            self._next = (self._next + 1) % len(self._ports)
            tried += 1
            if _is_free(port):
                yield port

    def _locked(self, first: int) -> IO[bytes] | None:
        self._folder.mkdir(exist_ok=True)
        lock = (self._folder / f"{first}.lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        return lock


_OURS = Stretches(Path(tempfile.gettempdir()) / f"headrace-ports-{os.getuid()}")


def free_ports(many: int) -> list[int]:
    """Ports of the loopback interface that nobody uses and no other test process gets, all different."""
    return _OURS.ports(many)


def free_stretch() -> int:
    """The first of 200 ports in a row, as a whole stack takes them."""
    return _OURS.stretch()


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, within: float = 30) -> None:
    """Wait for a server; its log is the error where it ends, or is not ready in time."""
    end = time.monotonic() + within
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise RuntimeError(f"{process.args!r} is not ready:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.005)


def _is_free(port: int) -> bool:
    """As a server sees it: one that lately closed its connections may listen again at once."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
