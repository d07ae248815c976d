"""Two-sample Kolmogorov-Smirnov test."""

from headrace.detectors.base import Detector, Floats


def measure(reference: Floats, current: Floats) -> float:
    """The asymptotic p-value of the largest distance between the two empirical distribution functions.

    Hodges (1958), as scipy.stats.ks_2samp computes it.
    """
    import scipy.stats  # here: who only names detectors installs no scipy, and it takes a second to load

    return float(scipy.stats.ks_2samp(reference, current, method="asymp").pvalue)


KS = Detector(
    name="ks",
    about="p-value of the two-sample Kolmogorov-Smirnov test",
    kinds=frozenset({"numeric"}),
    limit=0.05,
    p_value=True,
    measure=measure,
)
