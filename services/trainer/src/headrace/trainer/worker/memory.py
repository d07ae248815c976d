"""A limit on what one job may allocate, so that a greedy model gets a MemoryError and its neighbours get nothing."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def at_most(more_bytes: int) -> Iterator[None]:
    """Let this process allocate so much beyond what it has now; restored at the end.

    RLIMIT_DATA counts heap and private anonymous memory (Linux 4.7 and later), and not the object store and
    libraries that a Ray worker maps.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = allocated() + more_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def allocated() -> int:
    """What RLIMIT_DATA counts of this process, in bytes."""
    return _status("VmData")


def resident() -> int:
    """Memory of this process that lies in RAM, in bytes."""
    return _status("VmRSS")


def peak_resident() -> int:
    """The most memory of this process that ever lay in RAM, in bytes."""
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024
