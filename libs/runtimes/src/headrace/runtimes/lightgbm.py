"""LightGBM: boosters that no ONNX graph answers exactly for, such as those with linear models in their leaves."""

from pathlib import Path

import numpy as np

from headrace.contracts import Signature
from headrace.runtimes.native import Answering, Native, both_classes, classifies

_END = "\nend of trees\n"  # without it LightGBM's reader does not raise: it aborts the process


class Lightgbm(Native):
    """Loads `model.lgb.txt`, LightGBM's own text."""

    name = "lightgbm"
    platform = "lightgbm_booster"
    file = "model.lgb.txt"

    def read(self, path: Path, signature: Signature) -> Answering:
        """The booster, one thread a call: a server runs many calls side by side."""
        import lightgbm

        text = path.read_text(encoding="utf-8")
        if _END not in text:
            raise ValueError("it ends before its last tree; the file was cut")
        booster = lightgbm.Booster(model_str=text)
        ended = both_classes if classifies(signature) else np.asarray
        return lambda matrix: ended(np.asarray(booster.predict(matrix, num_threads=1)))
