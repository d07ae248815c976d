"""Chi-square test of homogeneity."""

import numpy as np
import scipy  # loads scipy.stats when it is first used: a second less at every start

from headrace.contracts import DETECTORS
from headrace.monitor.detectors.base import Detector, Floats


def measure(reference: Floats, current: Floats) -> float:
    """The p-value of Pearson's chi-square over the table of counts (2 x categories), without Yates' correction."""
    table = np.vstack([reference, current])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(scipy.stats.chi2_contingency(table, correction=False).pvalue)


CHI_SQUARE = Detector(DETECTORS["chi_square"], measure)
