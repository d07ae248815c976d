"""The part of the catalogue of a library whose parameters are written down in a table of ours."""

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.catalog import CATALOG
from headrace.frameworks.fitting import NO_LEVELS
from headrace.frameworks.generate.trial import decided, fitting, tried
from headrace.frameworks.generate.values import Param
from headrace.frameworks.levels import Levels

FILES = "reads or writes a file on the node that trains"
STOP = "is said as training.early_stopping, for every framework"
TASK = "is decided by the declaration's task"
"""Why a run cannot take a parameter, where that is the same for every library."""
TAKES = ("weights", "monotone", "early_stopping")
"""What a declaration may ask of boosted trees beside their parameters."""


def listed(
    framework: str,
    kinds: Mapping[str, EstimatorKind],
    params: Mapping[EstimatorKind, Mapping[str, Param]],
    closed: Mapping[str, str],
    takes: Sequence[str] = TAKES,
    levels: Levels = NO_LEVELS,
) -> dict[str, Any]:
    """Each estimator with its parameters, after it was fitted and saved on a few rows."""
    entry = CATALOG[framework]
    found = {
        path: {
            "kind": kind,
            "needs": {},
            "params": dict(params[kind]),
            "closed": dict(closed),
            "takes": list(takes),
            "cannot": _cannot(framework, path, kind),
            **({"decided": decided(path, kind, levels)} if path in levels else {}),
        }
        for path, kind in kinds.items()
    }
    return {"version": entry.version, "usual": entry.usual, "estimators": found, "refused": {}}


def allowed(*values: Param, aliases: Sequence[str] = (), names: str | None = None) -> Param:
    """A parameter: what it takes, its other names, and whether it names columns or labels."""
    told: Param = {"allowed": list(values), **({"aliases": sorted(aliases)} if aliases else {})}
    return told | ({"names": names} if names else {})


def _cannot(framework: str, path: str, kind: EstimatorKind) -> dict[str, str]:
    """The tasks that an estimator cannot be trained for; it must be able to learn one."""
    cannot = tried(CATALOG[framework].load(), path, kind, {})
    if len(cannot) == fitting(kind):
        raise RuntimeError(f"{path} cannot be trained here: {cannot}")
    return cannot
