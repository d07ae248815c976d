"""Writes models of scikit-learn, LightGBM and XGBoost as PMML, with rows and the library's own answers.

Run by the Python of an environment of its own: `export.py FOLDER` makes `<name>.pmml` and `<name>.json` for each.
"""

import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline

ROWS, SHOWN = 600, 200
NUMBERS = ["a", "b", "d"]


def frame() -> pd.DataFrame:
    """Three numbers and a colour."""
    rng = np.random.default_rng(7)
    found = pd.DataFrame({name: rng.normal(size=ROWS) for name in NUMBERS})
    return found.assign(c=rng.choice(["red", "green", "blue"], ROWS))


def prepared(*more):
    """Scaled numbers and colours as columns of 0 and 1."""
    numbers = more[0] if more else StandardScaler()
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("colours", OneHotEncoder(sparse_output=False), ["c"])])


def models():
    """By name: a pipeline, and which target it learns."""
    two, three, number = "two", "three", "number"
    plain = ColumnTransformer([("numbers", "passthrough", NUMBERS)])
    voters = [("line", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
    return {
        "LinearRegression": ([prepared(), LinearRegression()], number),
        "PoissonRegressor": ([prepared(), PoissonRegressor()], "count"),
        "LogisticRegression, two labels": ([prepared(), LogisticRegression()], two),
        "LogisticRegression, three labels": ([prepared(), LogisticRegression()], three),
        "LogisticRegression of bins": (
            [prepared(KBinsDiscretizer(4, encode="onehot-dense")), LogisticRegression()],
            two,
        ),
        "DecisionTreeClassifier": ([prepared(), DecisionTreeClassifier(max_depth=6, random_state=0)], three),
        "DecisionTreeRegressor": ([plain, DecisionTreeRegressor(max_depth=6, random_state=0)], number),
        "RandomForestClassifier": ([prepared(), RandomForestClassifier(20, max_depth=6, random_state=0)], three),
        "RandomForestRegressor": ([prepared(), RandomForestRegressor(20, max_depth=6, random_state=0)], number),
        "ExtraTreesClassifier": ([prepared(), ExtraTreesClassifier(20, max_depth=6, random_state=0)], two),
        "GradientBoostingClassifier": ([prepared(), GradientBoostingClassifier(n_estimators=20, random_state=0)], two),
        "GradientBoostingRegressor": ([prepared(), GradientBoostingRegressor(n_estimators=20, random_state=0)], number),
        "MLPClassifier": ([prepared(), MLPClassifier(hidden_layer_sizes=(8, 5), max_iter=60, random_state=0)], three),
        "MLPRegressor": ([prepared(), MLPRegressor(hidden_layer_sizes=(8, 5), max_iter=60, random_state=0)], number),
        "VotingClassifier": ([prepared(), VotingClassifier(voters, voting="soft")], two),
        "LGBMClassifier": ([plain, lightgbm.LGBMClassifier(n_estimators=20, verbose=-1)], three),
        "LGBMRegressor": ([plain, lightgbm.LGBMRegressor(n_estimators=20, verbose=-1)], number),
        "XGBClassifier": ([plain, xgboost.XGBClassifier(n_estimators=20, max_depth=4)], "place"),
        "XGBRegressor": ([plain, xgboost.XGBRegressor(n_estimators=20, max_depth=4)], number),
    }


def targets(rows: pd.DataFrame) -> dict:
    """Labels and numbers that the columns say something of."""
    rng = np.random.default_rng(8)
    signal = rows["a"] - rows["b"] ** 2 + (rows["c"] == "red") * 1.5 + rng.normal(0, 0.3, ROWS)
    three = np.array(["high", "low", "middle"])[np.where(signal > 0.5, 0, np.where(signal < -1, 1, 2))]
    return {
        "two": np.where(signal > 0, "yes", "no"),
        "three": three,
        "place": np.searchsorted(["high", "low", "middle"], three),
        "number": signal.to_numpy(),
        "count": np.floor(np.exp(signal.clip(-2, 2))).to_numpy(),
    }


def export(folder: Path) -> None:
    """Write everything."""
    rows = frame()
    learned = targets(rows)
    for name, (steps, target) in models().items():
        pipeline = PMMLPipeline([("preparation", steps[0]), ("model", steps[1])])
        pipeline.fit(rows, pd.Series(learned[target], name="y"))
        sklearn2pmml(pipeline, str(folder / f"{name}.pmml"))
        asked = rows.head(SHOWN)
        told = {"rows": asked.to_dict("list"), "answers": np.asarray(pipeline.predict(asked)).ravel().tolist()}
        if hasattr(pipeline, "predict_proba") and hasattr(steps[1], "classes_"):
            told["probabilities"] = pipeline.predict_proba(asked).tolist()
            told["labels"] = np.asarray(steps[1].classes_).tolist()
        (folder / f"{name}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    export(Path(sys.argv[1]))
