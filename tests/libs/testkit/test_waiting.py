"""Waiting for facts without a loop."""

import pytest

from headrace.testkit.waiting import wait_until_good


def test_who_is_away_or_not_yet_good_is_asked_again() -> None:
    """Until the answer is good, and that answer is given."""
    said = iter([ConnectionError("away"), 1, 2])

    def ask() -> int:
        found = next(said)
        if isinstance(found, Exception):
            raise found
        return found

    assert wait_until_good(ask, lambda found: found == 2, within=30, away=ConnectionError, every=0) == 2


def test_the_last_answer_is_told_when_patience_ends() -> None:
    """So that a failing test says how far it came; other errors end it at once."""
    with pytest.raises(AssertionError, match="still not so after 0 s: 'half'"):
        wait_until_good(lambda: "half", lambda _: False, within=0, away=ConnectionError)
    with pytest.raises(ZeroDivisionError):
        wait_until_good(lambda: 1 // 0, within=30, away=ConnectionError)
