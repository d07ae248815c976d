"""LightGBM: boosters that no ONNX graph answers exactly for, such as those with linear models in their leaves."""

from pathlib import Path

import numpy as np

from headrace.contracts import Signature
from headrace.runtimes.native import Answering, Native, both_classes, classifies


class Lightgbm(Native):
    """Loads `model.lgb.txt`, LightGBM's own text."""

    name = "lightgbm"
    platform = "lightgbm_booster"
    file = "model.lgb.txt"

    def read(self, path: Path, signature: Signature) -> Answering:
        """The booster, one thread a call: a server runs many calls side by side."""
        import lightgbm

        booster = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))
        ended = both_classes if classifies(signature) else np.asarray
        return lambda matrix: ended(np.asarray(booster.predict(matrix, num_threads=1)))
