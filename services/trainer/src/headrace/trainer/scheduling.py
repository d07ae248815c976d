"""Which run waits for what, which gets a worker next, which gets another one, and how long checkpoints stay. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from headrace.contracts import Declaration
from headrace.trainer.resources import Size

MOST_ATTEMPTS = 3  # a run that lost its worker this often takes workers down by itself
MOST_WITH_CHECKPOINTS = 20  # of one that gets further between two losses: nodes that come and go are its fate, too


@dataclass(frozen=True)
class Queued:
    """A run that waits for a worker."""

    run: str
    model: str
    asked_at: datetime
    size: Size = field(default_factory=Size)
    priority: int = 0
    owner: str | None = None
    since: datetime | None = None
    """Since when it waits, where that is not since it was asked for: it gave its place to another one."""

    def level(self, now: datetime | None, aging: timedelta | None, most: int) -> int:
        """Its priority, and one more for each `aging` that it has waited, but no more than the highest that waits."""
        if now is None or not aging:
            return self.priority
        return min(most, self.priority + max(0, (now - (self.since or self.asked_at)) // aging))


@dataclass(frozen=True)
class Recent:
    """When a model last got a worker, and how many it has."""

    running: int = 0
    last_started: datetime | None = None


def waits_for(
    *, wants: str, newest: int | None, pinned: int | None, trained: int | None
) -> Literal["capacity", "data"]:
    """What a requested run waits for first.

    A run of `newer` data waits until a version comes that the last completed run has not seen; a run of a version
    that was never ingested, or of a dataset without any, waits for it.
    """
    if pinned is not None:
        return "capacity" if newest is not None and pinned <= newest else "data"
    if newest is None or (wants == "newer" and trained is not None and newest <= trained):
        return "data"
    return "capacity"


def released_by(arrived: int, *, pinned: int | None, newer_than: int | None) -> bool:
    """Whether the arrival of a dataset version ends a run's wait for data."""
    if pinned is not None:
        return arrived >= pinned
    return newer_than is None or arrived > newer_than


def will_train_on(arrived: int, *, queued: bool, pinned: int | None, newer_than: int | None) -> bool:
    """Whether a run that has not started will take this dataset version, or a newer one."""
    if pinned is not None:
        return pinned == arrived
    return queued or released_by(arrived, pinned=pinned, newer_than=newer_than)


def trains_on_new_data(declaration: Declaration, taken: bool) -> bool:
    """Whether new data start a run: where the declaration asks, and no pending run takes them anyway."""
    return "new-data" in declaration.training.on and not taken


def next_runs(
    queue: Iterable[Queued],
    recent: Mapping[str, Recent],
    free: int,
    has_room: Callable[[Size], bool] = lambda _: True,
    *,
    may: Callable[[Queued], bool] = lambda _: True,
    now: datetime | None = None,
    aging: timedelta | None = None,
) -> list[str]:
    """Which runs get the free workers: those of the highest level first (see `Queued.level`), and among them models
    with the fewest running, then those that waited longest.

    One model that asks for a hundred runs cannot keep another from its first. A run that finds no room, or that its
    owner's quota keeps back (`may`), is passed over.
    """
    waiting = sorted(queue, key=lambda q: (q.asked_at, q.run))
    most = max((each.priority for each in waiting), default=0)
    levels = {each.run: each.level(now, aging, most) for each in waiting}
    running = Counter({model: seen.running for model, seen in recent.items()})
    chosen: list[str] = []
    while waiting and len(chosen) < free:
        best = min(waiting, key=lambda q: (-levels[q.run], running[q.model], *_turn(recent.get(q.model), q)))
        waiting.remove(best)
        if may(best) and has_room(best.size):
            running[best.model] += 1
            chosen.append(best.run)
    return chosen


def after_loss(losses: int, attempts: int = 0) -> Literal["resume", "fail"]:
    """A run whose worker is gone starts again elsewhere, but not for ever: so many losses in a row, or attempts."""
    return "resume" if losses < MOST_ATTEMPTS and attempts < MOST_WITH_CHECKPOINTS else "fail"


def checkpoints_until(job: Any, now: datetime, *, completed: bool) -> datetime | None:
    """When checkpoints of a run that ends now are removed; None where it could make none, or its job cannot be read.

    A completed run needs none any more; of another one, its author may look at them for a while.
    """
    code = job.get("code") if isinstance(job, Mapping) else None
    if not isinstance(code, Mapping):
        return None
    return now if completed else now + timedelta(seconds=code.get("checkpoints_seconds", 0))


def _turn(recent: Recent | None, queued: Queued) -> tuple[float, float]:
    last = recent.last_started.timestamp() if recent and recent.last_started else 0.0
    return (last, queued.asked_at.timestamp())
