"""Where runs find room: which node could hold a run at all, and which has room for it now. Pure.

A run of at most one CPU and no GPU shares a warm worker and asks for nothing. Any other gets a worker of its own, for
which Ray sets processors of one node aside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Size:
    """Processors that a run asks for, or that a node has."""

    gpus: float = 0
    cpus: float = 1

    @property
    def shares(self) -> bool:
        """Whether a run of this size takes a warm worker."""
        return self.cpus <= 1 and self.gpus <= 0

    def holds(self, other: "Size") -> bool:
        """Whether the other fits into this."""
        return other.cpus <= self.cpus and other.gpus <= self.gpus

    def less(self, other: "Size") -> "Size":
        """What is left beside the other."""
        return Size(gpus=self.gpus - other.gpus, cpus=self.cpus - other.cpus)

    def __str__(self) -> str:
        """As people write it."""
        return f"cpus {self.cpus:g}" + (f", gpus {self.gpus:g}" if self.gpus else "")


def lacking(size: Size, nodes: Sequence[Size]) -> str | None:
    """Why a run can never start on these nodes, and what to do; None where one of them is large enough."""
    if size.shares or any(node.holds(size) for node in nodes):
        return None
    largest = f"the largest has {max(nodes)}" if nodes else "there is none"
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
