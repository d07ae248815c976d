"""A fitted network as nodes of an ONNX graph: no converter of torch is needed, and nothing but standard operators."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from torch import nn

from headrace.frameworks.layers import Layer
from headrace.frameworks.torch.activations import OF_NAME
from headrace.frameworks.torch.estimators import TabularClassifier, TabularRegressor
from headrace.frameworks.torch.network import Network
from headrace.frameworks.torch.writing import Writing


def register() -> None:
    """Tell skl2onnx how networks are converted, alone and beside others."""
    update_registered_converter(
        TabularClassifier,
        "HeadraceTorchClassifier",
        calculate_linear_classifier_output_shapes,
        _convert_classifier,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    update_registered_converter(
        TabularRegressor, "HeadraceTorchRegressor", calculate_linear_regressor_output_shapes, _convert_regressor
    )


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    graph, network = Writing(scope, container), operator.raw_operator.network_
    codes, probabilities = (output.full_name for output in operator.outputs)
    logits = _layers(graph, network, operator.inputs[0].full_name)
    graph.add("Softmax", [logits], probabilities, axis=1)
    graph.add("ArgMax", [probabilities], codes, axis=1, keepdims=0)


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    graph, network = Writing(scope, container), operator.raw_operator.network_
    found = _layers(graph, network, operator.inputs[0].full_name)
    scaled = graph.add("Mul", [found, graph.constant(_array(network.scale))])
    graph.add("Add", [scaled, graph.constant(_array(network.shift))], operator.outputs[0].full_name)


def _layers(graph: Writing, network: Network, rows: str) -> str:
    """`Network.inside` of `Network.take`."""
    value = _beside(graph, [*_numbers(graph, network, rows), *_embedded(graph, network, rows)])
    for layer, modules in zip(network.design.layers, network.hidden, strict=True):
        value = _layer(graph, layer, list(modules), value)
    return _linear(graph, network.last, value)


def _beside(graph: Writing, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.add("Concat", parts, axis=1)


def _numbers(graph: Writing, network: Network, rows: str) -> Iterator[str]:
    """The columns of numbers within their bounds; none where all columns are codes."""
    if not network.design.numbers:
        return
    chosen = graph.add("Gather", [rows, graph.constant(np.array(network.design.numbers))], axis=1)
    bound = _array(network.bound)
    lowest = graph.add("Max", [chosen, graph.constant(-bound)])
    yield graph.add("Min", [lowest, graph.constant(bound)])


def _embedded(graph: Writing, network: Network, rows: str) -> Iterator[str]:
    for each, table in zip(network.design.embedded, network.embeddings, strict=True):
        code = graph.add("Gather", [rows, graph.constant(np.array(each.place))], axis=1)
        above = graph.add("Less", [code, graph.number(0)])
        below = graph.add("Less", [code, graph.number(each.codes)])
        known = graph.add("And", [graph.add("Not", [above]), below])
        place = graph.add("Where", [known, graph.add("Add", [code, graph.number(1)]), graph.number(0)])
        index = graph.add("Cast", [place], to=7)
        yield graph.add("Gather", [graph.constant(_array(table.weight)), index], axis=0)


def _layer(graph: Writing, layer: Layer, modules: list[nn.Module], value: str) -> str:
    value = _linear(graph, modules[0], value)
    if layer.batch_norm:
        norm = modules[1]
        figures = [norm.weight, norm.bias, norm.running_mean, norm.running_var]
        inputs = [value, *(graph.constant(_array(each)) for each in figures)]
        value = graph.add("BatchNormalization", inputs, epsilon=norm.eps)
    return OF_NAME[layer.activation].write(graph, value)


def _linear(graph: Writing, module: nn.Module, value: str) -> str:
    weights = [graph.constant(_array(each)) for each in (module.weight, module.bias)]
    return graph.add("Gemm", [value, *weights], transB=1)


def _array(values: torch.Tensor) -> np.ndarray:
    return np.asarray(values.detach().numpy())
