"""Jensen-Shannon distance between two shares of categories."""

import numpy as np

from headrace.detectors.base import Detector, Floats, shares


def measure(reference: Floats, current: Floats) -> float:
    """The square root of the Jensen-Shannon divergence to base 2: 0 for equal shares, 1 for disjoint ones.

    Endres and Schindelin (2003), A new metric for probability distributions.
    """
    p, q = shares(reference), shares(current)
    middle = (p + q) / 2
    divergence = (_kl(p, middle) + _kl(q, middle)) / 2
    return float(np.sqrt(max(0.0, divergence)))


def _kl(p: Floats, q: Floats) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


JENSEN_SHANNON = Detector(
    name="jensen_shannon",
    about="distance to base 2, 0 to 1",
    kinds=frozenset({"categorical"}),
    limit=0.1,
    p_value=False,
    measure=measure,
)
