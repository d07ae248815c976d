"""A clock that tests set."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


class FakeClock:
    """Called, it tells the time; it moves only when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """What time it is."""
        return self.now

    def advance(self, by: timedelta) -> datetime:
        """Let time pass."""
        self.now += by
        return self.now
