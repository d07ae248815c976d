"""Which running runs give their place to one of higher priority that waits. Pure.

Only what can go on from a checkpoint gives way: a run of own code that has made one. It is asked for another one
first, and ended when that is kept, or when the time for it is over.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.trainer.quotas import Ledger, Quotas
from headrace.trainer.resources import Room, Size
from headrace.trainer.scheduling import Queued


@dataclass(frozen=True)
class Working:
    """A run that has a worker."""

    run: str
    priority: int
    size: Size
    owner: str | None = None
    started_at: datetime | None = None
    checkpointed: bool = False
    """Whether it can go on from a checkpoint."""
    yields_to: str | None = None
    """The run that it was asked to make room for."""


@dataclass(frozen=True)
class Yield:
    """A run that is to give way, and for which one."""

    run: str
    to: Queued


Fits = Callable[[Queued, Iterable[Working]], bool]


def fitting(capacity: int, nodes: Sequence[Size], quotas: Quotas) -> Fits:
    """Whether a run could start beside others: a free place, room on a node, and its owner's quota."""

    def fits(run: Queued, beside: Iterable[Working]) -> bool:
        others = list(beside)
        free = len(others) < capacity and Ledger(quotas, ((e.owner, e.size) for e in others)).may(run)
        return free and Room(nodes, [each.size for each in others]).take(run.size)

    return fits


def yielding(waiting: Iterable[Queued], working: Sequence[Working], fits: Fits) -> list[Yield]:
    """Who gives way now, and for whom; the waiting of the highest priority first, those of the lowest for them.

    What waits is what finds no place by itself. Of equal priority nobody gives way, and a run's wait does not count:
    a run that has risen by waiting takes the place of nobody.
    """
    told: list[Yield] = []
    for run in sorted(waiting, key=lambda each: (-each.priority, each.asked_at, each.run)):
        staying = [each for each in working if each.yields_to is None]
        if not any(_may_yield(each, run) for each in staying):
            continue
        if any(each.yields_to == run.run for each in working):
            continue  # room is being made for it
        told += (gone := [Yield(each.run, run) for each in _fewest(run, working, fits)])
        names = {each.run for each in gone}
        working = [_asked(each, run) if each.run in names else each for each in working]
    return told


def no_longer(working: Iterable[Working], waiting: Collection[str]) -> list[str]:
    """The runs that need not give way any more: what they were to make room for waits no longer."""
    return [each.run for each in working if each.yields_to is not None and each.yields_to not in waiting]


def _fewest(run: Queued, working: Sequence[Working], fits: Fits) -> list[Working]:
    """As few as make room for a run; none where all together would not."""
    candidates = sorted((each for each in working if _may_yield(each, run)), key=_cheapest)
    gone: list[Working] = []
    while candidates and not fits(run, _without(working, gone)):
        gone.append(candidates.pop(0))
    if not fits(run, _without(working, gone)):
        return []
    for each in list(gone):
        less = [other for other in gone if other is not each]
        gone = less if fits(run, _without(working, less)) else gone
    return gone


def _may_yield(each: Working, to: Queued) -> bool:
    return each.checkpointed and each.yields_to is None and each.priority < to.priority


def _cheapest(each: Working) -> tuple[int, float, str]:
    """The lowest priority first, and of these what began last."""
    return (each.priority, -(each.started_at.timestamp() if each.started_at else 0.0), each.run)


def _without(working: Iterable[Working], gone: Collection[Working]) -> Iterator[Working]:
    return (each for each in working if each not in gone)


def _asked(each: Working, run: Queued) -> Working:
    return Working(**{**vars(each), "yields_to": run.run})


def can_go_on(job: Mapping[str, Any] | None, checkpoint: Mapping[str, Any] | None) -> bool:
    """Whether a run that is ended now would go on from a checkpoint: own code that has made one."""
    return bool(job and job.get("code") and checkpoint)
