"""Model frameworks: fit a model, save it without pickle, prove that its ONNX export says the same, serve it.

Serving needs only `load_onnx` (numpy and ONNX Runtime); `FRAMEWORKS` brings the libraries that fit, and is
therefore imported on first use.
"""

from typing import TYPE_CHECKING

from headrace.frameworks.errors import (
    BadEstimator,
    BadModel,
    BadTrainingData,
    ExportRefused,
    FrameworkError,
    PickleFound,
)
from headrace.frameworks.onnx import OnnxPredictor, load_onnx
from headrace.frameworks.pickles import refuse_pickle

if TYPE_CHECKING:
    from headrace.frameworks.base import About, Fitted, Framework, Predictor, Recipe, Saved
    from headrace.frameworks.catalog import FRAMEWORKS

__all__ = [
    "FRAMEWORKS",
    "About",
    "BadEstimator",
    "BadModel",
    "BadTrainingData",
    "ExportRefused",
    "Fitted",
    "Framework",
    "FrameworkError",
    "OnnxPredictor",
    "PickleFound",
    "Predictor",
    "Recipe",
    "Saved",
    "load_onnx",
    "refuse_pickle",
]


def __getattr__(name: str) -> object:
    """Import what fits models when it is first asked for, so that a server never loads it."""
    if name == "FRAMEWORKS":
        from headrace.frameworks.catalog import FRAMEWORKS

        return FRAMEWORKS
    if name in __all__:
        from headrace.frameworks import base

        return getattr(base, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
