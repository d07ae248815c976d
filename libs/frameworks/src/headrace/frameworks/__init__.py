"""Model frameworks: fit a model, save it without pickle, and prove that its artifact answers the same.

`FRAMEWORKS` imports the libraries that fit when one is asked for. What serves is in `headrace.runtimes`.
"""

from headrace.frameworks.base import About, EarlyStopping, Fitted, Framework, OnTheWay, Predictor, Recipe, Saved
from headrace.frameworks.catalog import CATALOG, FRAMEWORKS, LIBRARIES
from headrace.frameworks.errors import (
    BadEstimator,
    BadTrainingData,
    CodeFailed,
    ExportRefused,
    FrameworkError,
    NotInstalled,
)
from headrace.frameworks.own import CodeLimits, OwnCode, Resumed, Said

__all__ = [
    "CATALOG",
    "FRAMEWORKS",
    "LIBRARIES",
    "About",
    "BadEstimator",
    "BadTrainingData",
    "CodeFailed",
    "CodeLimits",
    "EarlyStopping",
    "ExportRefused",
    "Fitted",
    "Framework",
    "FrameworkError",
    "NotInstalled",
    "OnTheWay",
    "OwnCode",
    "Predictor",
    "Recipe",
    "Resumed",
    "Said",
    "Saved",
]
