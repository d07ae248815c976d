"""One reader of times for every door: RFC 3339 and nothing else, so that what is taken here is taken everywhere."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
EXAMPLE = "2013-03-01T06:00:00Z"
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # arithmetic on these never overflows


def rfc3339(text: object) -> datetime:
    """A moment in UTC; raises ValueError where `text` is none, has no offset, or leaves the years 1900 to 2199.

    What is finer than microseconds is cut.
    """
    if type(text) is not str or not _RFC3339.fullmatch(text):
        raise ValueError(f"is no time of RFC 3339, such as {EXAMPLE}")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"is no moment of the calendar ({error}); a time looks like {EXAMPLE}") from None
    return plausible(moment)


def plausible(moment: datetime) -> datetime:
    """The moment in UTC; raises ValueError where it has no offset, or leaves the years 1900 to 2199."""
    if moment.tzinfo is None:
        raise ValueError(f"has no offset; a time looks like {EXAMPLE}")
    if not FIRST <= moment < LAST:
        raise ValueError(f"lies outside the years {FIRST.year} to {LAST.year - 1}; a time looks like {EXAMPLE}")
    return moment.astimezone(UTC)
