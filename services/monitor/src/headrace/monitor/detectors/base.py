"""What a detector is, and what detectors share; their names, kinds and limits are those of headrace.contracts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrace.contracts import DetectorInfo
from headrace.contracts.detectors import Kind

Floats = NDArray[np.float64]
Values = NDArray[np.generic]


@dataclass(frozen=True)
class Detector:
    """A measure of how far a sample lies from a reference.

    `measure` takes (reference, current) without gaps: floats for a numeric kind, counts per category in the same
    order for a categorical one.
    """

    info: DetectorInfo
    measure: Callable[[Floats, Floats], float]

    @property
    def name(self) -> str:
        """What declarations call it."""
        return self.info.name

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of columns that it fits."""
        return self.info.kinds

    @property
    def limit(self) -> float:
        """Its usual limit."""
        return self.info.limit

    def drifted(self, score: float, limit: float) -> bool:
        """Whether a score is over (or for a p-value under) its limit."""
        return self.info.drifted(score, limit)


def shares(counts: Floats) -> Floats:
    """Counts as shares of their sum; all 0 for no counts."""
    total = counts.sum()
    return counts / total if total else np.zeros_like(counts)
