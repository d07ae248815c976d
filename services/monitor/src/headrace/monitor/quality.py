"""Quality of answers against their truth."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray

from headrace.contracts import METRICS
from headrace.monitor.sample import Sample

log = structlog.get_logger()

Floats = NDArray[np.float64]


def quality_of(sample: Sample, names: Sequence[str], minimum: int) -> dict[str, float]:
    """Each metric that can honestly be told, by the model's labels and its positive one.

    There is no figure from fewer than `minimum` rows with truth and answer, from one class alone, or where the metric
    has no value: never a NaN.
    """
    columns, told = _columns(sample), [name for name in names if name in METRICS and _fits(name, sample)]
    found = {name: _measure(name, columns, minimum) for name in told}
    return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}


def _fits(name: str, sample: Sample) -> bool:
    """Most metrics of classifiers are of one positive label among two."""
    return sample.scale.labels is None or sample.scale.hit is not None or name == "accuracy"


def _columns(sample: Sample) -> Mapping[str, Floats]:
    """Truth and answers as metrics take them: for two labels 1 is the positive one."""
    answers = {name: _numbers(sample.outputs[name]) for name in ("probability", "prediction") if name in sample.outputs}
    if sample.scale.labels is None:
        return {"truth": sample.truth, **answers}
    labels = {} if sample.labels is None else {"label": _coded(sample.labels, sample.scale.hit)}
    return {"truth": _coded(sample.truth, sample.scale.hit), **labels, **answers}


def _coded(places: Floats, hit: float | None) -> Floats:
    """Places of labels as 1 for the positive one and 0 for others; gaps stay gaps."""
    return places if hit is None else np.where(np.isfinite(places), places == hit, np.nan)


def _numbers(column: pd.Series) -> Floats:
    return np.asarray(pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def _measure(name: str, columns: Mapping[str, Floats], minimum: int) -> float | None:
    from headrace.monitor.measures import BY_COLUMN  # scikit-learn takes 2 s: the first judgement pays, not the start

    for column, functions in BY_COLUMN.items():
        if name in functions and column in columns:
            truth, answer = _known(columns["truth"], columns[column])
            if len(truth) < minimum or (METRICS[name].task == "classification" and len(np.unique(truth)) < 2):
                return None
            return _value(name, functions[name], truth, answer)
    return None


def _value(name: str, function: Callable[[Floats, Floats], float], truth: Floats, answer: Floats) -> float | None:
    try:
        return float(function(truth, answer))
    except ValueError as error:  # what scikit-learn cannot measure, such as a probability above 1
        log.warning("metric_has_no_value", metric=name, error=str(error))
        return None


def _known(truth: Floats, answer: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(truth) & np.isfinite(answer)
    return truth[known], answer[known]
