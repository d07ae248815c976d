"""The frameworks there are: one file and one line each. Light: a framework is imported when it is asked for."""

import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.base import Framework
from headrace.frameworks.errors import NotInstalled


@dataclass(frozen=True)
class Entry:
    """Where a framework is, and what it fits where a declaration names no estimator: gradient-boosted trees."""

    module: str
    """The module whose `FRAMEWORK` fits."""
    lister: str
    """The module whose `entry` lists the estimators that declarations may name, for `make schemas`."""
    package: str
    """The distribution that fits, whose version shapes a model."""
    classifier: str | None = None
    regressor: str | None = None
    instead: tuple[str, ...] = ()
    """Other distributions of the same library."""
    ranker: str | None = None
    """The estimator that learns an order, where the framework has one."""
    deterministic: bool = True
    """Whether the same rows, parameters and seed give the same files, byte for byte, on processors of one kind."""

    @property
    def installed(self) -> str | None:
        """The distribution that is installed here; None where there is none."""
        return next((name for name in (self.package, *self.instead) if _version(name)), None)

    @property
    def version(self) -> str:
        """The version of the library that is installed here; raises NotInstalled."""
        found = _version(self.distribution)
        assert found is not None
        return found

    @property
    def distribution(self) -> str:
        """The distribution that fits here; raises NotInstalled."""
        found = self.installed
        if found is None:
            raise NotInstalled(
                f"{self.package} is not installed here; install headrace-frameworks[{self.extra}], or name another "
                "framework"
            )
        return found

    @property
    def extra(self) -> str:
        """The extra of this package that brings the library: the name of the module."""
        return self.module.rpartition(".")[2]

    @property
    def usual(self) -> Mapping[EstimatorKind, str]:
        """The estimator of each kind that the framework has."""
        found: dict[EstimatorKind, str | None] = {"classifier": self.classifier, "regressor": self.regressor}
        found["ranker"] = self.ranker
        return {kind: path for kind, path in found.items() if path is not None}

    def usual_of(self, kinds: Sequence[EstimatorKind]) -> str:
        """The estimator of the first of some kinds that the framework has; empty where it has none."""
        return next((self.usual[kind] for kind in kinds if kind in self.usual), "")

    def load(self) -> Framework:
        """Import the framework: the module's `FRAMEWORK`; raises NotInstalled."""
        assert self.distribution
        return cast("Framework", importlib.import_module(self.module).FRAMEWORK)

    def listed(self) -> dict[str, Any]:
        """Its part of the catalogue of estimators, made from the library that is installed here."""
        return cast("dict[str, Any]", importlib.import_module(self.lister).entry())


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


_OURS, _TREES = "headrace.frameworks", "sklearn.ensemble.HistGradientBoosting"
_NETWORKS = f"{_OURS}.torch.Tabular"

# fmt: off
CATALOG: Mapping[str, Entry] = {
    "sklearn": Entry(f"{_OURS}.sklearn", f"{_OURS}.generate.sklearn", "scikit-learn", f"{_TREES}Classifier", f"{_TREES}Regressor"),  # noqa: E501
    "lightgbm": Entry(f"{_OURS}.lightgbm", f"{_OURS}.generate.lightgbm", "lightgbm", "lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor", ranker="lightgbm.LGBMRanker"),  # noqa: E501
    "xgboost": Entry(f"{_OURS}.xgboost", f"{_OURS}.generate.xgboost", "xgboost-cpu", "xgboost.XGBClassifier", "xgboost.XGBRegressor", ("xgboost",)),  # noqa: E501
    "catboost": Entry(f"{_OURS}.catboost", f"{_OURS}.generate.catboost", "catboost", "catboost.CatBoostClassifier", "catboost.CatBoostRegressor", deterministic=False),  # noqa: E501
    "torch": Entry(f"{_OURS}.torch", f"{_OURS}.generate.torch", "torch", f"{_NETWORKS}Classifier", f"{_NETWORKS}Regressor"),  # noqa: E501
    "code": Entry(f"{_OURS}.code.framework", f"{_OURS}.code.listing", "headrace-code", deterministic=False),
}
# fmt: on
LIBRARIES: Mapping[str, Entry] = {name: entry for name, entry in CATALOG.items() if entry.usual}
"""Those that have estimators to name; any other runs what a declaration brings."""


def not_installed(framework: str) -> str | None:
    """Why a framework of the catalog cannot be trained here, and what would help; None where it can."""
    entry = CATALOG.get(framework)
    if entry is None or entry.installed is not None:
        return None
    here = ", ".join(name for name, each in CATALOG.items() if each.installed is not None)
    told = f"framework {framework} is not installed where models are trained"
    return f"{told}; install headrace-trainer[{entry.extra}] there, or name another one: {here}"


class _Imported(Mapping[str, Framework]):
    """The catalog's frameworks that are installed here, each imported on first use."""

    def __getitem__(self, name: str) -> Framework:
        return CATALOG[name].load()

    def __iter__(self) -> Iterator[str]:
        return (name for name, entry in CATALOG.items() if entry.installed is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in list(self)


FRAMEWORKS: Mapping[str, Framework] = _Imported()
