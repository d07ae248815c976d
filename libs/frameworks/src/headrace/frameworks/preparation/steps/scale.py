"""Numbers on another scale."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from headrace.contracts.preparation import BOOLEAN, NUMERIC, StepInfo, StepParam
from headrace.frameworks.preparation.nodes import DOUBLE, Nodes, Value
from headrace.frameworks.preparation.steps.base import About, Fit, Learned, Step

_TAKES = {NUMERIC: NUMERIC, BOOLEAN: NUMERIC}
Figures = tuple[np.ndarray, np.ndarray]


def _scaled(figures: Callable[[np.ndarray, Mapping[str, Any]], Figures], names: tuple[str, str]) -> Fit:
    """(x - a) / b with two figures a column."""

    def fit(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
        start, unit = figures(values.astype(np.float64), params)

        def write(nodes: Nodes, value: Value) -> Value:
            shifted = nodes.add("Sub", [nodes.double(value).name, nodes.constant(start[None, :])], DOUBLE)
            return nodes.add("Div", [shifted.name, nodes.constant(unit[None, :])], DOUBLE)

        told = {name: [float(each) for each in found] for name, found in zip(names, (start, unit), strict=True)}
        return Learned(write, told)

    return fit


def _standard(values: np.ndarray, params: Mapping[str, Any]) -> Figures:
    scaler = StandardScaler().fit(values)
    return scaler.mean_, scaler.scale_


def _min_max(values: np.ndarray, params: Mapping[str, Any]) -> Figures:
    scaler = MinMaxScaler().fit(values)
    return scaler.data_min_, 1 / scaler.scale_


def _robust(values: np.ndarray, params: Mapping[str, Any]) -> Figures:
    scaler = RobustScaler(quantile_range=(params["low"], params["high"])).fit(values)
    return scaler.center_, scaler.scale_


def _log(values: np.ndarray, params: Mapping[str, Any]) -> Learned:
    def write(nodes: Nodes, value: Value) -> Value:
        number = nodes.double(value)
        size = nodes.add("Add", [nodes.add("Abs", [number.name], DOUBLE).name, nodes.constant(1.0)], DOUBLE)
        sign = nodes.add("Sign", [number.name], DOUBLE)
        return nodes.add("Mul", [sign.name, nodes.add("Log", [size.name], DOUBLE).name], DOUBLE)

    return Learned(write)


_PERCENT = [{"type": "number", "min": 0, "max": 100}]
STANDARD = Step(StepInfo("less the mean, by the standard deviation", _TAKES), _scaled(_standard, ("mean", "deviation")))
MIN_MAX = Step(StepInfo("from the least to the greatest as from 0 to 1", _TAKES), _scaled(_min_max, ("least", "range")))
ROBUST = Step(
    StepInfo(
        "less the median, by the distance of two percentiles",
        _TAKES,
        {
            "low": StepParam(
                "the lower percentile", [{"type": "number", "min": 0, "max": 50, "open": ["max"]}], default=25
            ),
            "high": StepParam(
                "the upper percentile", [{"type": "number", "min": 50, "max": 100, "open": ["min"]}], default=75
            ),
        },
    ),
    _scaled(_robust, ("median", "distance")),
)
LOG = Step(
    StepInfo("the logarithm of 1 and the number; of a negative one the same, negative", _TAKES),
    lambda values, params, about: _log(values, params),
)
