"""Parameters that name columns reach those columns, whatever order the estimator sees them in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn.ensemble

from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, About, BadEstimator, Fitted, Recipe
from headrace.frameworks.lightgbm import documented
from headrace.frameworks.named_columns import by_column
from headrace.runtimes import load

ABOUT = About(run="run", created=datetime(2026, 1, 2, tzinfo=UTC))
COLUMNS = [
    Column(name="word", type="string", nullable=False),
    Column(name="x", type="number", nullable=False),
    Column(name="z", type="number", nullable=False),
]
CONSTRAINED = [
    ("sklearn", "sklearn.ensemble.HistGradientBoostingRegressor", "monotonic_cst"),
    ("sklearn", "sklearn.ensemble.RandomForestRegressor", "monotonic_cst"),
    ("lightgbm", "lightgbm.LGBMRegressor", "monotone_constraints"),
]


def frame() -> pd.DataFrame:
    """400 rows whose target falls with x, and rises with z."""
    rng = np.random.default_rng(2)
    x, z = rng.random(400), rng.random(400)
    word = rng.choice(["a", "b", "c"], 400)
    return pd.DataFrame({"word": word, "x": x, "z": z, "v": z - x + 0.2 * (word == "b") + rng.normal(0, 0.3, 400)})


def fit(framework: str, path: str, **params: Any) -> Fitted:
    """Fit without listening."""
    return FRAMEWORKS[framework].fit(
        frame(), Recipe(path, params, 0, COLUMNS, "v", "regression"), lambda step, of: None
    )


@pytest.mark.parametrize(("framework", "path", "param"), CONSTRAINED)
@pytest.mark.parametrize("given", [{"x": 1}, [0, 1, 0]], ids=["by name", "by place"])
def test_a_constraint_holds_for_the_column_that_it_names(
    framework: str, path: str, param: str, given: Any, tmp_path: Path
) -> None:
    """The column may only raise the answer, although it lowers the target; the graph keeps to it, too."""
    fitted = fit(framework, path, **{param: given})

    FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)

    steps = np.linspace(0, 1, 50)
    for word in "abc":
        answer = load(tmp_path).answer({"word": [word] * 50, "x": steps, "z": np.full(50, 0.4)})["prediction"]
        assert (np.diff(answer) >= -1e-6).all()
    free = fit(framework, path).pipeline.predict(fitted.sample.assign(x=0.9))
    assert free.mean() < fitted.pipeline.predict(fitted.sample.assign(x=0.9)).mean()


def test_lightgbm_takes_categories_by_name(tmp_path: Path) -> None:
    """As LightGBM does itself with the column's codes; the graph answers the same."""
    fitted = fit("lightgbm", "lightgbm.LGBMRegressor", categorical_feature=["word"], min_data_per_group=1)
    rows = frame()
    codes = rows["word"].map({"a": 0, "b": 1, "c": 2})
    seen = np.column_stack([rows[["x", "z"]].astype(np.float32).astype(np.float64), codes])
    oracle = lightgbm.LGBMRegressor(random_state=0, verbosity=-1, min_data_per_group=1)
    oracle.fit(seen, rows["v"], categorical_feature=[2])

    FRAMEWORKS["lightgbm"].save(fitted, tmp_path, ABOUT)

    answer = load(tmp_path).answer({name: rows[name].to_numpy() for name in ("word", "x", "z")})
    assert "==" in str(oracle.booster_.dump_model())
    np.testing.assert_allclose(answer["prediction"], oracle.predict(seen), atol=1e-5)


@pytest.mark.parametrize("path", ["HistGradientBoostingRegressor", "HistGradientBoostingClassifier"])
def test_histogram_trees_take_categories_by_name(path: str, tmp_path: Path) -> None:
    """scikit-learn's own answers, for unknown words too; skops and the graph keep them."""
    rng = np.random.default_rng(8)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    height = dict(zip(letters, rng.permutation(26), strict=True))
    rows = pd.DataFrame({"word": rng.choice(letters[:24], 3000), "x": rng.random(3000), "z": rng.random(3000)})
    rows["v"] = rows["word"].map(height) + 3 * rows["x"] + rng.normal(0, 1, 3000)
    rows["v"] = rows["v"] if path.endswith("Regressor") else (rows["v"] > 13).astype(int)
    params = {"categorical_features": ["word"], "max_iter": 30}
    task = "regression" if path.endswith("Regressor") else "binary"
    recipe = Recipe(f"sklearn.ensemble.{path}", params, 0, COLUMNS, "v", task)
    asked = rows.assign(word=rng.choice(letters, 3000))
    seen = asked[["x", "z"]].astype(np.float32).astype(np.float64).assign(word=asked["word"])
    oracle = getattr(sklearn.ensemble, path)(categorical_features=[2], max_iter=30, random_state=0)
    oracle.fit(rows[["x", "z"]].astype(np.float32).astype(np.float64).assign(word=rows["word"]), rows["v"])
    right = oracle.predict(seen) if path.endswith("Regressor") else oracle.predict_proba(seen)[:, 1]

    fitted = FRAMEWORKS["sklearn"].fit(rows, recipe, lambda step, of: None)
    FRAMEWORKS["sklearn"].save(fitted, tmp_path, ABOUT)

    columns = {name: asked[name].to_numpy() for name in ("word", "x", "z")}
    for predictor in (FRAMEWORKS["sklearn"].load(tmp_path).predict, load(tmp_path).answer):
        answer = predictor(columns)
        np.testing.assert_allclose(answer.get("probability", answer.get("prediction")), right, atol=1e-5)


def test_a_number_is_no_category_for_histogram_trees() -> None:
    """Its codes would not be its values; the error names the ways on."""
    rows = frame().assign(n=lambda f: (f["x"] * 5).astype(int) * 10)
    column = Column(name="n", type="integer", nullable=False)
    recipe = Recipe(
        "sklearn.ensemble.HistGradientBoostingRegressor",
        {"categorical_features": ["n"]},
        0,
        [column],
        "v",
        "regression",
    )

    with pytest.raises(BadEstimator, match="declare the others as strings"):
        FRAMEWORKS["sklearn"].fit(rows, recipe, lambda step, of: None)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"monotonic_cst": {"rain": 1}}, "monotonic_cst names 'rain', which is no feature; features are word, x, z"),
        ({"categorical_features": ["wrod"]}, "categorical_features names 'wrod'"),
        ({"monotonic_cst": [1, 0]}, "2 entries for 3 features"),
        ({"interaction_cst": [["x"], ["q"]]}, "interaction_cst names 'q'"),
    ],
)
def test_a_column_that_is_no_feature_is_refused(params: dict[str, Any], problem: str) -> None:
    """With the columns that there are."""
    with pytest.raises(BadEstimator, match=problem):
        by_column(params, ["word", "x", "z"], ["x", "z", "word"])


def test_groups_and_masks_become_places() -> None:
    """Of the columns as the estimator sees them: numbers first."""
    params = {"interaction_cst": [["word", "x"], [2]], "categorical_features": [True, False, False], "max_iter": 3}

    told = by_column(params, ["word", "x", "z"], ["x", "z", "word"])

    assert told == {"interaction_cst": [[0, 2], [1]], "categorical_features": [2], "max_iter": 3}


@pytest.mark.parametrize(
    "params",
    [
        {"max_bin": 63},
        {"scale_pos_weight": 3},
        {"device_type": "cpu"},
        {"alpha": 0.9},
        {"num_iterations": 7},
        {"eta": 0.2},
    ],
)
def test_every_documented_parameter_of_lightgbm_is_known(params: dict[str, Any]) -> None:
    """And its aliases; those in the signature of its scikit-learn class are only the commonest."""
    FRAMEWORKS["lightgbm"].check("lightgbm.LGBMRegressor", params)


def test_parameters_of_files_and_machines_are_unknown() -> None:
    """A run reads its rows and writes its model; nothing that a declaration says opens a file."""
    for name in ("forcedsplits_filename", "output_model", "machines", "config"):
        assert name not in documented()
        with pytest.raises(BadEstimator, match="no parameter"):
            FRAMEWORKS["lightgbm"].check("lightgbm.LGBMClassifier", {name: "x"})
