"""A graph answers as its model does on both sides of every threshold, and where a forest is undecided."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, About, Fitted, Recipe
from headrace.frameworks.thresholds import beside, down
from headrace.runtimes import load

ABOUT = About(run="run", created=datetime(2026, 1, 2, tzinfo=UTC))
TREES = [
    ("lightgbm", "lightgbm.LGBMRegressor", {"min_child_samples": 1, "n_estimators": 20}),
    ("lightgbm", "lightgbm.LGBMClassifier", {"min_child_samples": 1, "n_estimators": 20}),
    ("sklearn", "sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 20, "min_samples_leaf": 1}),
    ("sklearn", "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 20, "min_samples_leaf": 1}),
    ("sklearn", "sklearn.ensemble.GradientBoostingRegressor", {"n_estimators": 20}),
    ("sklearn", "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 20}),
    ("sklearn", "sklearn.tree.DecisionTreeRegressor", {}),
]


@given(st.floats(-1e38, 1e38), st.floats(-(2.0**126), 2.0**126, width=32))
def test_a_threshold_that_is_rounded_down_divides_the_same_numbers(threshold: float, number: float) -> None:
    """For every float32, `x <= t` and `x <= down(t)` are the same; so are they just beside it."""
    exact = down(np.array([threshold]))[0]

    for x in (np.float32(number), np.float32(threshold), np.nextafter(np.float32(exact), np.float32(np.inf))):
        assert (float(x) <= threshold) == (x <= np.float32(exact))
    assert float(np.float32(exact)) == exact


def epochs(rows: int = 1200) -> pd.DataFrame:
    """Seconds since 1970, where neighbouring float32 are 128 apart, and latitudes with many digits."""
    rng = np.random.default_rng(5)
    epoch = 1_700_000_000 + 60 * np.arange(rows)
    latitude = 52.5 + rng.random(rows) * 1e-3
    value = np.sin(np.arange(rows) / 30) + 1000 * (latitude - 52.5)
    return pd.DataFrame({"epoch": epoch, "latitude": latitude, "v": value, "y": (value > np.median(value)).astype(int)})


FEATURES = [
    Column(name="epoch", type="integer", nullable=False),
    Column(name="latitude", type="number", nullable=False),
]


def fitted(framework: str, path: str, params: dict[str, Any]) -> Fitted:
    """A model of the epochs."""
    target, task = ("y", "binary") if path.endswith("Classifier") else ("v", "regression")
    return FRAMEWORKS[framework].fit(epochs(), Recipe(path, params, 0, FEATURES, target, task), lambda step, of: None)


@pytest.mark.parametrize(("framework", "path", "params"), TREES, ids=[path for _, path, _ in TREES])
def test_graph_and_model_agree_beside_every_threshold(
    framework: str, path: str, params: dict[str, Any], tmp_path: Path
) -> None:
    """Also where neighbouring numbers of the data are neighbours in float32: no row falls on the other side."""
    model = fitted(framework, path, params)

    FRAMEWORKS[framework].save(model, tmp_path, ABOUT)

    assert model.splits
    rows = pd.concat([model.sample, beside(list(model.splits), model.sample, model.origins)])
    asked = {name: rows[name].to_numpy() for name in ("epoch", "latitude")}
    own, graph = FRAMEWORKS[framework].load(tmp_path).predict(asked), load(tmp_path).answer(asked)
    for name, values in own.items():
        np.testing.assert_allclose(graph[name].astype(float), values.astype(float), rtol=1e-4, atol=1e-5)


def test_rounding_thresholds_changes_no_answer_of_lightgbm() -> None:
    """The booster that is kept answers as the one that was fitted."""
    model = fitted("lightgbm", "lightgbm.LGBMRegressor", {"n_estimators": 20})
    rows = epochs()[["epoch", "latitude"]].astype(np.float32).astype(np.float64)

    oracle = lightgbm.LGBMRegressor(n_estimators=20, random_state=0, verbosity=-1).fit(rows.to_numpy(), epochs()["v"])

    assert (model.pipeline.predict(rows) == oracle.predict(rows.to_numpy())).all()


@pytest.mark.parametrize("trees", [6, 14, 30, 38])
def test_a_tie_of_a_forest_is_a_tie_in_its_graph(trees: int, tmp_path: Path) -> None:
    """Exactly half of the trees: the label is the one that the forest gives, not the one of a float32 sum."""
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(0, 1, 609), 3).astype(np.float32).astype(float)
    frame = pd.DataFrame({"x": x, "y": rng.integers(0, 2, 609)})
    column = [Column(name="x", type="number", nullable=False)]
    recipe = Recipe("sklearn.ensemble.RandomForestClassifier", {"n_estimators": trees}, 1, column, "y", "binary")
    oracle = RandomForestClassifier(n_estimators=trees, random_state=1).fit(x[:, None], frame["y"])
    asked = np.linspace(-3, 3, 4000).astype(np.float32).astype(float)
    sure = oracle.predict_proba(asked[:, None])[:, 1]
    tied = np.abs(sure - 0.5) < 1e-9
    assert tied.any()

    model = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda step, of: None)
    FRAMEWORKS["sklearn"].save(model, tmp_path, ABOUT)

    graph = load(tmp_path).answer({"x": asked})
    assert (graph["probability"][tied] == 0.5).all()
    assert graph["label"].tolist() == (sure > 0.5 + 1e-9).astype(int).tolist()


def test_lightgbm_may_split_around_zero(tmp_path: Path) -> None:
    """Its threshold is then 1e-35, which no data hold: beside it the two need not agree."""
    chance = np.random.default_rng(0)
    wind = chance.normal(size=120)
    frame = pd.DataFrame({"wind": wind, "late": (wind + chance.normal(size=120) * 0.5 > 0).astype(int)})
    columns = [Column(name="wind", type="number", nullable=False)]
    recipe = Recipe("lightgbm.LGBMClassifier", {"min_child_samples": 5}, 0, columns, "late", "binary")

    fitted = FRAMEWORKS["lightgbm"].fit(frame, recipe, lambda step, of: None)
    zeros = [t for t in _thresholds(fitted) if 0 < abs(t) < 1e-34]
    saved = FRAMEWORKS["lightgbm"].save(fitted, tmp_path, About(run="r", created=datetime(2026, 1, 1, tzinfo=UTC)))

    assert zeros, "the data must make LightGBM split around zero"
    assert saved.largest_difference < 1e-5


def _thresholds(fitted: Fitted) -> list[float]:
    lines = [each for each in fitted.estimator.booster_.model_to_string().splitlines() if each.startswith("threshold=")]
    return [float(value) for line in lines for value in line.partition("=")[2].split()]
