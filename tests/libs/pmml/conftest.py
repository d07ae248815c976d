"""What the tests of PMML share: a graph that answers columns, and answers that are compared."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from headrace.pmml import Document
from headrace.pmml.compile import graph_of
from headrace.runtimes.onnx import OnnxModel

ROUNDING = 1e-12  # relative: sums in another order


def graph_answer(document: Document, columns: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
    """What the document's graph answers; raises NotExact where it has none."""
    return OnnxModel(graph_of(document), document.signature).answer(columns)


def apart(one: Any, other: Any) -> float:
    """How far two values are from each other, relative to the size of a number; infinite for others that differ."""
    if isinstance(one, str) or isinstance(other, str):
        return 0.0 if one == other else math.inf
    if one is None or other is None or one != one or other != other:
        return 0.0 if (one is None or one != one) and (other is None or other != other) else math.inf
    return 0.0 if one == other else abs(one - other) / max(1.0, abs(other))


def assert_same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    """Two answers have the same outputs, types and values, rounding apart."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.shape == other[name].shape, name
        assert values.dtype.kind == other[name].dtype.kind, name
        if values.dtype == object:
            assert values.tolist() == other[name].tolist(), name
        else:
            np.testing.assert_allclose(other[name], values, rtol=ROUNDING, atol=ROUNDING, err_msg=name)
