"""Nodes and weights as a converter of skl2onnx adds them: every value has a name that nothing else in the graph has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from headrace.frameworks.preparation.nodes import OPSET


class Writing:
    """Appends to the graph that a converter is called for; a value is its name."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def constant(self, values: np.ndarray) -> str:
        """An array, with its own type."""
        name: str = self._scope.get_unique_variable_name("network_constant")
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        self._container.add_initializer(name, kind, list(values.shape), values.ravel().tolist())
        return name

    def number(self, value: float) -> str:
        """One float32."""
        return self.constant(np.array(value, dtype=np.float32))

    def add(self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """One node with one output, under a name that is given or made."""
        name: str = output or self._scope.get_unique_variable_name("network_value")
        self._container.add_node(
            operator,
            list(inputs),
            [name],
            name=self._scope.get_unique_operator_name("network"),
            op_version=OPSET[""],
            **attributes,
        )
        return name
