"""Parameters that name columns: from names, or places in the order of the features, to what the estimator is given.

An estimator sees numbers first and strings behind them (see `layout`), which is not the order of the features. So a
list by place is put into that order, too: a constraint never reaches another column than the one that was meant.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.frameworks.errors import BadEstimator

_VECTORS: Mapping[str, float] = {
    "monotonic_cst": 0,
    "monotone_constraints": 0,
    "mc": 0,
    "monotone_constraint": 0,
    "feature_contri": 1,
    "feature_contrib": 1,
    "fc": 1,
    "fp": 1,
    "feature_penalty": 1,
}
"""One number a column, and what a column gets that is not named."""

SETS = frozenset({"categorical_features", "categorical_feature", "cat_feature", "categorical_column", "cat_column"})
"""Columns that are categories."""
_GROUPS = frozenset({"interaction_cst", "interaction_constraints"})


def by_column(params: Mapping[str, Any], features: Sequence[str], seen: Sequence[str]) -> dict[str, Any]:
    """The parameters as an estimator takes them that sees the columns in the order of `seen`."""
    places = _Places(features, seen)
    return {name: places.translated(name, value) for name, value in params.items()}


class _Places:
    """Where each feature is for the estimator."""

    def __init__(self, features: Sequence[str], seen: Sequence[str]) -> None:
        self._features = features
        self._place = {name: place for place, name in enumerate(seen)}

    def translated(self, param: str, value: Any) -> Any:
        if param in _VECTORS and isinstance(value, Mapping | list | tuple):
            return self._vector(param, value)
        if param in SETS and isinstance(value, list | tuple):
            return self._set(param, value)
        if param in _GROUPS and isinstance(value, list | tuple):
            return [self._set(param, group) for group in value]
        return value

    def _vector(self, param: str, value: Any) -> list[Any]:
        if not isinstance(value, Mapping) and len(value) != len(self._features):
            raise BadEstimator(
                f"{param} has {len(value)} entries for {len(self._features)} features; name the columns instead, "
                f"as {{{self._features[0]}: {value[0] if value else 1}}}"
            )
        given = value if isinstance(value, Mapping) else dict(zip(self._features, value, strict=True))
        vector: list[Any] = [_VECTORS[param]] * len(self._place)
        for name, number in given.items():
            vector[self._at(param, name)] = number
        return vector

    def _set(self, param: str, value: Any) -> list[int]:
        if len(value) == len(self._features) and value and all(isinstance(each, bool) for each in value):
            value = [name for name, chosen in zip(self._features, value, strict=True) if chosen]
        return sorted(self._at(param, each) for each in value)

    def _at(self, param: str, column: Any) -> int:
        if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(self._features):
            return self._place[self._features[column]]
        if column not in self._place:
            raise BadEstimator(f"{param} names {column!r}, which is no feature; features are {', '.join(self._place)}")
        return self._place[column]
