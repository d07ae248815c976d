"""What is left of a change when the declaration has moved on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.registry.domain import changed_paths
from headrace.registry.rebase import meet, patched, rebased

BEFORE = {"approval": {"needed": 2}, "risk": {"review_every": "P90D"}, "purpose": "a"}
WANTED = {"approval": {"needed": 0}, "risk": {"review_every": "P90D"}, "purpose": "a"}


@pytest.mark.parametrize(
    ("moved", "now", "loosens", "anew"),
    [
        (["purpose"], {**BEFORE, "purpose": "b"}, ["approval.needed: 2 to 0"], False),
        (["approval.needed"], {**BEFORE, "approval": {"needed": 3}}, ["approval.needed: 3 to 0"], True),
        (["approval"], {**BEFORE, "approval": {"needed": 3}}, ["approval.needed: 3 to 0"], True),
        (["approval.needed"], {**BEFORE, "approval": {"needed": 0}}, [], True),
    ],
)
def test_a_change_keeps_to_its_own_fields(moved: list[str], now: Any, loosens: list[str], anew: bool) -> None:
    """What changed beside it stays; what it touches itself is to be looked at again."""
    found = rebased(WANTED, ["approval.needed"], now, moved)

    assert found.document == {**now, "approval": {"needed": 0}}
    assert (list(found.loosens), found.anew) == (loosens, anew)


def test_a_field_that_a_change_takes_away_is_gone() -> None:
    """And one in a part that is not there yet comes with it."""
    now = {"risk": {"impact": "high"}}

    assert patched(now, {}, ["risk.impact"]) == {"risk": {}}
    assert patched(now, {"data": {"time": "at"}}, ["data.time"]) == {**now, "data": {"time": "at"}}
    assert now == {"risk": {"impact": "high"}}


def test_places_meet_where_one_is_the_other_or_lies_within() -> None:
    """A name that only begins alike is another place."""
    assert meet("a.b", "a.b")
    assert meet("a", "a.b")
    assert meet("a.b.c", "a.b")
    assert not meet("a.bc", "a.b")


NAMES, VALUES = st.sampled_from("abc"), st.integers(1, 3)
TREES = st.recursive(st.dictionaries(NAMES, VALUES), lambda inner: st.dictionaries(NAMES, VALUES | inner), max_leaves=6)


@given(TREES, TREES)
def test_a_change_on_what_it_was_proposed_for_is_itself(before: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Whatever the two documents are, empty parts apart."""
    made = patched(before, wanted, sorted(changed_paths(before, wanted)))

    assert [*changed_paths(made, wanted)] == []
