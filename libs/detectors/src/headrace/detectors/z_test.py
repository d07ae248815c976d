"""Z test for two proportions."""

import math

from headrace.detectors.base import Detector, Floats


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
    import scipy.stats  # here: who only names detectors installs no scipy, and it takes a second to load

    return float(2 * scipy.stats.norm.sf(abs(z)))


Z_TEST = Detector(
    name="z_test",
    about="p-value of the test of two proportions",
    kinds=frozenset({"categorical"}),
    limit=0.05,
    p_value=True,
    measure=measure,
)
