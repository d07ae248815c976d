"""Whether the people who must approve are there: said where somebody can do something about it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.chassis.auth import Gate, new_key, new_keys, write_keys
from headrace.registry.domain import too_few
from headrace.testkit import Harness

from .conftest import DECLARATION, waiting

NOW = datetime(2026, 1, 5, tzinfo=UTC)


async def test_approvals_that_cannot_come_together_are_warned_of(on: Harness, by: Any) -> None:
    """At apply, with the model, and with a version that waits; four people hold a key that may approve."""
    enough = await by("ann", "PUT", "/models/flights", **{**DECLARATION, "approval": {"needed": 4}})
    many = await by("ann", "PUT", "/models/flights", **{**DECLARATION, "approval": {"needed": 100}})

    assert not [each for each in enough.json()["warnings"] if each.startswith("approval.needed")]
    (told,) = [each for each in many.json()["warnings"] if each.startswith("approval.needed")]
    assert "100 people must approve, and 4 who are no author may today" in told
    assert (await on.http.get("/models/flights")).json()["warnings"] == [told]
    await waiting(on)
    assert (await on.http.get("/models/flights/versions/1")).json()["warnings"] == [told]


async def test_authors_of_a_version_are_not_among_those_who_may_approve(on: Harness, by: Any) -> None:
    """The administrator who asked for the run is one of the four, and does not count for it."""
    await by("ann", "PUT", "/models/flights", **{**DECLARATION, "approval": {"needed": 4}})
    await waiting(on, requested_by="key:zoe")

    (told,) = (await on.http.get("/models/flights/versions/1")).json()["warnings"]
    assert "4 people must approve, and 3 who are no author may today" in told
    assert (await on.http.get("/models/flights")).json()["warnings"] == []


@pytest.mark.parametrize(
    ("needed", "able", "authors", "few"),
    [
        (0, set(), {"key:a"}, False),
        (1, {"key:a"}, {"key:a"}, True),
        (1, {"key:a", "key:b"}, {"key:a"}, False),
        (100, None, set(), False),
    ],
)
def test_few_is_told_only_where_it_is_known(needed: int, able: set[str] | None, authors: set[str], few: bool) -> None:
    """An author is none of them; where an identity provider says who may, nobody here knows how many there are."""
    assert (too_few(needed, able, authors) is not None) is few


def test_who_may_approve_is_read_from_the_keys(tmp_path: Path) -> None:
    """Whoever has the scope, administrators too, once each, and as long as the key lasts; nobody knows without keys."""
    keys = new_keys()
    for name, scopes, days in (
        ("eva", ["registry:approve"], 1),
        ("eva", ["registry:approve"], 2),
        ("zoe", ["admin"], 1),
        ("old", ["registry:approve"], -1),
        ("ann", ["registry:write"], 1),
    ):
        _, keys = new_key(keys, name, scopes, NOW + timedelta(days=days))
    write_keys(tmp_path / "keys.json", keys)

    assert Gate(tmp_path / "keys.json", open_to_all=False).holders("registry:approve", NOW) == {"key:eva", "key:zoe"}
    assert Gate(None, open_to_all=True).holders("registry:approve", NOW) is None
