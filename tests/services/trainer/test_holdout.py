"""The rows that judge a model are never those it has learned from."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.trainer.worker.content import identities
from headrace.trainer.worker.holdout import NoHoldout, at_random, by_time, since

ROWS, MORE = (identities(np.arange(n, dtype=np.uint64) + np.uint64(start)) for n, start in ((900, 0), (900, 5000)))
DAYS = pd.Series(pd.date_range("2026-01-01", periods=100, freq="D", tz="UTC"), name="at")


def test_the_newest_rows_are_held_out() -> None:
    """A fifth of a hundred days, whatever their order."""
    shuffled = DAYS.sample(frac=1, random_state=1)

    held, boundary = by_time(shuffled, 0.2)

    assert held.sum() == 20
    assert shuffled[held].min() > shuffled[~held].max()
    assert boundary == "2026-03-22T00:00:00+00:00"


@pytest.mark.parametrize(
    "times", [DAYS, pd.Series(range(50)), pd.Series(np.linspace(0, 1, 37)), pd.Series(list("abcdef"))]
)
def test_the_boundary_finds_the_same_rows_again(times: pd.Series) -> None:
    """Written as text and read back, for every type that orders rows."""
    held, boundary = by_time(times, 0.3)

    assert (since(times, boundary) == held).all()


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.floats(0.05, 0.95))
def test_rows_of_one_instant_stay_together(times: list[int], fraction: float) -> None:
    """No instant is on both sides of the boundary, and both sides have rows, or the division is refused."""
    series = pd.Series(times, name="t")
    try:
        held, _ = by_time(series, fraction)
    except NoHoldout:
        assert series[: int(len(times) * (1 - fraction)) + 1].size
        return
    assert not set(series[held]) & set(series[~held])
    assert held.any()
    assert not held.all()


def test_rows_without_a_time_are_learned_from() -> None:
    """Nobody knows whether they are new."""
    held, _ = by_time(DAYS.where(DAYS.index % 10 != 9), 0.2)

    assert not held[9::10].any()


@pytest.mark.parametrize("times", [pd.Series([None, None], dtype="datetime64[ns, UTC]"), pd.Series([3, 3, 3])])
def test_times_that_do_not_divide_are_refused(times: pd.Series) -> None:
    """An empty column, or one instant for all."""
    with pytest.raises(NoHoldout, match="time column"):
        by_time(times.rename("at"), 0.2)


def test_a_row_held_out_once_is_held_out_whenever_it_comes_again() -> None:
    """In every later version, in any order and any file: so a champion has not seen what it is judged on."""
    before = at_random(ROWS[:700], 0.25)

    after = at_random(np.concatenate([MORE, ROWS[:700][::-1]]), 0.25)

    assert (after[len(MORE) :][::-1] == before).all()
    assert 0.2 < after.mean() < 0.3


def test_what_a_smaller_fraction_holds_out_a_larger_one_holds_out_too() -> None:
    """So that who changes the fraction keeps rows that no version has learned."""
    smaller, larger = at_random(ROWS, 0.1), at_random(ROWS, 0.4)

    assert larger[smaller].all()
    assert larger.sum() > smaller.sum()


def test_too_few_rows_cannot_be_divided() -> None:
    """One row cannot both teach and judge."""
    with pytest.raises(NoHoldout, match="1 rows are too few"):
        at_random(ROWS[:1], 0.2)
