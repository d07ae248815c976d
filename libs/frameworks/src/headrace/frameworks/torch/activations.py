"""What each activation does, in torch and in ONNX."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from headrace.frameworks.torch.writing import Writing


@dataclass(frozen=True)
class Activation:
    """One activation: the module that learns with it, and the nodes that answer as it does."""

    module: Callable[[], nn.Module]
    write: Callable[[Writing, str], str]


def _gelu(graph: Writing, x: str) -> str:
    """The value times the normal distribution function of it, by the error function (Hendrycks and Gimpel 2016)."""
    error = graph.add("Erf", [graph.add("Mul", [x, graph.number(1 / math.sqrt(2))])])
    twice = graph.add("Mul", [x, graph.add("Add", [error, graph.number(1.0)])])
    return graph.add("Mul", [twice, graph.number(0.5)])


def _silu(graph: Writing, x: str) -> str:
    return graph.add("Mul", [x, graph.add("Sigmoid", [x])])


# The constants are said, since ONNX and torch have others where none are.
OF_NAME: Mapping[str, Activation] = {
    "elu": Activation(nn.ELU, lambda graph, x: graph.add("Elu", [x], alpha=1.0)),
    "gelu": Activation(nn.GELU, _gelu),
    "identity": Activation(nn.Identity, lambda graph, x: graph.add("Identity", [x])),
    "leaky_relu": Activation(lambda: nn.LeakyReLU(0.01), lambda graph, x: graph.add("LeakyRelu", [x], alpha=0.01)),
    "relu": Activation(nn.ReLU, lambda graph, x: graph.add("Relu", [x])),
    "selu": Activation(nn.SELU, lambda graph, x: graph.add("Selu", [x], alpha=1.67326324, gamma=1.05070098)),
    "sigmoid": Activation(nn.Sigmoid, lambda graph, x: graph.add("Sigmoid", [x])),
    "silu": Activation(nn.SiLU, _silu),
    "softplus": Activation(nn.Softplus, lambda graph, x: graph.add("Softplus", [x])),
    "tanh": Activation(nn.Tanh, lambda graph, x: graph.add("Tanh", [x])),
}
