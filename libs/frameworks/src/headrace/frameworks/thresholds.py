"""Thresholds of fitted trees, made exact in float32.

Graphs compare float32 with float32. A threshold that is rounded to the nearest float32 may move over a value: `a <= t`
changes its answer. Rounded down it cannot: for every float32 x, `x <= t` is `x <= down(t)`. Estimators see nothing but
numbers that float32 holds (see `preparation`), so their own answers stay the same, and the graph's are equal to them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree._tree import Tree

_MOST = 500  # thresholds whose neighbours are looked at: all of a small model, an even sample of a large one


def down(thresholds: np.ndarray) -> np.ndarray:
    """The greatest float32 that is not above each threshold, as float64."""
    with np.errstate(over="ignore"):  # beyond float32 is infinite there, and the largest one below
        nearest = np.asarray(thresholds, dtype=np.float64).astype(np.float32)
    above = nearest.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest).astype(np.float64)


def nearest(thresholds: np.ndarray) -> np.ndarray:
    """The float32 nearest to each threshold, as float64: for models that were fitted on float64.

    Rounding keeps the order, so that `x <= t` is `float32(x) <= nearest(t)` but where x is above t and both become the
    same number. Rounded down, every value that is its own threshold would be on the wrong side half of the time.
    """
    with np.errstate(over="ignore"):
        return np.asarray(thresholds, dtype=np.float64).astype(np.float32).astype(np.float64)


def make_exact(estimator: Any, rounded: Callable[[np.ndarray], np.ndarray] = down) -> None:
    """Round the thresholds of every scikit-learn tree inside a fitted estimator, in place."""
    for nodes, name in _nodes_in(estimator):
        nodes[name] = rounded(nodes[name])


def splits_of(estimator: Any) -> list[tuple[int, float]]:
    """(feature, threshold) of every split of the scikit-learn trees inside a fitted estimator."""
    found: list[tuple[int, float]] = []
    for nodes, name in _nodes_in(estimator):
        feature, inner = _inner(nodes)
        found += zip(feature[inner].tolist(), nodes[name][inner].tolist(), strict=True)
    return found


def beside(splits: list[tuple[int, float]], sample: pd.DataFrame, origins: Sequence[str | None]) -> pd.DataFrame:
    """Rows of the sample with one number put on a threshold, and on the next float32 above it.

    `origins` names the column of each number that the trees compare; a number that a step has made has none.
    """
    near = sorted({(feature, t) for feature, t in splits if origins[feature] is not None and np.isfinite(t)})
    if not near or sample.empty:
        return sample.head(0)
    picked = [near[i] for i in np.linspace(0, len(near) - 1, min(_MOST, len(near))).astype(int)]
    rows = sample.iloc[np.resize(np.arange(len(sample)), 2 * len(picked))].reset_index(drop=True)
    places = {name: place for place, name in enumerate(rows.columns)}
    for at, (feature, threshold) in enumerate(picked):
        lower, place = np.float32(down(np.array(threshold))), places[origins[feature]]
        rows.iloc[2 * at, place] = float(lower)
        rows.iloc[2 * at + 1, place] = float(np.nextafter(lower, np.float32(np.inf)))
    return rows


def _inner(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The feature of each node, and which nodes compare it with a threshold; single trees and boosted ones differ."""
    if "feature_idx" in (nodes.dtype.names or ()):
        return nodes["feature_idx"], ~(nodes["is_leaf"].astype(bool) | nodes["is_categorical"].astype(bool))
    return nodes["feature"], nodes["left_child"] >= 0


def _nodes_in(part: Any, seen: set[int] | None = None) -> Iterator[tuple[np.ndarray, str]]:
    """The node arrays of all trees below an estimator, each with the name of its thresholds."""
    seen = set() if seen is None else seen
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, Tree):
        yield part.__reduce__()[2]["nodes"], "threshold"
    elif type(part).__name__ == "TreePredictor":
        yield part.nodes, "num_threshold"
    else:
        for inside in _inside(part):
            yield from _nodes_in(inside, seen)


def _inside(part: Any) -> Iterator[Any]:
    if isinstance(part, list | tuple):
        yield from part
    elif isinstance(part, np.ndarray) and part.dtype == object:
        yield from part.ravel()
    elif type(part).__module__.startswith("sklearn") and hasattr(part, "__dict__"):
        yield from vars(part).values()
