"""The steps there are: one entry and one line each."""

from collections.abc import Mapping

from headrace.frameworks.preparation.steps.base import About, Learned, Step
from headrace.frameworks.preparation.steps.bins import BIN
from headrace.frameworks.preparation.steps.encode import FREQUENCY, ONE_HOT, ORDINAL, TARGET_MEAN
from headrace.frameworks.preparation.steps.impute import IMPUTE
from headrace.frameworks.preparation.steps.plain import DROP, PASSTHROUGH
from headrace.frameworks.preparation.steps.scale import LOG, MIN_MAX, ROBUST, STANDARD
from headrace.frameworks.preparation.steps.text import HASH, TF_IDF
from headrace.frameworks.preparation.steps.times import CYCLIC, DATE_PARTS

__all__ = ["STEPS", "About", "Learned", "Step"]

STEPS: Mapping[str, Step] = {
    "impute": IMPUTE,
    "standard": STANDARD,
    "min-max": MIN_MAX,
    "robust": ROBUST,
    "log": LOG,
    "one-hot": ONE_HOT,
    "ordinal": ORDINAL,
    "frequency": FREQUENCY,
    "target-mean": TARGET_MEAN,
    "bin": BIN,
    "hash": HASH,
    "tf-idf": TF_IDF,
    "date-parts": DATE_PARTS,
    "cyclic": CYCLIC,
    "passthrough": PASSTHROUGH,
    "drop": DROP,
}
"""Every step by its name in a declaration."""
