"""Artifacts for tasks that are told more than their name: quantiles, and the order of the rows of a group."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from onnx import TensorProto, helper

from headrace.contracts import DatasetIngested
from headrace.tasks import BadTruth
from headrace.testkit.s3 import S3

from .conftest import COLUMNS, World, flights
from .takeovers import ONE, data_of, onnx_bytes, refused, served, taken

Known = tuple[S3, DatasetIngested]
LEVELS = [0.05, 0.5, 0.95]
OF_WIND = {"task": "quantiles", "options": {"quantiles": LEVELS}, "metrics": ["pinball", "coverage"], **ONE}
BY_CARRIER: dict[str, Any] = {
    "task": "ranking",
    "options": {"query": "carrier"},
    "metrics": ["ndcg"],
    "grouped_by": "carrier",
    "context": [column for column in COLUMNS if column.name == "carrier"],
    "whole": True,
    **ONE,
}


def bands(width: int = 3) -> bytes:
    """A graph that answers some share of the wind for each level, not in rising order."""
    shares = [0.05, 0.0, 0.02][:width]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1, width], shares)
    outputs = [helper.make_tensor_value_info("bands", TensorProto.FLOAT, ["rows", width])]
    node = helper.make_node("MatMul", ["X", "w"], ["bands"])
    return onnx_bytes(node, outputs=outputs, initializer=[weights])


def test_quantiles_are_answered_as_declared(known: Known, tmp_path: Path) -> None:
    """The interval, the middle and all levels; the signature tells the levels on to monitor and evaluation."""
    brought = taken(known, bands(), **OF_WIND)

    assert brought.signature.task_options == {"quantiles": LEVELS}
    assert [tensor.name for tensor in brought.signature.outputs] == ["prediction", "quantiles", "lower", "upper"]
    assert brought.metrics.keys() == {"pinball", "coverage"}
    said = served(known, brought, tmp_path).answer({"wind": np.array([10.0, 20.0])})
    assert said["quantiles"] == pytest.approx(np.array([[0.0, 0.2, 0.5], [0.0, 0.4, 1.0]]), abs=1e-6)
    assert said["prediction"] == pytest.approx([0.2, 0.4], abs=1e-6)
    assert said["upper"] == pytest.approx([0.5, 1.0], abs=1e-6)


@pytest.mark.parametrize(("width", "told"), [(1, "1 number"), (2, "2 numbers")])
def test_another_number_of_quantiles_than_declared_is_refused(width: int, told: str, known: Known) -> None:
    """An interval cannot be made of what is not answered."""
    reason = refused(known, bands(width), **OF_WIND)
    assert f"the model gives {told} for a row, and the task quantiles takes 3, the quantiles 0.05, 0.5, 0.95" in reason


def test_a_regression_of_two_numbers_is_refused(known: Known) -> None:
    """Which of them is the prediction cannot be guessed."""
    reason = refused(known, bands(2), task="regression", metrics=["mae"], **ONE)
    assert "the model gives 2 numbers for a row, and the task regression takes 1" in reason


def test_a_ranker_is_judged_by_the_declared_groups(known: Known, tmp_path: Path) -> None:
    """LightGBM's own, as `lambdarank` makes it: a score, and the column of the groups in its signature."""
    rows = flights().sort_values("carrier")
    groups = rows.groupby("carrier").size().to_numpy()
    told = {"objective": "lambdarank", "verbosity": -1, "num_leaves": 7}
    booster = lightgbm.train(told, lightgbm.Dataset(rows[["wind"]], rows.late, group=groups), num_boost_round=10)

    brought = taken(known, booster.model_to_string().encode(), **BY_CARRIER)

    assert brought.signature.task_options == {"query": "carrier"}
    assert [column.name for column in brought.signature.context or ()] == ["carrier"]
    assert brought.holdout.grouped_by == "carrier"
    assert brought.metrics["ndcg"] > 0.9
    fresh = flights(rows=300, seed=4)
    said = served(known, brought, tmp_path).answer({"wind": fresh.wind.to_numpy()})["score"]
    assert said == pytest.approx(booster.predict(fresh[["wind"]]), abs=1e-5)


def test_groups_of_which_a_row_is_learned_do_not_judge(known: Known) -> None:
    """A query that it knows in part would flatter it; a dataset of rows from each of the three leaves none."""
    buckets, _ = known
    some = World(buckets).ingested(flights().head(30), version=9)
    learned = {"learned": data_of(some), "learned_columns": [column.name for column in COLUMNS]}
    assert taken(known, bands(1), **{**BY_CARRIER, **learned, "grouped_by": None}).compared_rows == 570
    with pytest.raises(BadTruth, match="none that it has not learned from"):
        taken(known, bands(1), **BY_CARRIER, **learned)
