"""Schedules as declarations write them: a duration, a cron expression, or a named time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from headrace.contracts.durations import duration_problem, meant
from headrace.contracts.errors import hint

NAMED: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
SHORTEST = timedelta(seconds=1)
FIELDS = 5  # minute, hour, day of the month, month, day of the week
_FORM = "write a duration (PT1H, P1D), a cron expression (0 6 * * *), @hourly, @daily, @weekly or @monthly"
_START = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year: what ever comes, comes within the years that are looked at


def schedule_problem(text: str) -> str | None:
    """Why a text is no schedule, with what would be; None where it is one that comes again and again."""
    if text in NAMED:
        return None
    if text.startswith("@"):
        return f"{text!r} is not known; {hint(text, NAMED)}"
    if len(text.split()) == FIELDS:
        return _cron_problem(text)
    if text.startswith("P") or meant(text):
        return duration_problem(text, least=SHORTEST, zero=False)
    return f"{text!r} is no schedule; {_FORM}"


def _cron_problem(text: str) -> str | None:
    from croniter import CroniterBadDateError, CroniterError, croniter  # 20 ms, for who declares alone

    try:
        times = croniter(text, _START)
        times.get_next(datetime)
        times.get_next(datetime)
    except CroniterBadDateError:
        return f"{text!r} never comes; {_FORM}"
    except (CroniterError, ValueError, KeyError, TypeError, OverflowError) as error:
        return f"{text!r} is no cron expression ({error}); {_FORM}"
    return None
