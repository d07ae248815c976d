"""The audit of the lock: what counts as a hole, and that no network is no failure."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HOLE = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.2.4"], "description": "bad"}
FOUND = {
    "dependencies": [
        {"name": "good", "version": "1.0", "vulns": []},
        {"name": "bad", "version": "1.2.3", "vulns": [HOLE]},
        {"name": "unheard", "skip_reason": "not found"},
    ]
}


@pytest.fixture(scope="module")
def audit() -> Any:
    """The program."""
    place = importlib.util.spec_from_file_location("headrace_audit", ROOT / "infra" / "audit.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


def test_a_hole_is_told_with_the_version_that_mends_it(audit: Any) -> None:
    """One line each; what the database does not know is named apart."""
    assert audit.holes(FOUND) == ["bad 1.2.3: PYSEC-2026-1, mended in 1.2.4"]
    assert audit.unseen(FOUND) == ["unheard"]


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-1"])
def test_what_does_not_concern_us_is_ignored_by_any_of_its_names(audit: Any, name: str) -> None:
    """With a reason beside it."""
    assert audit.holes(FOUND, [name]) == []
    assert all(audit.IGNORED.values())


def test_a_database_that_cannot_be_asked_is_told_and_no_failure(audit: Any, tmp_path: Path) -> None:
    """Nobody listens on the port; or somebody who is not the database answers."""
    (tmp_path / "other.json").write_text('{"hello": "world"}')

    assert "refused" in audit.unreachable("http://127.0.0.1:9/pypi/pip/json")
    assert audit.unreachable((tmp_path / "other.json").as_uri()) == "it answers with something else"
