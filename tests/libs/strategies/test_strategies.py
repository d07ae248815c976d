"""Rollout strategies: one suite over the mapping, so that a new one is tested before its author writes a test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts.catalogs import CATALOGS
from headrace.strategies import AT_ONCE, STRATEGIES

STEPS = st.lists(st.integers(-10, 150), max_size=8)


@pytest.mark.parametrize("name", STRATEGIES)
@given(declared=STEPS)
def test_the_steps_rise_and_end_with_all_traffic(name: str, declared: list[int]) -> None:
    """Whatever is declared."""
    steps = STRATEGIES[name].steps(declared)

    assert list(steps) == sorted(set(steps))
    assert steps[0] > 0
    assert steps[-1] == 100


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("share", [1, 50, 100])
def test_callers_are_answered_at_each_step(name: str, share: int) -> None:
    """By versions whose shares are all of the requests; a shadow is asked beside them."""
    place = STRATEGIES[name].placement(share)

    assert place.role in CATALOGS["role"].entries
    assert place.champion + (0 if place.role == "shadow" else place.percent) == 100
    assert 0 <= STRATEGIES[name].shown(share) <= 100


def test_where_nothing_is_to_be_protected_a_replica_that_has_the_version_is_enough() -> None:
    """A first version, and the way back, take this one."""
    assert STRATEGIES[AT_ONCE].ends_when_loaded
    assert not STRATEGIES[AT_ONCE].protects


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_says_what_it_is(name: str) -> None:
    """Under its own name."""
    assert STRATEGIES[name].name == name
    assert STRATEGIES[name].about
