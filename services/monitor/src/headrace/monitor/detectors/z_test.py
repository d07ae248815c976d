"""Z test for two proportions."""

import math

import scipy  # loads scipy.stats when it is first used: a second less at every start

from headrace.contracts import DETECTORS
from headrace.monitor.detectors.base import Detector, Floats


def measure(reference: Floats, current: Floats) -> float:
    """The two-sided p-value that the share of the first category is the same, with the pooled standard error."""
    n, m = reference.sum(), current.sum()
    if not n or not m:
        return 1.0
    pooled = (reference[0] + current[0]) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    if error == 0:
        return 1.0
    z = (reference[0] / n - current[0] / m) / error
    return float(2 * scipy.stats.norm.sf(abs(z)))


Z_TEST = Detector(DETECTORS["z_test"], measure)
