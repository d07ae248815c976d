"""Two-sample Kolmogorov-Smirnov test."""

import scipy  # loads scipy.stats when it is first used: a second less at every start

from headrace.contracts import DETECTORS
from headrace.monitor.detectors.base import Detector, Floats


def measure(reference: Floats, current: Floats) -> float:
    """The asymptotic p-value of the largest distance between the two empirical distribution functions.

    Hodges (1958), as scipy.stats.ks_2samp computes it.
    """
    return float(scipy.stats.ks_2samp(reference, current, method="asymp").pvalue)


KS = Detector(DETECTORS["ks"], measure)
