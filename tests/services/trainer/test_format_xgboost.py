"""XGBoost's own files; most of it runs by `make frameworks`, where XGBoost is installed."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import DatasetIngested
from headrace.runtimes import read_description
from headrace.testkit.s3 import S3
from headrace.trainer.formats.catalog import FORMATS, sniffed

from . import made_elsewhere as made
from .conftest import flights
from .takeovers import ONE, refused, served, taken

Known = tuple[S3, DatasetIngested]
installed = pytest.mark.skipif(find_spec("xgboost") is None, reason="no XGBoost here: `make frameworks` has it")
missing = pytest.mark.skipif(find_spec("xgboost") is not None, reason="XGBoost is installed here")
TOLD = {"objective": "binary:logistic", "max_depth": 3, "seed": 1, "nthread": 1}


def booster(rows: pd.DataFrame, names: bool = True, **params: Any) -> Any:
    """A booster of the wind."""
    import xgboost

    features = rows[["wind"]] if names else rows[["wind"]].to_numpy()
    return xgboost.train({**TOLD, **params}, xgboost.DMatrix(features, rows.late), num_boost_round=10)


def said_of(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """What XGBoost says of the wind itself."""
    import xgboost

    return np.asarray(model.predict(xgboost.DMatrix(rows[["wind"]].to_numpy(), feature_names=model.feature_names)))


def serves(known: Known, brought: Any, folder: Path, rows: pd.DataFrame, output: str = "probability") -> np.ndarray:
    """What the directory answers."""
    columns = {tensor.name: rows[tensor.name].to_numpy() for tensor in brought.signature.inputs}
    return np.asarray(served(known, brought, folder).answer(columns)[output])


def runtime_of(known: Known, brought: Any, folder: Path) -> str:
    """What answers it."""
    return read_description(known[0].sync.get_directory(brought.artifact, folder / "described")).runtime


@missing
def test_without_xgboost_its_files_are_known_and_refused_with_what_to_install(known: Known) -> None:
    """Nobody is told that the file is none of the formats."""
    text = json.dumps({"learner": {"objective": {"name": "binary:logistic"}}, "version": [3, 1, 0]})
    reason = refused(known, text.encode(), "vendor.json")
    assert "vendor.json is a model of XGBoost; framework xgboost is not installed where models are trained" in reason
    assert "headrace-trainer[xgboost]" in reason
    assert "convert it to ONNX" in reason


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"learner":{}}', True),
        (b'{\n  "learner": {}}', True),
        (b"{L" + (7).to_bytes(8, "big") + b"learner{", True),
        (b'{"layers": []}', False),
        (b"learner", False),
        (b"", False),
    ],
)
def test_a_booster_is_known_by_its_learner(data: bytes, found: bool, tmp_path: Path) -> None:
    """As JSON and as UBJSON, whatever the file is called."""
    (tmp_path / "model").write_bytes(data)
    if found:
        assert sniffed(tmp_path).name == "xgboost"
    assert (FORMATS["xgboost"].load().found(tmp_path) is not None) is found


@installed
@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize("names", [True, False])
def test_a_booster_answers_by_a_graph(form: str, names: bool, known: Known, tmp_path: Path) -> None:
    """Of either form, with names of its columns or without, on rows that the import has not seen."""
    model, fresh = booster(flights(), names), flights(rows=2_000, seed=7)
    brought = taken(known, bytes(model.save_raw(form)), order=None if names else ["wind"])

    assert (brought.format, brought.framework, brought.producer) == ("xgboost", "xgboost", "XGBoost")
    assert runtime_of(known, brought, tmp_path) == "onnx"
    assert serves(known, brought, tmp_path, fresh) == pytest.approx(said_of(model, fresh), abs=1e-6)
    assert brought.differing_rows == 0


@installed
def test_dropped_trees_are_answered_natively_and_the_reason_is_told(known: Known, tmp_path: Path) -> None:
    """`dart` weighs its trees, which no converter knows: XGBoost itself serves, and nothing differs."""
    model, fresh = booster(flights(), booster="dart", rate_drop=0.5), flights(rows=500, seed=8)
    brought = taken(known, bytes(model.save_raw("json")))

    assert runtime_of(known, brought, tmp_path) == "xgboost"
    assert [each for each in brought.warnings if "it is answered by xgboost itself" in each and "dart" in each]
    assert serves(known, brought, tmp_path, fresh) == pytest.approx(said_of(model, fresh), abs=1e-7)
    assert (tmp_path / "described" / "proof.json").exists()


@installed
def test_categories_of_pandas_are_kept(known: Known, tmp_path: Path) -> None:
    """The file has its words; a word that it has not seen goes where missing values go."""
    model, fresh = made.xgboost_booster(flights()), flights(rows=500, seed=9)
    brought = taken(known, bytes(model.save_raw("ubj")))

    assert [column.name for column in brought.features] == made.FEATURES
    expected = made.probability(model, fresh)
    assert serves(known, brought, tmp_path, fresh) == pytest.approx(expected, abs=1e-6)
    unseen = serves(known, brought, tmp_path / "again", fresh.assign(carrier="ZZ"))
    missing = serves(known, brought, tmp_path / "once more", fresh.assign(carrier=None))
    assert unseen.tolist() == missing.tolist()


@installed
def test_labels_alone_are_answered_with_their_probabilities(known: Known, tmp_path: Path) -> None:
    """`multi:softmax` has the same sums as `multi:softprob`, and tells the greatest alone."""
    rows = flights()
    soft = booster(rows, objective="multi:softprob", num_class=2)
    brought = taken(known, bytes(booster(rows, objective="multi:softmax", num_class=2).save_raw("json")))
    assert serves(known, brought, tmp_path, rows) == pytest.approx(said_of(soft, rows)[:, 1], abs=1e-6)


@installed
@pytest.mark.parametrize(
    ("objective", "task", "why"),
    [
        ("reg:squarederror", "binary", "has the objective 'reg:squarederror', and the declared task is binary"),
        ("binary:hinge", "binary", "it gives no probabilities"),
        ("binary:logistic", "regression", "has the objective 'binary:logistic', and the declared task is regression"),
    ],
)
def test_another_objective_than_the_task_is_refused(objective: str, task: str, why: str, known: Known) -> None:
    """By both names."""
    data = bytes(booster(flights(), objective=objective).save_raw("json"))
    assert why in refused(known, data, task=task, metrics=["mae" if task == "regression" else "brier"])


@installed
def test_quantiles_of_one_booster_are_answered_as_declared(known: Known, tmp_path: Path) -> None:
    """It answers a number for each of its levels; no converter knows that."""
    levels = [0.1, 0.5, 0.9]
    model = booster(flights(), objective="reg:quantileerror", quantile_alpha=levels)
    asked = {"task": "quantiles", "options": {"quantiles": levels}, "metrics": ["pinball"], **ONE}
    brought = taken(known, bytes(model.save_raw("json")), **asked)
    fresh = flights(rows=300, seed=3)
    expected = np.sort(said_of(model, fresh), axis=1)
    assert serves(known, brought, tmp_path, fresh, "quantiles") == pytest.approx(expected, abs=1e-6)


@installed
@pytest.mark.parametrize("form", ["json", "ubj"])
def test_a_cut_file_is_refused_and_ends_nobody(form: str, known: Known) -> None:
    """XGBoost's reader of the binary form ends its process at some places; at none of them ours."""
    data = bytes(booster(flights()).save_raw(form))
    for size in (len(data) // 3, len(data) // 2, len(data) - 1):
        assert "cannot be loaded by XGBoost" in refused(known, data[:size], f"model.{form}")


@installed
def test_the_flavor_xgboost_of_a_mlflow_directory_is_read(known: Known) -> None:
    """With the library's version as the flavor says it."""
    flavor = {"xgboost": {"data": "model.xgb", "xgb_version": "3.1.0", "model_format": "xgb"}}
    directory = made.mlflow(flavor, {"model.xgb": bytes(booster(flights()).save_raw("ubj"))})
    brought = taken(known, made.tar(directory))
    assert (brought.format, brought.producer) == ("mlflow", "XGBoost 3.1.0; MLflow 3.1.0")
