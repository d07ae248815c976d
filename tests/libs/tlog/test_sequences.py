"""Which numbers of a stream a log holds: ranges that grow, join, and leave holes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.tlog import Hole, Sequences


@given(st.lists(st.integers(1, 40), min_size=1))
def test_holes_are_what_was_not_added(seqs: list[int]) -> None:
    """In any order, with repetitions: the holes are the numbers from 1 to the highest that never came."""
    found = Sequences()
    fresh = [found.add("E", seq, "t") for seq in seqs]

    missing = {seq for hole in found.holes() for seq in range(hole.first, hole.last + 1)}
    assert missing == set(range(1, max(seqs) + 1)) - set(seqs)
    assert fresh == [seq not in seqs[:at] for at, seq in enumerate(seqs)]


def test_memory_grows_with_the_holes_alone() -> None:
    """A million messages behind one hole are two ranges."""
    found = Sequences()
    for seq in (seq for seq in range(1, 100_000) if seq != 500):
        found.add("E", seq, "t")
    assert len(found.streams["E"]) == 2
    assert list(found.holes()) == [Hole("E", 500, 500, "t")]


def test_a_hole_says_when_it_was_noticed() -> None:
    """The message behind it tells since when something was missing."""
    found = Sequences()
    for seq, received in ((1, "a"), (5, "b"), (4, "c"), (9, "d")):
        found.add("E", seq, received)
    assert [(hole.where, hole.noticed) for hole in found.holes()] == [("E 2..3", "c"), ("E 6..8", "d")]
