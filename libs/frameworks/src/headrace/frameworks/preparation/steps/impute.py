"""What stands for a missing value."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer

from headrace.contracts.preparation import BOOLEAN, CATEGORY, NUMERIC, TEXT, StepInfo, StepParam
from headrace.frameworks.preparation.nodes import Nodes, Value
from headrace.frameworks.preparation.steps.base import About, Learned, Step

_STRATEGIES = ("median", "mean", "most-frequent", "constant")
_CONSTANTS: Mapping[str, Any] = {NUMERIC: {"type": "number"}, BOOLEAN: {"type": "boolean"}, TEXT: {"type": "string"}}


def _fit(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    return _text(values, params) if values.dtype == object else _numbers(values, params)


def _numbers(values: np.ndarray, params: Mapping[str, Any]) -> Learned:
    strategy = str(params["strategy"]).replace("-", "_")
    imputer = SimpleImputer(strategy=strategy, fill_value=params["value"], keep_empty_features=True)
    filled = imputer.fit(values.astype(np.float64)).statistics_.astype(np.float64)

    def write(nodes: Nodes, value: Value) -> Value:
        missing = nodes.missing(value)
        made = nodes.where(missing, nodes.constant(filled[None, :], value), value.name, value.type)
        return nodes.beside([made, nodes.cast(missing, value.type)]) if params["indicator"] else made

    columns = range(values.shape[1])
    made = [(at, "") for at in columns] + ([(at, " is missing") for at in columns] if params["indicator"] else [])
    return Learned(write, {"value": [float(each) for each in filled]}, made)


def _text(values: np.ndarray, params: Mapping[str, Any]) -> Learned:
    """Of text no node can do it: the step behind it is told what an empty text stands for."""
    instead = [_usual(column) if params["strategy"] != "constant" else str(params["value"]) for column in values.T]
    filled = np.where(values == "", np.array(instead, dtype=object)[None, :], values)
    return Learned(lambda nodes, value: replace(value, instead=instead), {"value": instead}, training=filled)


def _usual(column: np.ndarray) -> str:
    """The text that stands most often, of several the first by its letters; empty where all are missing."""
    counts = Counter(text for text in column.tolist() if text)
    return min(counts, key=lambda text: (-counts[text], text), default="")


IMPUTE = Step(
    StepInfo(
        "a value in place of a missing one",
        {NUMERIC: NUMERIC, BOOLEAN: NUMERIC, TEXT: CATEGORY},
        {
            "strategy": StepParam(
                "what stands for it, of the training rows",
                [{"one_of": sorted(_STRATEGIES)}],
                {TEXT: [{"one_of": ["constant", "most-frequent"]}]},
                default="median",
            ),
            "value": StepParam(
                "the constant",
                of={kind: [rule] for kind, rule in _CONSTANTS.items()},
                only={"strategy": ["constant"]},
                needed=True,
            ),
            "indicator": StepParam(
                "whether a column beside it says where it was missing",
                [{"type": "boolean"}],
                {TEXT: [{"one_of": [False]}]},
                default=False,
            ),
        },
    ),
    _fit,
    gaps="closes",
    keeps=True,
)
