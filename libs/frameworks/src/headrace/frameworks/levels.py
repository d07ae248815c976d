"""Tasks that answer quantiles: one fit of the same estimator for each of them, put side by side as one estimator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor

from headrace.frameworks.errors import BadEstimator

Levels = Mapping[str, Callable[[float], Mapping[str, Any]]]
"""By the estimator's import path: the parameters with which it learns one quantile of the target."""


def params_of_levels(estimator: str, params: Mapping[str, Any], known: Levels) -> Callable[[float], dict[str, Any]]:
    """The parameters of an estimator for each quantile; raises BadEstimator where it learns none, or is told of one."""
    if estimator not in known:
        others = f"; those that do are {', '.join(known)}" if known else ""
        raise BadEstimator(f"{estimator} learns no quantiles{others}")
    at = known[estimator]
    if told := sorted(at(0.5).keys() & params.keys()):
        raise BadEstimator(f"{', '.join(told)} is decided by the quantiles of the task; leave it out")
    return lambda level: {**params, **at(level)}


def side_by_side(estimators: Sequence[Any]) -> Any:
    """Fitted estimators as one, whose answer is theirs in their order; one alone is itself."""
    if len(estimators) == 1:
        return estimators[0]
    found = MultiOutputRegressor(clone(estimators[0]))
    found.estimators_, found.n_features_in_ = list(estimators), estimators[0].n_features_in_
    return found


def inner(estimator: Any) -> Sequence[Any]:
    """The fitted estimators that stand side by side; one that stands alone."""
    return estimator.estimators_ if isinstance(estimator, MultiOutputRegressor) else [estimator]
