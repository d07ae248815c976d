"""scikit-learn's classifiers and regressors, with the constraints that they check their parameters against."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from numbers import Integral, Real
from typing import Any

from sklearn.utils import all_estimators
from sklearn.utils._param_validation import Hidden, Interval, Options, StrOptions, make_constraint

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.catalog import CATALOG
from headrace.frameworks.generate.trial import decided, fitting, tried
from headrace.frameworks.sklearn import LEVELS

KINDS: tuple[EstimatorKind, ...] = ("classifier", "regressor")
NAMES = {
    "class_weight": "labels",
    "monotonic_cst": "columns",
    "categorical_features": "columns",
    "interaction_cst": "columns",
}
"""Parameters whose keys or items are names: labels of the target, or feature columns."""

TYPES: Mapping[type, str] = {
    dict: "object",
    list: "list",
    tuple: "list",
    str: "string",
    bool: "boolean",
    Integral: "integer",
    int: "integer",
    Real: "number",
    float: "number",
}
Param = dict[str, Any]


def entry() -> dict[str, Any]:
    """The estimators that a run can fit and save, and why the others cannot be named."""
    estimators: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for kind in KINDS:
        for name, cls in all_estimators(type_filter=kind):
            path = f"{'.'.join(cls.__module__.split('.')[:2])}.{name}"
            needs = _needs(cls, kind)
            cannot = {} if (reason := _unbuildable(cls)) else _impossible(path, kind, needs)
            if reason or len(cannot) == fitting(kind):
                refused[path] = reason or next(iter(cannot.values()))
            else:
                told = {"kind": kind, "needs": needs, "params": _params(cls), "cannot": cannot, "takes": _takes(cls)}
                estimators[path] = {**told, "decided": decided(path, kind, LEVELS)}
    usual = CATALOG["sklearn"].usual
    return {"version": version("scikit-learn"), "usual": usual, "estimators": estimators, "refused": refused}


def _unbuildable(cls: type) -> str | None:
    needed = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    return f"needs {', '.join(needed)}, which a declaration cannot hold" if needed else None


def _takes(cls: Any) -> list[str]:
    """What a declaration may ask of an estimator beside its parameters."""
    fit, params = inspect.signature(cls.fit).parameters, inspect.signature(cls).parameters
    able = {"weights": "sample_weight" in fit, "monotone": "monotonic_cst" in params, "early_stopping": "X_val" in fit}
    return [name for name, can in able.items() if can]


def _impossible(path: str, kind: EstimatorKind, needs: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    params = {name: values[0] for name, values in needs.items()}
    return tried(CATALOG["sklearn"].load(), path, kind, params)


def _needs(cls: Any, kind: EstimatorKind) -> dict[str, list[Any]]:
    """Values of one parameter without which a classifier gives no probabilities."""
    if kind != "classifier" or _unbuildable(cls) or hasattr(cls(), "predict_proba"):
        return {}
    for name, param in _params(cls).items():
        able = [each for each in _choices(param) if hasattr(cls(**{name: each}), "predict_proba")]
        if able:
            return {name: able}
    return {}


def _choices(param: Param) -> list[Any]:
    booleans = [True, False] if any(each.get("type") == "boolean" for each in param.get("allowed", [])) else []
    return booleans + [value for each in param.get("allowed", []) for value in each.get("one_of", [])]


def _params(cls: Any) -> dict[str, Param]:
    known = inspect.signature(cls).parameters
    return {name: _param(cls, name, known[name].default) for name in sorted(known)}


def _param(cls: Any, name: str, default: Any) -> Param:
    constraints = cls._parameter_constraints.get(name, "no_validation")
    allowed = [] if isinstance(constraints, str) else [each for one in constraints for each in _allowed(one)]
    told = {"names": NAMES[name]} if name in NAMES else {}
    shown = {"default": default} if _is_value(default) else {}
    return {**({"allowed": allowed} if allowed else {}), **shown, **told}


def _is_value(default: Any) -> bool:
    """Whether a default is a value that JSON can say, rather than a mark of the library's own."""
    if isinstance(default, float) and not math.isfinite(default):
        return False
    return isinstance(default, (bool, int, float, str, type(None))) and default not in ("deprecated", "warn")


def _allowed(one: Any) -> Iterator[dict[str, Any]]:
    """What JSON can say of one constraint; what only Python can hold (callables, generators) is left out."""
    words = {"boolean": "boolean", "array-like": "list"}
    if one is None:
        yield {"type": "null"}
    elif isinstance(one, str):
        yield from [{"type": words[one]}] if one in words else _named(one)
    elif isinstance(one, type):
        yield from [{"type": TYPES[one]}] if one in TYPES else []
    elif isinstance(one, Interval):
        yield _interval(one)
    elif isinstance(one, (StrOptions, Options)) and not isinstance(one, Hidden):
        yield {"one_of": sorted(each for each in one.options if isinstance(each, (str, int, float)))}


def _named(word: str) -> Iterator[dict[str, Any]]:
    """Constraints that scikit-learn gives a name."""
    if word == "random_state":
        yield from ({"type": "integer", "min": 0, "max": 2**32 - 1}, {"type": "null"})
    elif word == "verbose":
        yield from ({"type": "integer", "min": 0}, {"type": "boolean"})
    elif word == "cv_object":
        yield from ({"type": "integer", "min": 2}, {"type": "null"})


def _interval(one: Any) -> dict[str, Any]:
    assert make_constraint(one) is one
    kind = "integer" if one.type is Integral else "number"
    ends = {"min": one.left, "max": one.right}
    closed = {"min": ("left", "both"), "max": ("right", "both")}
    bounds = {name: float(end) if kind == "number" else end for name, end in ends.items() if _finite(end)}
    opened = [name for name in bounds if one.closed not in closed[name]]
    return {"type": kind, **bounds, **({"open": opened} if opened else {})}


def _finite(end: Any) -> bool:
    return end is not None and abs(end) != float("inf")
