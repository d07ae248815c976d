"""Numbers as the place of the bin that they fall into."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.preprocessing import KBinsDiscretizer

from headrace.contracts.preparation import NUMERIC, StepInfo, StepParam
from headrace.frameworks.preparation.nodes import FLOAT, Nodes, Value
from headrace.frameworks.preparation.steps.base import About, Learned, Step


def _fit(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    """Inner edges of each column; a number that is an edge belongs to the bin above it."""
    numbers = values.astype(np.float64)
    declared = params["edges"]
    edges = [np.array(declared, dtype=np.float64) if declared else _edges(column, params) for column in numbers.T]

    def write(nodes: Nodes, value: Value) -> Value:
        return nodes.beside([_bins(nodes, nodes.columns(value, [at]), each) for at, each in enumerate(edges)])

    return Learned(write, {"edges": [len(each) for each in edges]})


def _bins(nodes: Nodes, column: Value, edges: np.ndarray) -> Value:
    number = nodes.double(column)
    inner = nodes.constant(edges[None, :] if len(edges) else np.array([[np.inf]]))
    above = nodes.add("GreaterOrEqual", [number.name, inner], 0)
    flags = nodes.add("Cast", [above.name], FLOAT, to=FLOAT)
    place = nodes.add("ReduceSum", [flags.name, nodes.constant(np.array([1]))], FLOAT, keepdims=1)
    return nodes.keep_missing(number, place)


def _edges(column: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """Of the numbers that are there; none where they are all the same."""
    known = column[~np.isnan(column)]
    if len(np.unique(known)) < 2:
        return np.zeros(0)
    ways: Mapping[str, Any] = {"quantile": {"quantile_method": "averaged_inverted_cdf"}, "uniform": {}}
    binner = KBinsDiscretizer(
        n_bins=params["bins"], encode="ordinal", strategy=params["by"], subsample=None, **ways[params["by"]]
    )
    found: Sequence[float] = binner.fit(known[:, None]).bin_edges_[0]
    return np.unique(np.asarray(found[1:-1], dtype=np.float64))


BIN = Step(
    StepInfo(
        "the place of the bin that a number falls into, from 0",
        {NUMERIC: NUMERIC},
        {
            "by": StepParam(
                "bins of equally many rows, of equal width, or between edges that are given",
                [{"one_of": ["edges", "quantile", "uniform"]}],
                default="quantile",
            ),
            "bins": StepParam(
                "how many",
                [{"type": "integer", "min": 2, "max": 1000}],
                default=5,
                only={"by": ["quantile", "uniform"]},
            ),
            "edges": StepParam(
                "the numbers at which a new bin begins",
                [{"type": "list", "of": {"type": "number"}, "rising": True}],
                only={"by": ["edges"]},
                needed=True,
            ),
        },
    ),
    _fit,
)
