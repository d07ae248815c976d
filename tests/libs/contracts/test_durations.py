"""ISO 8601 durations as people write them in declarations."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import ContractError
from headrace.contracts.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("PT30S", timedelta(seconds=30)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("PT1H30M", timedelta(minutes=90)),
        ("P7D", timedelta(days=7)),
        ("P2W", timedelta(weeks=2)),
        ("P1M", timedelta(days=30)),
        ("P1Y", timedelta(days=365)),
        ("P1DT12H", timedelta(hours=36)),
    ],
)
def test_a_duration_is_read(text: str, span: timedelta) -> None:
    """M is months before the T, and minutes after it."""
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P30S", "PT1D", "P1DT", "P-1D", "PT1H 30M", "P1.D", "tomorrow", "PT5", "P1D1D", "P1D1Y"]
)
def test_what_is_no_duration_is_refused_with_its_form(text: str) -> None:
    """The error shows how durations are written."""
    with pytest.raises(ContractError, match="write PT30S, PT1H30M or P7D"):
        parse_duration(text)


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_the_parts_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    """Whatever the numbers."""
    read = parse_duration(f"P{days}DT{hours}H{minutes}M{seconds}S")

    assert read == timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("30m", "PT30M"),
        ("30s", "PT30S"),
        ("2 hours", "PT2H"),
        ("7d", "P7D"),
        ("1 week", "P1W"),
        ("pt30s", "PT30S"),
        ("p1d", "P1D"),
    ],
)
def test_what_people_write_is_answered_with_the_duration_that_they_meant(text: str, right: str) -> None:
    """Whoever writes 30m sees how it is written here."""
    with pytest.raises(ContractError, match=f"is no ISO 8601 duration; write {right}$"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["P99999999999D", "P999999999Y", "PT999999999999S", "P101Y"])
def test_a_duration_never_leads_past_the_end_of_the_calendar(text: str) -> None:
    """Arithmetic with it would overflow, late and in somebody else's loop."""
    with pytest.raises(ContractError, match=r"at most 36500 days|is no ISO 8601 duration"):
        parse_duration(text)
