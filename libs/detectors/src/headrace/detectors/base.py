"""What a detector is, and what detectors share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headrace.contracts import DetectorInfo

Floats = NDArray[np.float64]
Values = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Detector(DetectorInfo):
    """A measure of how far a sample lies from a reference.

    `measure` takes (reference, current) without gaps: floats for a numeric kind, counts per category in the same
    order for a categorical one.
    """

    measure: Callable[[Floats, Floats], float]


def shares(counts: Floats) -> Floats:
    """Counts as shares of their sum; all 0 for no counts."""
    total = counts.sum()
    return counts / total if total else np.zeros_like(counts)
