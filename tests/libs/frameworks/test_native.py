"""What serves is equal to the framework: a graph where that is exact, else the library itself; seen on 10,000 rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, About, ExportRefused, Recipe, Saved
from headrace.runtimes import BadModel, load, read_description
from headrace.runtimes.native import OUTPUTS, PREPARATION
from headrace.tasks import TASKS

ABOUT = About(run="run-1", created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
ROWS = 10_000
CLOSE = 1e-5  # relative to the size of a number: the README states the largest one seen
COLUMNS = [
    Column(name="distance", type="integer", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="weekend", type="boolean", nullable=False),
    Column(name="carrier", type="string", nullable=True),
]
NUMBERS = COLUMNS[:3]


@dataclass(frozen=True)
class Case:
    """One way to fit, and what must serve it."""

    framework: str
    estimator: str
    params: Mapping[str, Any]
    task: str
    runtime: str
    columns: tuple[Column, ...] = tuple(COLUMNS)

    def __str__(self) -> str:
        told = "-".join(f"{name}={value}" for name, value in self.params.items() if not isinstance(value, list))
        return f"{self.estimator.rpartition('.')[2]}-{self.task}-{told}"


NETWORK = "headrace.frameworks.torch.Tabular"
DEEP = {"layers": [64, {"units": 32, "activation": "gelu", "dropout": 0.2}], "batch_norm": True, "epochs": 10}
FEW = {"n_estimators": 40}
LINEAR = {"linear_tree": True, **FEW}
HGB = "sklearn.ensemble.HistGradientBoosting"
CASES = [
    Case("sklearn", f"{HGB}Classifier", {"max_iter": 40}, "binary", "onnx"),
    Case("sklearn", f"{HGB}Classifier", {"max_iter": 20}, "multiclass", "onnx"),
    Case("sklearn", f"{HGB}Regressor", {"max_iter": 40}, "regression", "onnx"),
    Case("lightgbm", "lightgbm.LGBMClassifier", FEW, "binary", "onnx"),
    Case("lightgbm", "lightgbm.LGBMClassifier", FEW, "multiclass", "onnx"),
    Case("lightgbm", "lightgbm.LGBMRegressor", FEW, "regression", "onnx"),
    Case("lightgbm", "lightgbm.LGBMRegressor", LINEAR, "regression", "lightgbm"),
    Case("xgboost", "xgboost.XGBClassifier", {}, "binary", "onnx"),
    Case("xgboost", "xgboost.XGBClassifier", {}, "multiclass", "onnx"),
    Case("xgboost", "xgboost.XGBRegressor", {}, "regression", "onnx"),
    Case("xgboost", "xgboost.XGBClassifier", {"enable_categorical": True}, "binary", "xgboost"),
    Case("xgboost", "xgboost.XGBClassifier", {"enable_categorical": True}, "multiclass", "xgboost"),
    Case("xgboost", "xgboost.XGBRegressor", {"booster": "dart", "rate_drop": 0.2}, "regression", "xgboost"),
    Case("catboost", "catboost.CatBoostClassifier", {"iterations": 200}, "binary", "catboost"),
    Case("catboost", "catboost.CatBoostClassifier", {"iterations": 200}, "multiclass", "catboost"),
    Case("catboost", "catboost.CatBoostRegressor", {"iterations": 200}, "regression", "catboost"),
    Case("catboost", "catboost.CatBoostClassifier", {"iterations": 200}, "binary", "onnx", tuple(NUMBERS)),
    Case("catboost", "catboost.CatBoostClassifier", {"iterations": 200}, "multiclass", "onnx", tuple(NUMBERS)),
    Case("catboost", "catboost.CatBoostRegressor", {"cat_features": [], "iterations": 200}, "regression", "onnx"),
    Case("torch", f"{NETWORK}Classifier", {"epochs": 10}, "binary", "onnx"),
    Case("torch", f"{NETWORK}Classifier", {"epochs": 10}, "multiclass", "onnx"),
    Case("torch", f"{NETWORK}Regressor", {"epochs": 10}, "regression", "onnx"),
    Case("torch", f"{NETWORK}Classifier", DEEP, "binary", "onnx"),
    Case("torch", f"{NETWORK}Regressor", {**DEEP, "activation": "silu"}, "regression", "onnx"),
    Case("torch", f"{NETWORK}Regressor", {"epochs": 5}, "quantiles", "onnx"),
]


def rows(count: int, seed: int) -> pd.DataFrame:
    """Every kind of column; missing numbers and texts."""
    chance = np.random.default_rng(seed)
    wind, carrier = np.round(chance.gamma(2.0, 8.0, count), 2), chance.choice(["AA", "DL", "UA"], count)
    signal = wind * 1.5 + (carrier == "UA") * 25 + chance.normal(0, 12, count)
    return pd.DataFrame(
        {
            "distance": chance.integers(80, 4983, count),
            "wind": np.where(chance.random(count) < 0.1, np.nan, wind),
            "weekend": chance.random(count) < 0.3,
            "carrier": pd.Series(carrier, dtype=object).where(chance.random(count) > 0.08, None),
            "signal": (signal - signal.mean()) / signal.std(),
        }
    )


def hostile(count: int) -> pd.DataFrame:
    """Rows that training has not seen: missing values, categories that nobody knows, and numbers without end."""
    frame, chance = rows(count, 99), np.random.default_rng(5)
    frame["carrier"] = frame["carrier"].where(chance.random(count) > 0.1, "never seen")
    for share, value in ((0.02, np.inf), (0.02, -np.inf), (0.01, 1e300), (0.01, -0.0)):
        frame["wind"] = frame["wind"].where(chance.random(count) > share, value)
    return frame


def saved(case: Case, folder: Path) -> Saved:
    """Fit and save."""
    if case.framework not in FRAMEWORKS:
        pytest.skip(f"{case.framework} is not installed here: `make frameworks`")
    frame = rows(2_000, 7)
    frame["y"] = TASKS[case.task].example(frame["signal"].to_numpy())
    recipe = Recipe(case.estimator, case.params, 3, case.columns, "y", case.task)
    framework = FRAMEWORKS[case.framework]
    return framework.save(framework.fit(frame, recipe, lambda step, of: None), folder, ABOUT)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_serves_answers_as_the_framework_on_10000_rows(case: Case, tmp_path: Path) -> None:
    """Missing values, unseen categories and infinities included; the label is the same, and the numbers are close."""
    told = saved(case, tmp_path)
    asked = {column.name: hostile(ROWS)[column.name].to_numpy() for column in case.columns}

    served, own = load(tmp_path).answer(asked), FRAMEWORKS[case.framework].load(tmp_path).predict(asked)

    assert told.runtime == read_description(tmp_path).runtime == case.runtime
    assert (told.remark is None) == (case.runtime == "onnx")
    difference = 0.0
    for name, values in own.items():
        if values.dtype.kind == "f":
            apart = np.abs(served[name] - values) / np.maximum(1.0, np.abs(values))
            assert (np.isfinite(apart) | (~np.isfinite(values) & ~np.isfinite(served[name]))).all()
            difference = max(difference, float(np.nanmax(np.where(np.isfinite(apart), apart, 0.0))))
        else:
            assert served[name].tolist() == values.tolist()
    assert difference <= CLOSE
    print(f"{case}: served by {told.runtime}, differs by {difference:.1e}")


def test_a_model_that_the_library_answers_has_no_graph_of_its_own(tmp_path: Path) -> None:
    """Preparation and outputs are graphs, and the library reads its file between them; the description says which."""
    told = saved(CASES[6], tmp_path)

    names = {file.name for file in tmp_path.iterdir()}
    assert {PREPARATION, OUTPUTS, "model.lgb.txt", "proof.json"} <= names
    assert "model.onnx" not in names
    assert told.runtime == "lightgbm"
    assert str(told.remark).startswith("the model is answered by lightgbm itself: the ONNX graph of lightgbm.LGBMR")


def test_rows_of_the_proof_hold_what_the_framework_says(tmp_path: Path) -> None:
    """Twenty rows of those that were learned, JSON that any reader understands, infinities left out."""
    saved(CASES[3], tmp_path)
    proof = json.loads((tmp_path / "proof.json").read_text())

    own = FRAMEWORKS["lightgbm"].load(tmp_path).predict(proof["rows"])

    assert len(proof["rows"]["wind"]) == 20
    assert own["probability"].tolist() == proof["answers"]["probability"]
    assert own["label"].tolist() == proof["answers"]["label"]


def test_another_model_behind_the_same_description_is_noticed_when_it_is_loaded(tmp_path: Path) -> None:
    """The own file of another fit: every part can be read, and the answers are not those that were proved."""
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, leaves in ((one, 31), (other, 2)):
        folder.mkdir()
        params = {**LINEAR, "num_leaves": leaves}
        saved(Case("lightgbm", "lightgbm.LGBMRegressor", params, "regression", "lightgbm"), folder)

    (one / "model.lgb.txt").write_bytes((other / "model.lgb.txt").read_bytes())

    with pytest.raises(BadModel, match="its prediction differs on the rows of proof"):
        load(one)


def test_without_a_native_runtime_what_is_not_exact_is_refused(tmp_path: Path) -> None:
    """scikit-learn's own format runs code of its own, so nothing serves it but a graph."""
    case = Case("sklearn", "sklearn.ensemble.HistGradientBoostingRegressor", {"loss": "gamma"}, "regression", "onnx")
    frame = rows(500, 7).assign(y=lambda each: np.exp(each["signal"]))
    recipe = Recipe(case.estimator, case.params, 3, case.columns, "y", case.task)
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda step, of: None)

    with pytest.raises(ExportRefused):
        FRAMEWORKS["sklearn"].save(fitted, tmp_path, ABOUT)
    assert not (tmp_path / "MLmodel").exists()
