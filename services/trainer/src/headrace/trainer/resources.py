"""Where runs find room: which node could hold a run at all, and which has room for it now. Pure.

A run of at most one CPU, no GPU and nothing by name shares a warm worker and asks for nothing. Any other gets a worker
of its own, for which Ray sets aside what it asks for, on one node.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, order=True)
class Size:
    """What a run asks for, or what a node has: processors, and what has a name of its own there."""

    gpus: float = 0
    cpus: float = 1
    custom: tuple[tuple[str, float], ...] = ()
    """Amounts by name, in the order of the names."""

    @classmethod
    def of(cls, cpus: float, gpus: float, custom: Mapping[str, float] | None = None) -> Self:
        """With the amounts of a mapping."""
        return cls(gpus=gpus, cpus=cpus, custom=tuple(sorted((custom or {}).items())))

    @property
    def shares(self) -> bool:
        """Whether a run of this size takes a warm worker."""
        return self.cpus <= 1 and self.gpus <= 0 and not self.custom

    def holds(self, other: "Size") -> bool:
        """Whether the other fits into this."""
        named = dict(self.custom)
        fits = other.cpus <= self.cpus and other.gpus <= self.gpus
        return fits and all(amount <= named.get(name, 0) for name, amount in other.custom)

    def less(self, other: "Size") -> "Size":
        """What is left beside the other."""
        taken = dict(other.custom)
        left = tuple((name, amount - taken.get(name, 0)) for name, amount in self.custom)
        return Size(gpus=self.gpus - other.gpus, cpus=self.cpus - other.cpus, custom=left)

    def __str__(self) -> str:
        """As people write it."""
        named = [("cpus", self.cpus), *([("gpus", self.gpus)] if self.gpus else []), *self.custom]
        return ", ".join(f"{name} {amount:g}" for name, amount in named)


def lacking(size: Size, nodes: Sequence[Size]) -> str | None:
    """Why a run can never start on these nodes, and what to do; None where one of them is large enough."""
    if size.shares or any(node.holds(size) for node in nodes):
        return None
    largest = f"the largest has {max(nodes)}" if nodes else "there is none"
    known = {name for node in nodes for name, _ in node.custom}
    if unknown := [name for name, _ in size.custom if name not in known]:
        largest += f", and none has a resource {' or '.join(map(repr, unknown))}"
    return (
        f"no node of the Ray cluster has {size}: {largest}. The run starts when such a node joins; ask for less in "
        "training.resources to start now"
    )


class Room:
    """What is free on the nodes, as runs are put there one after the other."""

    def __init__(self, nodes: Iterable[Size], running: Iterable[Size]) -> None:
        self._free = list(nodes)
        self._blocked = False
        for size in sorted((each for each in running if not each.shares), reverse=True):
            self._put(size)

    def take(self, size: Size) -> bool:
        """Put a run there, if there is room. Where one must wait for room, those behind it do not overtake it."""
        if size.shares:
            return True
        if not self._blocked and self._put(size):
            return True
        self._blocked = True
        return False

    def _put(self, size: Size) -> bool:
        for at, node in enumerate(self._free):
            if node.holds(size):
                self._free[at] = node.less(size)
                return True
        return False
