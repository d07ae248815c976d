"""From the import path in a declaration to an estimator, with its parameters checked before anything is fitted."""

import difflib
import importlib
import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor

from headrace.contracts.estimators import Estimator, EstimatorKind, frameworks
from headrace.frameworks.errors import BadEstimator


def build_estimator(
    path: str, params: Mapping[str, Any], seed: int, allowed: Sequence[str], more: Collection[str] = ()
) -> Any:
    """The estimator at `path` with `params`; `random_state` is the seed unless the params name another.

    `more` are parameters that the library documents beside those in the estimator's signature.
    """
    kind = estimator_class(path, allowed)
    usual = accepted(kind)
    known = {*usual, *more}
    for name in params:
        if name not in known:
            hints = usual if difflib.get_close_matches(name, usual, n=1, cutoff=0.5) else sorted(known)
            raise BadEstimator(unknown(f"{path} has no parameter", name, hints))
    seeded = {"random_state": seed} if "random_state" in known else {}
    estimator = kind(**{**seeded, **params})
    check_kind(path, estimator)
    return estimator


def listed_estimator(path: str, framework: str) -> Estimator | None:
    """An estimator as the catalogue lists it; None where it does not, and while the catalogue itself is made."""
    info = frameworks().get(framework)
    return info.estimators.get(path) if info else None


def by_own_names(params: Mapping[str, Any], listed: Estimator | None) -> dict[str, Any]:
    """Parameters by the names that the estimator itself gives them, where they are given by other ones (`eta`)."""
    return {(listed and listed.canonical(name)) or name: value for name, value in params.items()}


def accepted(kind: type) -> list[str]:
    """The parameters that an estimator takes by name."""
    parameters = inspect.signature(kind).parameters.values()
    return sorted(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))


def estimator_class(path: str, allowed: Sequence[str]) -> type:
    """The class at an import path, which must lie in the public part of an allowed package."""
    module_name, _, name = path.rpartition(".")
    parts = path.split(".")
    if parts[0] not in allowed or len(parts) < 2 or any(part.startswith("_") for part in parts):
        raise BadEstimator(f"estimator {path!r} is refused: only classes of {', '.join(allowed)} may be named")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise BadEstimator(f"estimator {path!r}: there is no module {module_name!r}") from error
    kind = getattr(module, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, BaseEstimator)):
        raise BadEstimator(unknown(f"{module_name} has no estimator", name, _estimators_in(module)))
    return kind


def check_kind(path: str, estimator: Any) -> None:
    """Refuse what is neither a regressor nor a ranker, nor a classifier that gives probabilities."""
    kind = kind_of(estimator)
    if kind is None:
        raise BadEstimator(f"{path} is neither a classifier nor a regressor")
    if kind == "classifier" and not hasattr(estimator, "predict_proba"):
        raise BadEstimator(f"{path} gives no probabilities with these parameters; choose a classifier that does")


def kind_of(estimator: Any) -> EstimatorKind | None:
    """What an estimator answers; rankers are told by their names, since scikit-learn has no word for them."""
    if type(estimator).__name__.endswith("Ranker"):
        return "ranker"
    return "classifier" if is_classifier(estimator) else "regressor" if is_regressor(estimator) else None


def unknown(problem: str, name: str, known: Sequence[str]) -> str:
    """A sentence about an unknown name that offers the nearest known one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"{problem} {name!r}" + (f"; did you mean {near[0]!r}?" if near else f"; it knows {', '.join(known)}")


def _estimators_in(module: Any) -> list[str]:
    names = getattr(module, "__all__", dir(module))
    return sorted(n for n in names if n[0].isupper() and hasattr(getattr(module, n, None), "fit"))
