"""Temporary files in memory: most of what a test with a service waits for is a disk that makes commits durable."""

import os
from collections.abc import MutableMapping
from pathlib import Path

SHARED = Path("/dev/shm")
ROOM = 4 << 30  # bytes; a run of `make test` holds up to 400 MB


def suitable(folder: Path, room: int = ROOM) -> bool:
    """Whether there is room, and programs may be run from it: a container may share a few MB only."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize >= room and not about.f_flag & os.ST_NOEXEC


def use_memory(environment: MutableMapping[str, str], folder: Path = SHARED, room: int = ROOM) -> None:
    """Let pytest make its temporary folders there, where that is suitable and nobody has said where they belong."""
    if suitable(folder, room):
        environment.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


__all__ = ["suitable", "use_memory"]
