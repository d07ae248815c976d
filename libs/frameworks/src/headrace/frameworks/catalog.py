"""The frameworks there are: one file and one line each."""

from collections.abc import Mapping

from headrace.frameworks.base import Framework
from headrace.frameworks.lightgbm import LIGHTGBM
from headrace.frameworks.sklearn import SKLEARN

FRAMEWORKS: Mapping[str, Framework] = {
    "sklearn": SKLEARN,
    "lightgbm": LIGHTGBM,
}
