"""Schedules as people write them in declarations."""

import pytest

from headrace.contracts.schedules import NAMED, schedule_problem


@pytest.mark.parametrize(
    "text", [*NAMED, "PT1H", "P1D", "PT30M", "0 6 * * *", "*/5 * * * *", "0 0 29 2 *", "0 0 1 1 0", "30 4 1,15 * 5"]
)
def test_what_comes_again_and_again_is_a_schedule(text: str) -> None:
    """A duration, a cron expression, a named time; a leap day comes, too."""
    assert schedule_problem(text) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("banana", "is no schedule; write a duration (PT1H, P1D), a cron expression (0 6 * * *), @hourly"),
        ("never", "is no schedule"),
        ("", "is no schedule"),
        ("* * *", "is no schedule"),
        ("PT0S", "is no time at all"),
        ("P0D", "is no time at all"),
        ("PT0.5S", "is too short"),
        ("P5000Y", "is too long"),
        ("PX", "is no ISO 8601 duration"),
        ("30m", "write PT30M"),
        ("2 hours", "write PT2H"),
        ("0 0 31 2 *", "never comes"),
        ("99 99 * * *", "is no cron expression"),
        ("a b c d e", "is no cron expression"),
        ("H * * * *", "is no cron expression"),
        ("@dayly", "did you mean '@daily'?"),
        ("@reboot", "known here are @hourly"),
    ],
)
def test_what_never_comes_or_cannot_be_read_is_no_schedule(text: str, says: str) -> None:
    """Each was accepted, and then stuck in somebody's loop."""
    assert says in str(schedule_problem(text))
