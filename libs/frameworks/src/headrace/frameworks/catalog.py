"""The frameworks there are: one file and one line each. Light: a framework is imported when it is asked for."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.base import Framework


@dataclass(frozen=True)
class Entry:
    """Where a framework is, and what it fits where a declaration names no estimator: gradient-boosted trees."""

    module: str
    """The module whose `FRAMEWORK` fits."""
    lister: str
    """The module whose `entry` lists the estimators that declarations may name, for `make schemas`."""
    package: str
    """The distribution that fits, whose version shapes a model."""
    classifier: str
    regressor: str

    @property
    def usual(self) -> Mapping[EstimatorKind, str]:
        """The estimator of each kind."""
        return {"classifier": self.classifier, "regressor": self.regressor}

    def load(self) -> Framework:
        """Import the framework: the module's `FRAMEWORK`."""
        return cast("Framework", importlib.import_module(self.module).FRAMEWORK)

    def listed(self) -> dict[str, Any]:
        """Its part of the catalogue of estimators, made from the library that is installed here."""
        return cast("dict[str, Any]", importlib.import_module(self.lister).entry())


_OURS, _TREES = "headrace.frameworks", "sklearn.ensemble.HistGradientBoosting"

# fmt: off
CATALOG: Mapping[str, Entry] = {
    "sklearn": Entry(f"{_OURS}.sklearn", f"{_OURS}.generate.sklearn", "scikit-learn", f"{_TREES}Classifier", f"{_TREES}Regressor"),  # noqa: E501
    "lightgbm": Entry(f"{_OURS}.lightgbm", f"{_OURS}.generate.lightgbm", "lightgbm", "lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor"),  # noqa: E501
}
# fmt: on


class _Imported(Mapping[str, Framework]):
    """The catalog's frameworks, each imported on first use."""

    def __getitem__(self, name: str) -> Framework:
        return CATALOG[name].load()

    def __iter__(self) -> Iterator[str]:
        return iter(CATALOG)

    def __len__(self) -> int:
        return len(CATALOG)


FRAMEWORKS: Mapping[str, Framework] = _Imported()
