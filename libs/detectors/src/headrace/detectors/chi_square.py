"""Chi-square test of homogeneity."""

import numpy as np

from headrace.detectors.base import Detector, Floats


def measure(reference: Floats, current: Floats) -> float:
    """The p-value of Pearson's chi-square over the table of counts (2 x categories), without Yates' correction."""
    table = np.vstack([reference, current])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    import scipy.stats  # here: who only names detectors installs no scipy, and it takes a second to load

    return float(scipy.stats.chi2_contingency(table, correction=False).pvalue)


CHI_SQUARE = Detector(
    name="chi_square",
    about="p-value of the test of homogeneity",
    kinds=frozenset({"categorical"}),
    limit=0.05,
    p_value=True,
    measure=measure,
)
