"""A service's database is locked, has no room left, or is restored from an older copy."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from disks import fill, small_disk

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
    disk, filler = rig.layout.data(service), rig.layout.data(service) / "filler"

    def again() -> None:
        rig.start(service)
        rig.ready(service)

    with small_disk(disk, ROOM_MB, before=lambda: rig.stop(service), after=again):
        load = trial().start()
        load.sent(0.2)
        fill(filler)
        rig.until(lambda: {"handling", "outbox"} & set(rig.problems(service)), f"{service} says that its disk is full")
        load.finish()
        filler.unlink()
        judged("database's disk full", load)
