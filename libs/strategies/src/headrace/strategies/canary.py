"""In steps, each watched before the next."""

from collections.abc import Sequence

from headrace.strategies.base import Placement, Strategy


class Canary(Strategy):
    """A growing share of the callers meets the version."""

    name = "canary"
    about = "in steps, each watched before the next"
    protects = True

    def steps(self, declared: Sequence[int]) -> tuple[int, ...]:
        """As declared."""
        return tuple(sorted({step for step in declared if 0 < step < 100} | {100}))

    def placement(self, share: int) -> Placement:
        """The share, and the rest for the champion."""
        return Placement(100 - share, "canary", share)
