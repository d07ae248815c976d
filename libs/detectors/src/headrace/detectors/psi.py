"""Population stability index over categories."""

import numpy as np

from headrace.detectors.base import Detector, Floats, shares

FLOOR = 1e-4  # a category that is missing on one side counts as this share, or the index would be infinite


def measure(reference: Floats, current: Floats) -> float:
    """Sum of (q - p) ln(q / p) over the shares; credit scoring reads 0.1 as some shift and 0.25 as a great one.

    Siddiqi (2006), Credit Risk Scorecards.
    """
    p, q = np.maximum(shares(reference), FLOOR), np.maximum(shares(current), FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


PSI = Detector(
    name="psi",
    about="population stability index",
    kinds=frozenset({"categorical"}),
    limit=0.25,
    p_value=False,
    measure=measure,
)
