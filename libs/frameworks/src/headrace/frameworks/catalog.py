"""The frameworks there are: one file and one line each. Light: a framework is imported when it is asked for."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.base import Framework


@dataclass(frozen=True)
class Entry:
    """Where a framework is, and what it fits where a declaration names no estimator: gradient-boosted trees."""

    module: str
    classifier: str
    regressor: str

    @property
    def usual(self) -> Mapping[EstimatorKind, str]:
        """The estimator of each kind."""
        return {"classifier": self.classifier, "regressor": self.regressor}

    def load(self) -> Framework:
        """Import the framework: the module's `FRAMEWORK`."""
        return cast("Framework", importlib.import_module(f"headrace.frameworks.{self.module}").FRAMEWORK)


_TREES = "sklearn.ensemble.HistGradientBoosting"

CATALOG: Mapping[str, Entry] = {
    "sklearn": Entry("sklearn", f"{_TREES}Classifier", f"{_TREES}Regressor"),
    "lightgbm": Entry("lightgbm", "lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor"),
}


class _Imported(Mapping[str, Framework]):
    """The catalog's frameworks, each imported on first use."""

    def __getitem__(self, name: str) -> Framework:
        return CATALOG[name].load()

    def __iter__(self) -> Iterator[str]:
        return iter(CATALOG)

    def __len__(self) -> int:
        return len(CATALOG)


FRAMEWORKS: Mapping[str, Framework] = _Imported()
