"""One reader of times: what RFC 3339 allows, and nothing else."""

from datetime import UTC, datetime

import pytest

from headrace.contracts.times import rfc3339


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-30T17:00:00Z", datetime(2026, 11, 30, 17, tzinfo=UTC)),
        ("2026-11-30t17:00:00z", datetime(2026, 11, 30, 17, tzinfo=UTC)),
        ("2026-11-30 17:00:00.5+01:00", datetime(2026, 11, 30, 16, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-30T17:00:00.123456789-05:00", datetime(2026, 11, 30, 22, 0, 0, 123_456, tzinfo=UTC)),
        ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=UTC)),
        ("2199-12-31T23:59:59Z", datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_moment_in_utc(text: str, moment: datetime) -> None:
    """Either case of T and Z, a space, fractions, offsets, both ends of what is plausible."""
    assert rfc3339(text) == moment
    assert rfc3339(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30", "2026-11-30T17:00:00", "20261130T170000Z", "2026-W49-1T17:00:00Z", "2026-11-30T17Z",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00+00:01", "2200-01-01T00:00:00Z",
        "2026-11-30T17:00:00+00:00:30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
        "2026-02-30T00:00:00Z", "2026-11-30T25:00:00Z", "2026-11-30T17:00:60Z", "2026-11-30T17:00:00+25:00",
        "\u0662026-11-30T17:00:00Z", "2026-11-30T17:00:00Z\n", "", "now", None, 0, True, ["2026-11-30T17:00:00Z"],
    ],
)  # fmt: skip
def test_everything_else_is_refused(text: object) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match="2013-03-01T06:00:00Z"):
        rfc3339(text)
