"""Truth values and whole numbers that may be missing: their own type, with missing values allowed."""

import io
from pathlib import Path
from typing import Any

import pytest

from headrace.client.rows import read
from headrace.client.served import Served
from headrace.contracts import Column

from .conftest import Alone, Lonely, make_model

FEATURES = [
    Column(name="wind", type="number", nullable=False),
    Column(name="weekend", type="boolean", nullable=True),
    Column(name="month", type="integer", nullable=True),
]
CSV = b"wind,weekend,month\n1.5,true,7\n0.5,,\n-1,false,12\n"


@pytest.fixture
async def served(alone: Lonely, tmp_path: Path) -> Alone:
    """A replica with a model of such columns."""
    model = make_model(tmp_path / "gaps", FEATURES)
    made: Alone = await alone(model)
    await made.serve("gaps", model.route())
    return made


def asked(datatypes: dict[str, str], **columns: list[Any]) -> dict[str, Any]:
    """A request of one tensor a column."""
    return {
        "inputs": [
            {"name": name, "datatype": datatypes.get(name, "FP64"), "shape": [len(values)], "data": values}
            for name, values in columns.items()
        ]
    }


async def answered(served: Alone, document: dict[str, Any]) -> Any:
    """The outputs for a request."""
    answer = await served.http.post("/v2/models/gaps/infer", json=document)
    assert answer.status_code == 200, answer.text
    return [output["data"] for output in answer.json()["outputs"]]


async def test_a_nullable_column_keeps_its_own_type(served: Alone) -> None:
    """The metadata say BOOL and INT64, and that values may be missing."""
    told = (await served.http.get("/v2/models/gaps")).json()["inputs"]

    assert [(each["datatype"], each["parameters"]["nullable"]) for each in told] == [
        ("FP64", False),
        ("BOOL", True),
        ("INT64", True),
    ]


async def test_cells_are_read_as_the_column_is(served: Alone) -> None:
    """A cell `true` is a truth value and an empty one is missing, as `headrace predict` sends them."""
    known = Served.of((await served.http.get("/v2/models/gaps")).json())

    rows = [row.values for row in read(io.BytesIO(CSV), known.kinds)]

    assert [row["weekend"] for row in rows] == [True, None, False]
    assert [row["month"] for row in rows] == [7, None, 12]
    from_cells = await answered(served, {"inputs": known.tensors(rows)})
    own = {"weekend": "BOOL", "month": "INT64"}
    by_hand = asked(own, wind=[1.5, 0.5, -1.0], weekend=[True, None, False], month=[7, None, 12])
    assert from_cells == await answered(served, by_hand)


async def test_clients_without_a_missing_truth_value_send_numbers(served: Alone) -> None:
    """0, 1 and null as numbers mean the same; a half is no truth value, and 2.5 no month."""
    own = {"weekend": "BOOL", "month": "INT64"}
    right = await answered(served, asked(own, wind=[1.5, 0.5], weekend=[True, None], month=[7, None]))

    assert await answered(served, asked({}, wind=[1.5, 0.5], weekend=[1.0, None], month=[7.0, None])) == right
    for wrong in ({"weekend": [0.5], "month": [7]}, {"weekend": [True], "month": [2.5]}):
        bad = await served.http.post("/v2/models/gaps/infer", json=asked({"weekend": "FP64"}, wind=[1.5], **wrong))
        assert bad.status_code == 400, bad.text
