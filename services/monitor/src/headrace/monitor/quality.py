"""Quality of predictions against their truth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from headrace.contracts import METRICS


def quality_of(judged: pd.DataFrame, names: Sequence[str], minimum: int) -> dict[str, float]:
    """Each metric that can honestly be told; none with fewer than `minimum` rows or, for a classifier, one class.

    `judged` has `truth` and what the model said: `label` and `probability`, or `prediction`.
    """
    known = judged.dropna(subset=["truth"])
    if len(known) < minimum:
        return {}
    return {name: value for name in names if (value := _measure(name, known)) is not None}


def _measure(name: str, known: pd.DataFrame) -> float | None:
    from headrace.monitor.measures import BY_COLUMN  # scikit-learn takes 2 s: the first judgement pays, not the start

    truth = known["truth"].to_numpy(dtype=np.float64)
    if METRICS[name].task == "classification" and len(np.unique(truth)) < 2:
        return None
    for column, functions in BY_COLUMN.items():
        if name in functions and column in known:
            return float(functions[name](truth, known[column].to_numpy(dtype=np.float64)))
    return None
