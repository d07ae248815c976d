"""What a detector is, and what detectors share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["numeric", "categorical"]
Floats = NDArray[np.float64]
Values = NDArray[np.generic]


@dataclass(frozen=True)
class Detector:
    """A measure of how far a sample lies from a reference.

    `measure` takes (reference, current) without gaps: floats for a numeric kind, counts per category in the same
    order for a categorical one. A p-value means drift below `limit`, a distance at or above it.
    """

    name: str
    kinds: frozenset[Kind]
    limit: float
    p_value: bool
    measure: Callable[[Floats, Floats], float]

    def drifted(self, score: float, limit: float) -> bool:
        """Whether a score is over (or for a p-value under) its limit."""
        return score < limit if self.p_value else score >= limit


def shares(counts: Floats) -> Floats:
    """Counts as shares of their sum; all 0 for no counts."""
    total = counts.sum()
    return counts / total if total else np.zeros_like(counts)
