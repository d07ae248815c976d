"""Files of tests lie in memory where that is said, and where there is room; else on the disk."""

import os
import sys
from pathlib import Path

import pytest

from headrace.testkit.memory import SHARED, suitable, use_memory

PLACE = "PYTEST_DEBUG_TEMPROOT"


def test_a_folder_with_room_is_suitable(tmp_path: Path) -> None:
    """Where no more is asked than there is."""
    assert suitable(tmp_path, room=1)


def test_a_folder_without_room_is_not(tmp_path: Path) -> None:
    """A container shares 64 MB where nothing else is said."""
    assert not suitable(tmp_path, room=1 << 62)


def test_what_is_no_folder_is_not_suitable(tmp_path: Path) -> None:
    """Other systems have no such folder."""
    assert not suitable(tmp_path / "absent", room=1)


def test_where_programs_may_not_be_run_files_stay_on_the_disk() -> None:
    """Tests put programs into their folders."""
    assert not any(suitable(Path(place), room=1) for place in _places_without_programs())


def test_pytest_is_told_the_folder(tmp_path: Path) -> None:
    """By the variable that it reads."""
    told: dict[str, str] = {}
    use_memory(told, tmp_path, room=1)
    assert told == {PLACE: str(tmp_path)}


def test_who_has_said_where_is_not_overruled(tmp_path: Path) -> None:
    """Somebody may look for what a test left."""
    told = {PLACE: "/elsewhere"}
    use_memory(told, tmp_path, room=1)
    assert told == {PLACE: "/elsewhere"}


def test_nothing_is_told_where_the_folder_does_not_serve(tmp_path: Path) -> None:
    """The disk does."""
    told: dict[str, str] = {}
    use_memory(told, tmp_path / "absent", room=1)
    assert told == {}


@pytest.mark.skipif(os.environ.get("TEST_FILES") != "memory", reason="`make test` says so, and this run does not")
def test_a_run_uses_memory_where_it_is_told_to(tmp_path: Path) -> None:
    """And there is room."""
    assert tmp_path.is_relative_to(os.environ[PLACE] if suitable(SHARED) else "/")


def _places_without_programs() -> list[str]:
    """Where something is mounted that says so."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines()) if sys.platform == "linux" else ()
    return [mount[1] for mount in mounts if "noexec" in mount[3].split(",")]
