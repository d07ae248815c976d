"""PMML's words for what a model does, and the tasks and outputs of Headrace that these are.

Runtimes lie below `headrace.tasks` and answer without it; a test holds both against each other.
"""

CLASSIFICATION, REGRESSION = "classification", "regression"
BINARY, MULTICLASS = "binary", "multiclass"
LABEL, PROBABILITY, PROBABILITIES, PREDICTION = "label", "probability", "probabilities", "prediction"
