"""XGBoost: boosters that no ONNX graph answers exactly for, such as those with categorical splits or dropped trees."""

from pathlib import Path
from typing import Any

import numpy as np

from headrace.contracts import Signature
from headrace.runtimes.native import Answering, Native, both_classes, classifies

CATEGORY = "c"  # of XGBoost's types of features


class Xgboost(Native):
    """Loads `model.json`; not XGBoost's binary form of it, which ends the whole process where the file was cut."""

    name = "xgboost"
    platform = "xgboost_booster"
    file = "model.json"

    def read(self, path: Path, signature: Signature) -> Answering:
        """The booster, one thread a call: a server runs many calls side by side."""
        import xgboost

        booster = xgboost.Booster(model_file=path)
        booster.set_param({"nthread": 1})
        return answering(booster, classifies(signature))


def answering(booster: Any, classifies: bool) -> Answering:
    """What a booster says of rows whose categories are codes; a code below 0 is a category that it has not seen."""
    categories = [place for place, kind in enumerate(booster.feature_types or ()) if kind == CATEGORY]

    def answer(matrix: np.ndarray) -> np.ndarray:
        found = booster.inplace_predict(_unseen_missing(matrix, categories), validate_features=False)
        return both_classes(found) if classifies else np.asarray(found)

    return answer


def _unseen_missing(matrix: np.ndarray, categories: list[int]) -> np.ndarray:
    """XGBoost takes no negative code: what it has not seen goes where missing values go."""
    if not categories:
        return matrix
    codes = matrix[:, categories]
    changed = matrix.copy()
    changed[:, categories] = np.where(codes < 0, np.nan, codes)
    return changed
