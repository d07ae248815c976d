"""PyTorch: tabular networks that are declared by their layers, served as ONNX graphs; text columns are embedded."""

from headrace.frameworks.torch.estimators import TabularClassifier, TabularRegressor
from headrace.frameworks.torch.framework import FRAMEWORK

__all__ = ["FRAMEWORK", "TabularClassifier", "TabularRegressor"]
