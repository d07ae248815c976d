"""Columns that need a preparation: times, texts of many values, and values that nobody has learned from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.contracts import Column, Preparation
from headrace.runtimes import load

from .conftest import Alone, Lonely, make_model

FEATURES = [
    Column(name="wind", type="number", nullable=True),
    Column(name="at", type="timestamp", nullable=True),
    Column(name="booked", type="timestamp", nullable=False),
    Column(name="note", type="string", nullable=True),
    Column(name="place", type="string", nullable=True),
]
PREPARED = Preparation(
    kinds={"timestamp": [{"date-parts": {"parts": ["hour", "weekday"]}}]},
    columns={"booked": ["cyclic"], "note": [{"tf-idf": {"terms": 5}}], "place": [{"hash": {"buckets": 4}}]},
)
TIME = "2026-02-28T23:59:59Z"
ROWS: dict[str, list[Any]] = {
    "wind": [1.5, None, 0.25],
    "at": [TIME, None, "2026-03-01T01:59:59+02:00"],
    "booked": ["2026-01-01", "2025-12-31T12:00:00.123456", "0001-01-01T00:00:00Z"],
    "note": ["UA, UA and AA", "", None],
    "place": ["Ulm", "", None],
}


@pytest.fixture
async def served(alone: Lonely, tmp_path: Path) -> Alone:
    """A replica with a model of such columns."""
    model = make_model(tmp_path / "prepared", FEATURES, preparation=PREPARED)
    made: Alone = await alone(model)
    await made.serve("prepared", model.route())
    return made


def asked(**columns: list[Any]) -> dict[str, Any]:
    """A request of one tensor a column."""
    given = {**ROWS, **columns}
    kinds = {"wind": "FP64"}
    return {
        "inputs": [
            {"name": name, "datatype": kinds.get(name, "BYTES"), "shape": [len(values)], "data": values}
            for name, values in given.items()
        ]
    }


async def test_a_time_is_told_as_text_of_a_format(served: Alone) -> None:
    """So that a client knows what to send."""
    told = (await served.http.get("/v2/models/prepared")).json()["inputs"]

    at = next(each for each in told if each["name"] == "at")
    assert (at["datatype"], at["parameters"]) == ("BYTES", {"nullable": True, "format": "date-time"})


async def test_the_server_answers_as_the_artifact_does(served: Alone, tmp_path: Path) -> None:
    """Times with and without an offset, empty and missing texts, words and hashes: by V2 and by MLflow's protocol."""
    right = load(tmp_path / "prepared").answer(ROWS)["probability"]

    v2 = (await served.http.post("/v2/models/prepared/infer", json=asked())).json()["outputs"]
    records = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    mlflow = await served.http.post("/invocations", json={"dataframe_records": records})

    assert next(each["data"] for each in v2 if each["name"] == "probability") == pytest.approx(right.tolist())
    assert [row["probability"] for row in mlflow.json()["predictions"]] == pytest.approx(right.tolist())
    assert len(set(np.round(right, 9))) == 3


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("at", [TIME, "soon", None], "input 'at': element 1 is 'soon'; the column takes times in ISO 8601, such as"),
        ("at", ["2026-02-30", None, None], "input 'at': element 0 is '2026-02-30'"),
        ("booked", [TIME, None, TIME], "input 'booked': element 1 is missing"),
    ],
)
async def test_what_is_no_time_is_refused_with_its_place(
    served: Alone, column: str, values: list[Any], said: str
) -> None:
    """The caller reads which element, and how a time is written."""
    answer = await served.http.post("/v2/models/prepared/infer", json=asked(**{column: values}))

    assert answer.status_code == 400
    assert said in answer.json()["error"]


async def test_a_number_is_no_time(served: Alone) -> None:
    """Seconds or milliseconds, since when: nobody could know."""
    document = asked()
    document["inputs"][1] |= {"datatype": "INT64", "data": [1, 2, 3]}

    answer = await served.http.post("/v2/models/prepared/infer", json=document)

    assert answer.status_code == 400
    assert "input 'at': datatype is INT64; the column takes BYTES" in answer.json()["error"]
