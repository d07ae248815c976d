"""Wasserstein distance, in standard deviations of the reference."""

import numpy as np

from headrace.detectors.base import Detector, Floats

BINS = 4096
EXACT = 20_000  # rows up to which sorting is as fast as binning


def measure(reference: Floats, current: Floats) -> float:
    """The area between the two distribution functions, divided by the reference's standard deviation.

    Formula: W1 = integral of |F - G| (Ramdas et al. 2017, On Wasserstein Two Sample Testing). Above EXACT rows both
    samples are counted into BINS equal bins over their common range; each value then lies at most half a bin from
    where it was, so the error is at most (range / BINS) / standard deviation.
    """
    if not len(reference) or not len(current):
        return 0.0
    spread = float(reference.std())
    scale = spread if spread > 0 else 1.0
    if len(reference) + len(current) <= EXACT:
        return _exact(reference, current) / scale
    return _binned(reference, current) / scale


def _exact(reference: Floats, current: Floats) -> float:
    values = np.sort(np.concatenate([reference, current]))
    steps = np.diff(values)
    f = np.searchsorted(np.sort(reference), values[:-1], side="right") / len(reference)
    g = np.searchsorted(np.sort(current), values[:-1], side="right") / len(current)
    return float(np.sum(np.abs(f - g) * steps))


def _binned(reference: Floats, current: Floats) -> float:
    low = min(float(reference.min()), float(current.min()))
    high = max(float(reference.max()), float(current.max()))
    if high <= low:
        return 0.0
    f, g = (np.cumsum(_counts(values, low, high)) / len(values) for values in (reference, current))
    return float(np.abs(f - g).sum() * (high - low) / BINS)


def _counts(values: Floats, low: float, high: float) -> Floats:
    places = (values - low) * (BINS / (high - low))
    return np.bincount(np.minimum(places, BINS - 1).astype(np.int16), minlength=BINS).astype(np.float64)


WASSERSTEIN = Detector(
    name="wasserstein",
    about="distance in standard deviations of the reference",
    kinds=frozenset({"numeric"}),
    limit=0.1,
    p_value=False,
    measure=measure,
)
