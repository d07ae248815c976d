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
    """Where each feature is for the estimator: in one place, in several where a step made several of it, or in none."""

    def __init__(self, features: Sequence[str], seen: Sequence[str]) -> None:
        self._features = features
        self._places = {name: [at for at, column in enumerate(seen) if column == name] for name in features}
        self._width = len(seen)

    def translated(self, param: str, value: Any) -> Any:
        if param in _VECTORS and isinstance(value, Mapping | list | tuple):
            return self._vector(param, value)
        if param in SETS and isinstance(value, list | tuple):
            return sorted(self._one(param, each) for each in self._chosen(value))
        if param in _GROUPS and isinstance(value, list | tuple):
            return [sorted(at for each in self._chosen(group) for at in self._at(param, each)) for group in value]
        return value

    def _vector(self, param: str, value: Any) -> list[Any]:
        if not isinstance(value, Mapping) and len(value) != len(self._features):
            raise BadEstimator(
                f"{param} has {len(value)} entries for {len(self._features)} features; name the columns instead, "
                f"as {{{self._features[0]}: {value[0] if value else 1}}}"
            )
        given = value if isinstance(value, Mapping) else dict(zip(self._features, value, strict=True))
        vector: list[Any] = [_VECTORS[param]] * self._width
        for name, number in given.items():
            places = [self._one(param, name)] if number != _VECTORS[param] else self._at(param, name)
            for place in places:
                vector[place] = number
        return vector

    def _chosen(self, value: Sequence[Any]) -> Sequence[Any]:
        """The columns that a list names; one of truth values says of each feature whether it is meant."""
        if len(value) == len(self._features) and value and all(isinstance(each, bool) for each in value):
            return [name for name, chosen in zip(self._features, value, strict=True) if chosen]
        return value

    def _one(self, param: str, column: Any) -> int:
        """The one place of a column; what is said of a number cannot be said of several that a step made of it."""
        places = self._at(param, column)
        if len(places) != 1:
            raise BadEstimator(
                f"{param} names {column!r}, of which its preparation makes {len(places)} columns; it can be said of a "
                "column that stays one"
            )
        return places[0]

    def _at(self, param: str, column: Any) -> list[int]:
        if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(self._features):
            column = self._features[column]
        if column not in self._places:
            raise BadEstimator(f"{param} names {column!r}, which is no feature; features are {', '.join(self._places)}")
        return self._places[column]
