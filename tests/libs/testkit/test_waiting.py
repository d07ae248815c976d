"""Waiting for facts, in a loop and without one."""

import time
from itertools import pairwise

import pytest

from headrace.testkit.waiting import eventually, pause_after, wait_until_good


async def test_a_fact_is_answered_as_soon_as_it_is_one() -> None:
    """Whatever is true; until then it is asked again, and what it asserts may fail."""
    said = iter([None, 0, AssertionError("not yet"), "so"])

    def ask() -> object:
        found = next(said)
        if isinstance(found, Exception):
            raise found
        return found

    assert await eventually(ask, timeout=30) == "so"


async def test_a_fact_may_be_awaited() -> None:
    """As what is asked of a server."""

    async def ask() -> str:
        return "so"

    assert await eventually(ask, timeout=30) == "so"


async def test_what_never_becomes_a_fact_is_told_with_its_last_answer() -> None:
    """An assertion's own words, too."""
    with pytest.raises(AssertionError, match="still not so after 0 s; the last answer was 0"):
        await eventually(lambda: 0, timeout=0)

    def ask() -> None:
        raise AssertionError("half")

    with pytest.raises(AssertionError, match="half"):
        await eventually(ask, timeout=0)


async def test_who_asks_what_is_costly_leaves_most_of_the_time_to_others() -> None:
    """A question that takes 20 ms of this process is not asked all the time."""
    asked: list[float] = []

    def ask() -> bool:
        asked.append(time.monotonic())
        time.sleep(0.02)
        return len(asked) == 3

    await eventually(ask, timeout=30)

    pauses = [after - before for before, after in pairwise(asked)]
    assert min(pauses) >= 5 * 0.02


@pytest.mark.parametrize(("took", "pause"), [(0, 0.01), (0.001, 0.01), (0.01, 0.04), (0.05, 0.2), (3, 0.2)])
def test_a_pause_is_as_long_as_the_question_was_costly(took: float, pause: float) -> None:
    """And never longer than a fifth of a second: what took long once is asked again soon."""
    assert pause_after(took) == pytest.approx(pause)


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
