"""CatBoost: models that no ONNX graph answers exactly for, such as all that learn from categories."""

from pathlib import Path
from typing import Any

import numpy as np

from headrace.contracts import Signature
from headrace.runtimes.native import Answering, Native, classifies


class Catboost(Native):
    """Loads `model.cbm`, CatBoost's own format."""

    name = "catboost"
    platform = "catboost_model"
    file = "model.cbm"

    def read(self, path: Path, signature: Signature) -> Answering:
        """The model, one thread a call: a server runs many calls side by side."""
        import catboost

        kind = catboost.CatBoostClassifier if classifies(signature) else catboost.CatBoostRegressor
        return answering(kind().load_model(str(path)))


def answering(model: Any) -> Answering:
    """What a fitted CatBoost model says of a matrix whose categories are codes.

    CatBoost counts numbers first and categories behind them; the place of each in our matrix is its name.
    """
    said = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    categories = [int(model.feature_names_[place]) for place in model.get_cat_feature_indices()]
    return lambda matrix: said(features(matrix, categories), thread_count=1)


def features(matrix: np.ndarray, categories: list[int]) -> Any:
    """A matrix as CatBoost takes it: numbers as they are, the codes of categories as text, each named by its place."""
    if not categories:
        return np.asarray(matrix, dtype=np.float32)
    from catboost import FeaturesData

    numbers = [place for place in range(matrix.shape[1]) if place not in set(categories)]
    codes = matrix[:, categories].astype(np.int64).astype(str).astype(np.bytes_).astype(object)
    found = np.ascontiguousarray(matrix[:, numbers], dtype=np.float32) if numbers else None
    return FeaturesData(
        num_feature_data=found,
        cat_feature_data=codes,
        num_feature_names=[str(place) for place in numbers] or None,
        cat_feature_names=[str(place) for place in categories],
    )
