"""What a rollout strategy decides."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from headrace.strategies.evidence import Policy, Seen


@dataclass(frozen=True)
class Placement:
    """Who gets the traffic while a version rolls out: percents of the requests, and the version's role."""

    champion: int
    role: str
    percent: int


class Strategy(ABC):
    """How a version gets its traffic. It holds no state: a rollout names its strategy and keeps the rest itself."""

    name: ClassVar[str]
    """As declarations name it."""
    about: ClassVar[str]
    protects: ClassVar[bool]
    """Whether the version is watched before all callers meet it; to give that up is a loosening of the policy."""
    ends_when_loaded: ClassVar[bool] = False
    """Whether the rollout is over as soon as a replica has the version."""

    def steps(self, declared: Sequence[int]) -> tuple[int, ...]:
        """The percents of the traffic that it goes through, rising and ending with 100; `serving.steps` is declared."""
        return (100,)

    @abstractmethod
    def placement(self, share: int) -> Placement:
        """Who gets the traffic at a step with this share."""

    def shown(self, share: int) -> int:
        """Percent of the requests that the version answers at a step with this share."""
        return share

    def held(self, policy: Policy, seen: Seen) -> str | None:
        """Why it may not go on although its bake is over; None where it may."""
        return None
