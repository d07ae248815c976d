"""A library's own model behind its preparation, kept by skops: the same calls as the pipeline that was fitted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io

from headrace.contracts import Signature
from headrace.frameworks.base import Fitted
from headrace.runtimes import BadModel
from headrace.runtimes.native import Answering, classifies

FILE = "preparation.skops"


def keep_preparation(fitted: Fitted, folder: Path) -> None:
    """Write what stands before the estimator."""
    (folder / FILE).write_bytes(skops.io.dumps(fitted.pipeline[:-1]))


def restored(folder: Path, signature: Signature, read: Callable[[], Answering]) -> Any:
    """Preparation and model of a directory as one; raises BadModel."""
    try:
        kind = _Classifying if classifies(signature) else _Regressing
        return kind(skops.io.load(folder / FILE, trusted=["numpy.dtype"]), read())
    except Exception as error:  # skops and the libraries raise several kinds for damaged files
        raise BadModel(f"{folder.name} cannot be loaded: {error}") from error


@dataclass(frozen=True)
class _Regressing:
    preparation: Any
    own: Answering

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.own(np.asarray(self.preparation.transform(frame), dtype=np.float32))


@dataclass(frozen=True)
class _Classifying(_Regressing):
    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        return self.predict(frame)
