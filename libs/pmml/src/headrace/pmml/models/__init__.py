"""The kinds of models, one file and one line each."""

from collections.abc import Callable, Mapping
from functools import partial

from headrace.pmml.fields import DataField
from headrace.pmml.models.base import ABOUT, Body, Model, read_head
from headrace.pmml.models.general_regression import read_general_regression
from headrace.pmml.models.mining import read_mining
from headrace.pmml.models.network import read_network
from headrace.pmml.models.regression import read_regression
from headrace.pmml.models.scorecard import read_scorecard
from headrace.pmml.models.trees import read_tree
from headrace.pmml.xml import Element

Reader = Callable[[Element, Mapping[str, DataField]], Body]


def _mining(element: Element, dictionary: Mapping[str, DataField]) -> Body:
    return read_mining(element, dictionary, list(MODELS), partial(read_model, dictionary=dictionary))


MODELS: Mapping[str, tuple[Reader, tuple[str, ...]]] = {
    "RegressionModel": (read_regression, ("RegressionTable",)),
    "GeneralRegressionModel": (
        read_general_regression,
        ("ParameterList", "FactorList", "CovariateList", "PPMatrix", "PCovMatrix", "ParamMatrix"),
    ),
    "TreeModel": (read_tree, ("Node",)),
    "MiningModel": (_mining, ("Segmentation",)),
    "Scorecard": (read_scorecard, ("Characteristics",)),
    "NeuralNetwork": (read_network, ("NeuralInputs", "NeuralLayer", "NeuralOutputs")),
}
"""How each element is read, and the children that are its own."""


def read_model(element: Element, dictionary: Mapping[str, DataField]) -> Model:
    """A model of any kind; raises BadPmml."""
    read, own = MODELS[element.tag]
    return Model(read_head(element, dictionary, *own), read(element, dictionary))


__all__ = ["ABOUT", "MODELS", "Model", "read_model"]
