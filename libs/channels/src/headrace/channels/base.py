"""What a channel is."""

from dataclasses import dataclass
from typing import Protocol


class NotDelivered(Exception):
    """Nobody was told; the text says why. Another try may succeed."""


@dataclass(frozen=True)
class Delivery:
    """One alert for one place."""

    id: str
    """The same each time the same alert is sent to the same place."""
    to: str
    body: bytes
    """The alert as a CloudEvent in JSON."""


@dataclass(frozen=True)
class Means:
    """What an operator gives channels."""

    key: bytes | None = None
    """Signs what is sent; None: nothing is signed."""
    private_hosts: frozenset[str] = frozenset()
    """Names or addresses that may be reached although they are not public."""
    timeout: float = 10.0
    """Seconds for a whole delivery."""


class Channel(Protocol):
    """A way to tell somebody."""

    @property
    def name(self) -> str:
        """As declarations name it."""
        ...

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        ...

    def place_problem(self, to: str) -> str | None:
        """Why a declared place cannot be reached by it; None where it can."""
        ...

    async def deliver(self, delivery: Delivery, means: Means) -> None:
        """Tell; raises NotDelivered. A delivery may be repeated after a crash, with the same id."""
        ...
