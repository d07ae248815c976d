"""A service's database is locked, has no room left, or is restored from an older copy."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.faults
ROOM_MB = 24


@pytest.mark.parametrize("service", ["registry", "trainer", "monitor", "audit"])
def test_locked(rig: Any, service: str, trial: Any, judged: Any) -> None:
    """Another program holds the file for longer than a writer waits: nothing is acknowledged meanwhile."""
    load = trial().start()
    load.sent(0.2)
    with sqlite3.connect(rig.database(service), isolation_level=None, timeout=30) as other:
        other.execute("BEGIN EXCLUSIVE")
        rig.until(
            lambda: {"handling", "outbox", "database"} & set(rig.problems(service)) or service == "audit", "trouble"
        )
        load.finish()
        other.execute("ROLLBACK")
    judged("database locked by another program", load)


@pytest.mark.parametrize("service", ["registry", "trainer", "monitor"])
def test_restored_from_an_older_copy(rig: Any, service: str, trial: Any, judged: Any, tmp_path: Path) -> None:
    """The service notices, and handles again what the copy does not know."""
    before = trial().run()
    rig.quiet()
    copy = tmp_path / "copy.db"
    with sqlite3.connect(rig.database(service)) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    load = trial().run()
    rig.quiet()
    rig.stop(service)
    for old in rig.database(service).parent.glob(f"{service}.db*"):
        old.unlink()
    shutil.copy(copy, rig.database(service))
    rig.start(service)
    rig.ready(service)
    judged("database restored from an older copy", load)
    judged("database restored from an older copy", before, trials=0)


@pytest.mark.parametrize("service", ["registry", "monitor"])
def test_disk_full(rig: Any, service: str, trial: Any, judged: Any) -> None:
    """No commit, no acknowledgement; when there is room again all goes on by itself."""
    with _small_disk(rig, service) as disk:
        load = trial().start()
        load.sent(0.2)
        filler = disk / "filler"
        _fill(filler)
        rig.until(lambda: {"handling", "outbox"} & set(rig.problems(service)), f"{service} says that its disk is full")
        load.finish()
        filler.unlink()
        judged("database's disk full", load)


@contextmanager
def _small_disk(rig: Any, service: str) -> Iterator[Path]:
    """The service's data on a file system of their own."""
    folder, aside = rig.layout.data(service), rig.layout.data(f"{service}-aside")
    rig.stop(service)
    shutil.copytree(folder, aside)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        shutil.rmtree(aside)
        rig.start(service)
        pytest.skip("a small disk is a tmpfs, and mounting one takes root: " + mounted.stderr.decode().strip())
    shutil.copytree(aside, folder, dirs_exist_ok=True)
    rig.start(service)
    rig.ready(service)
    try:
        yield folder
    finally:
        rig.stop(service)
        shutil.rmtree(aside)
        shutil.copytree(folder, aside)
        subprocess.run(["umount", str(folder)], check=True)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        shutil.rmtree(aside)
        rig.start(service)
        rig.ready(service)


def _fill(file: Path) -> None:
    """Until nothing fits any more."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while out.write(b"\0" * size):
                    pass
            except OSError:
                continue
