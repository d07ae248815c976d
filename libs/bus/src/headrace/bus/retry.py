"""How patient delivery is."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class RetryPolicy:
    """How often a failing message is tried and how long an early one may wait before it is set aside."""

    attempts: int = 6  # with the delays below: about a minute, longer than most outages of a neighbour's resource
    first_delay: timedelta = timedelta(milliseconds=500)
    longest_delay: timedelta = timedelta(seconds=20)
    longest: timedelta = timedelta(minutes=1)  # a handler that takes longer hangs; long work belongs into a job
    not_yet: timedelta = timedelta(hours=1)  # an event whose forerunner has not come by then needs a person

    def delay(self, attempt: int) -> float:
        """Seconds before try number `attempt` + 1, doubled each time, with jitter."""
        seconds = self.first_delay.total_seconds() * 2 ** max(0, attempt - 1)
        return jitter(min(seconds, self.longest_delay.total_seconds()))


def jitter(seconds: float) -> float:
    """A little more or less, so that many do not come back at once."""
    return seconds * (0.75 + random.random() / 2)
