"""Small disks that can be filled."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(
    folder: Path, room_mb: int, *, before: Callable[[], object], after: Callable[[], object]
) -> Iterator[None]:
    """A folder on a file system of its own. Who uses it is stopped `before` it moves, and started `after` it has."""
    aside = folder.with_name(f"{folder.name}-aside")
    before()
    shutil.copytree(folder, aside)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room_mb}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        shutil.rmtree(aside)
        after()
        pytest.skip("a small disk is a tmpfs, and mounting one takes root: " + mounted.stderr.decode().strip())
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    after()
    try:
        yield
    finally:
        before()
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
        subprocess.run(["umount", str(folder)], check=True)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)
        after()


def fill(file: Path) -> None:
    """Until nothing fits any more."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while out.write(b"\0" * size):
                    pass
            except OSError:
                continue
