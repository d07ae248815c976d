"""scikit-learn: any of its estimators, saved with skops under a fixed allow-list."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from headrace.frameworks.base import About, Fitted, Progress, Recipe, Saved
from headrace.frameworks.categories import make_numeric
from headrace.frameworks.errors import ExportRefused
from headrace.frameworks.estimators import build_estimator
from headrace.frameworks.fitting import PipelinePredictor, fit_pipeline, plainly, save_model
from headrace.frameworks.inner import Rows
from headrace.frameworks.levels import Levels, inner
from headrace.frameworks.preparation import Usual, for_distances, for_trees
from headrace.frameworks.skops_archive import stable
from headrace.frameworks.skops_io import io as skops_io
from headrace.frameworks.thresholds import make_exact, splits_of
from headrace.runtimes import BadModel

_ALLOWED = ("sklearn",)
_TREES = ("sklearn.ensemble", "sklearn.tree")
_NAN_TREES = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)  # whose ONNX graphs keep NaN's way
_HISTOGRAMS = {f"sklearn.ensemble.{each.__name__}" for each in _NAN_TREES}
_FILE = "model.skops"
LEVELS: Levels = {
    "sklearn.ensemble.HistGradientBoostingRegressor": lambda level: {"loss": "quantile", "quantile": level},
    "sklearn.ensemble.GradientBoostingRegressor": lambda level: {"loss": "quantile", "alpha": level},
    "sklearn.linear_model.QuantileRegressor": lambda level: {"quantile": level},
}
"""The estimators that learn quantiles, and how each is told which."""

TRUSTED = (
    "headrace.frameworks.preparation.prepared.Prepared",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)
"""Types that skops rebuilds beside its own defaults: plain holders of arrays and bytes that run no code on loading."""


class Sklearn:
    """Fits any scikit-learn classifier that gives probabilities, and any regressor."""

    name = "sklearn"

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        build_estimator(estimator, params, 0, _ALLOWED)

    def fit(self, frame: pd.DataFrame, recipe: Recipe, progress: Progress) -> Fitted:
        """Fit in one step: scikit-learn tells nothing on the way."""
        progress(0, 1)
        fitted = fit_pipeline(
            frame,
            recipe,
            lambda params: build_estimator(recipe.estimator, _stopping(recipe, params), recipe.seed, _ALLOWED),
            self._usual,
            _learn,
            "monotonic_cst",
            LEVELS,
        )
        for each in inner(fitted.estimator):
            make_numeric(each)
        make_exact(fitted.estimator)
        progress(1, 1)
        return replace(fitted, splits=splits_of(fitted.estimator))

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write `model.skops` and the rest of the directory."""
        data = stable(skops_io.dumps(fitted.pipeline))
        if foreign := set(skops_io.get_untrusted_types(data=data)) - set(TRUSTED):
            raise ExportRefused(f"{fitted.recipe.estimator} holds types that are not allowed: {sorted(foreign)}")
        (folder / _FILE).write_bytes(data)
        flavor = {"sklearn": {"pickled_model": _FILE, "serialization_format": "skops"}}
        return save_model(self.name, fitted, folder, about, flavor, ["scikit-learn", "skops"])

    def load(self, folder: Path) -> PipelinePredictor:
        """Rebuild the pipeline from `model.skops`; anything outside the allow-list is refused."""
        try:
            pipeline = skops_io.load(folder / _FILE, trusted=list(TRUSTED))
        except Exception as error:  # skops raises several kinds for foreign types and for damaged archives
            raise BadModel(f"{folder.name}/{_FILE} cannot be loaded: {error}") from error
        return PipelinePredictor.at(folder, pipeline)

    def _usual(self, estimator: Any) -> Usual:
        if not type(estimator).__module__.startswith(_TREES):
            return for_distances()
        return for_trees(keeps_nan=isinstance(estimator, _NAN_TREES))


def _learn(estimator: Any, rows: Rows, watched: Rows | None, params: Mapping[str, Any]) -> None:
    """Histogram trees are watched on rows of ours; all others stop by parameters of their own."""
    if watched is not None and isinstance(estimator, _NAN_TREES):
        more = {} if watched.weights is None else {"sample_weight": rows.weights, "sample_weight_val": watched.weights}
        estimator.fit(rows.seen, rows.truth, X_val=watched.seen, y_val=watched.truth, **more)
    else:
        plainly(estimator, rows, watched, params)


def _stopping(recipe: Recipe, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters by which histogram trees stop early."""
    asked = recipe.early_stopping if recipe.estimator in _HISTOGRAMS else None
    return params if asked is None else {**params, "early_stopping": True, "n_iter_no_change": asked.rounds}


FRAMEWORK = Sklearn()
