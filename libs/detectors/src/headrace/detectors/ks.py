"""Two-sample Kolmogorov-Smirnov test."""

from headrace.detectors.base import Detector, Floats


def measure(reference: Floats, current: Floats) -> float:
    """The asymptotic p-value of the largest distance between the two empirical distribution functions.

    Hodges (1958), as scipy.stats.ks_2samp computes it. One row beside one, or none, tells nothing: that is 1.
    """
    if len(reference) * len(current) < 2:
        return 1.0  # scipy has NaN for the one, which no event can carry, and an error for the other
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
