"""Seeing that a subscription makes no progress though messages wait for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from headrace.bus.progress import Place, Progress
from headrace.chassis.every import Every, chore
from headrace.chassis.service import Runtime

LOOK_EVERY = timedelta(seconds=15)
LONGEST_S = 60.0  # without progress; the longest handler may take as long


@dataclass
class Subscription:
    """One durable, and since when it has stood where it stands."""

    stream: str
    progress: Progress
    place: Place | None = None
    since: float = 0.0

    async def look(self, now: float) -> str | None:
        """What is wrong, after one more look; None where it makes progress, or nothing waits."""
        place = await self.progress.place()
        if place is None or self.place is None or _moved(self.place, place):
            self.place, self.since = place, now
            return None
        if not place.pending or now - self.since < LONGEST_S:
            return None
        waiting = f"{place.pending} messages wait, {place.unacknowledged} are in hand"
        return f"no progress for {now - self.since:.0f} s: {waiting}; see the log, and `headrace dead-letters list`"


def watch_subscriptions(now: Callable[[], float] = time.monotonic) -> Every[Runtime, None]:
    """Say at `/ready` where a subscription is stuck; and no more once it goes on."""
    seen: dict[str, Subscription] = {}

    async def look(runtime: Runtime) -> None:
        for consumer in runtime.consumers:
            spec = consumer.spec
            made = Subscription(spec.stream, Progress(runtime.connection, spec, lambda: 0))
            problem = await seen.setdefault(spec.stream, made).look(now())
            runtime.problems.pop(f"stuck:{spec.stream}", None)
            if problem:
                runtime.problems[f"stuck:{spec.stream}"] = problem

    return chore(LOOK_EVERY, look, name="subscriptions", wait_first=True)


def _moved(before: Place, now: Place) -> bool:
    return now.floor != before.floor or now.pending < before.pending
