"""The two steps that do nothing: a column that goes to the estimator as it is, and one that does not go there."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from headrace.contracts.preparation import BOOLEAN, NUMERIC, TEXT, TIMESTAMP, StepInfo
from headrace.frameworks.preparation.steps.base import About, Learned, Step


def _as_it_is(values: np.ndarray, params: Mapping[str, Any], about: About) -> Learned:
    return Learned(lambda nodes, value: value)


PASSTHROUGH = Step(
    StepInfo("a number as it is", {NUMERIC: NUMERIC, BOOLEAN: NUMERIC}, alone=True), _as_it_is, keeps=True
)
DROP = Step(
    StepInfo(
        "no feature: it is neither learned from nor asked for",
        dict.fromkeys((NUMERIC, BOOLEAN, TEXT, TIMESTAMP), NUMERIC),
        alone=True,
        leaves_out=True,
    ),
    _as_it_is,
)
