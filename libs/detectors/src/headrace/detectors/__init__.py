"""Drift detectors: one file each, one line here; the suite in tests runs over the mapping.

To add one: write a module with its `Detector`, and name that below.
"""

from collections.abc import Mapping

from headrace.contracts.detectors import Kind
from headrace.detectors.base import Detector
from headrace.detectors.chi_square import CHI_SQUARE
from headrace.detectors.jensen_shannon import JENSEN_SHANNON
from headrace.detectors.ks import KS
from headrace.detectors.psi import PSI
from headrace.detectors.wasserstein import WASSERSTEIN
from headrace.detectors.z_test import Z_TEST

DETECTORS: Mapping[str, Detector] = {
    detector.name: detector for detector in (KS, CHI_SQUARE, Z_TEST, WASSERSTEIN, JENSEN_SHANNON, PSI)
}
SMALL = 1000  # rows up to which tests of significance say more than distances; above, they find any trifle


def usual(kind: Kind, rows: int, categories: int) -> Detector:
    """The detector for a column by its kind, the rows at hand, and its number of categories."""
    if kind == "numeric":
        return KS if rows <= SMALL else WASSERSTEIN
    if rows > SMALL:
        return JENSEN_SHANNON
    return Z_TEST if categories <= 2 else CHI_SQUARE
