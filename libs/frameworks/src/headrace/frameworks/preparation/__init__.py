"""From rows to what estimators take: one matrix of numbers, made by one graph in training and in service.

Steps are declared, or usual for the estimator. Each learns its figures with scikit-learn where that has a transformer
for it, and writes itself as nodes of an ONNX graph; what the graph makes of the rows is what the estimator learns from.
Numbers (booleans and integers too) are rounded to float32 first, since that is what graphs compare with thresholds.
"""

from headrace.frameworks.preparation.chains import (
    Usual,
    for_distances,
    for_embeddings,
    for_trees,
    learned_from,
)
from headrace.frameworks.preparation.prepared import Made, Prepared, Preparing, fit_preparation
from headrace.frameworks.preparation.rows import FEWEST_ROWS, prepare, target_of
from headrace.frameworks.preparation.steps import STEPS, About, Learned, Step

__all__ = [
    "FEWEST_ROWS",
    "STEPS",
    "About",
    "Learned",
    "Made",
    "Prepared",
    "Preparing",
    "Step",
    "Usual",
    "fit_preparation",
    "for_distances",
    "for_embeddings",
    "for_trees",
    "learned_from",
    "prepare",
    "target_of",
]
