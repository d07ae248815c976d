"""Categorical splits of scikit-learn's histogram trees, written as numeric splits on the same codes.

Such a split asks whether a category is in a set. Codes are small whole numbers, so a chain of `code <= k + 1/2` asks
the same, and a model of numeric splits is what skops keeps and ONNX knows. Every answer stays as it was: what is
missing or unknown has the code -1 here, below all others, and goes where the split sends missing values.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from headrace.frameworks.errors import BadEstimator

_BITS = 32  # of one word of scikit-learn's bitsets


def make_numeric(estimator: Any) -> None:
    """Rewrite a fitted HistGradientBoosting estimator with categorical features, in place; any other is left alone."""
    categorical = getattr(estimator, "is_categorical_", None)
    if categorical is None:
        return
    known = estimator._preprocessor.named_transformers_["encoder"].categories_
    if not all(np.array_equal(codes, np.arange(len(codes))) for codes in known):
        raise BadEstimator(
            "categorical_features may name text columns alone; declare the others as strings in the dataset's "
            "contract, or train with lightgbm.LGBMClassifier or LGBMRegressor and categorical_feature"
        )
    order = [*np.flatnonzero(categorical), *np.flatnonzero(~categorical)]  # as its own preprocessor puts the columns
    for predictors in estimator._predictors:
        for predictor in predictors:
            predictor.nodes = _Rewritten(predictor, order).nodes
            predictor.raw_left_cat_bitsets = np.zeros((0, 8), dtype=np.uint32)
            predictor.binned_left_cat_bitsets = np.zeros((0, 8), dtype=np.uint32)
    estimator._preprocessor = None
    estimator.is_categorical_ = None


class _Rewritten:
    """The nodes of one tree, the added ones behind the old ones."""

    def __init__(self, predictor: Any, order: Sequence[int]) -> None:
        old = predictor.nodes
        self._order = order
        self._more: list[np.void] = []
        self._size = len(old)
        changed = old.copy()
        for at, node in enumerate(old):
            if not node["is_leaf"]:
                changed[at]["feature_idx"] = order[node["feature_idx"]]
            if node["is_categorical"]:
                changed[at] = self._chain(node, predictor.raw_left_cat_bitsets[node["bitset_idx"]])
        self.nodes = np.concatenate([changed, np.array(self._more, dtype=old.dtype)]) if self._more else changed

    def _chain(self, node: np.void, bitset: np.ndarray) -> np.void:
        """The first split of the chain; the others are added, the last first."""
        *steps, (_, onward) = list(_runs(bitset, bool(node["missing_go_to_left"])))
        following = int(node["left"] if onward else node["right"])
        if not steps:  # all go one way
            steps = [(-0.5, onward)]
        for number, (bound, goes_left) in enumerate(reversed(steps)):
            split = node.copy()
            split["is_categorical"], split["num_threshold"] = 0, bound
            split["feature_idx"] = self._order[node["feature_idx"]]
            split["left"], split["right"] = int(node["left"] if goes_left else node["right"]), following
            if number == len(steps) - 1:
                return split
            self._more.append(split)
            following = self._size + len(self._more) - 1
        raise AssertionError("a chain has at least one split")


def _runs(bitset: np.ndarray, missing_left: bool) -> Iterator[tuple[float, bool]]:
    """(upper bound, whether it goes left) of each run of codes that go the same way, from -1 upwards."""
    sides = [missing_left, *(bool(bitset[code // _BITS] >> (code % _BITS) & 1) for code in range(len(bitset) * _BITS))]
    for code, (side, following) in enumerate(pairwise(sides), start=-1):
        if side != following:
            yield code + 0.5, side
    yield np.inf, sides[-1]
