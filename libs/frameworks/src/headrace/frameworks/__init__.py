"""Model frameworks: fit a model, save it without pickle, prove that its ONNX export says the same, serve it.

Serving needs numpy and ONNX Runtime alone; `FRAMEWORKS` imports the libraries that fit when one is asked for.
"""

from headrace.frameworks.base import About, Fitted, Framework, Predictor, Recipe, Saved
from headrace.frameworks.catalog import CATALOG, FRAMEWORKS
from headrace.frameworks.errors import (
    BadEstimator,
    BadModel,
    BadTrainingData,
    ExportRefused,
    FrameworkError,
    PickleFound,
)
from headrace.frameworks.labels import ForeignLabels, Labels
from headrace.frameworks.onnx import OnnxPredictor, load_onnx
from headrace.frameworks.pickles import refuse_pickle

__all__ = [
    "CATALOG",
    "FRAMEWORKS",
    "About",
    "BadEstimator",
    "BadModel",
    "BadTrainingData",
    "ExportRefused",
    "Fitted",
    "ForeignLabels",
    "Framework",
    "FrameworkError",
    "Labels",
    "OnnxPredictor",
    "PickleFound",
    "Predictor",
    "Recipe",
    "Saved",
    "load_onnx",
    "refuse_pickle",
]
