"""Bad input gets an error that names the place, at the edge where it came in, and nothing is half done."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.client.errors import Rejected

World = Any


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"mean_radius,target,seen_at\n1.0,1,2024-01-01T00:00:00\n", "mean_texture"),
        (b"", "empty"),
        (b"\xff\xfe\x00\x81,\x9d\n\xff,\x80\n", "utf-8"),
        (
            b"mean_radius,mean_texture,mean_smoothness,mean_concavity,target,seen_at\n"
            b"wide,1,1,1,1,2024-01-01T00:00:00+00:00\n",
            "mean_radius",
        ),
    ],
    ids=["missing column", "empty file", "broken encoding", "wrong type"],
)
def test_a_bad_file_is_refused_whole(world: World, content: bytes, place: str) -> None:
    """Ingest names the column or the fault, and the dataset keeps its version."""
    before = world.client.http.json("GET", "ingest", "/datasets/patients")["version"]
    file = world.csv(world.first().head(0), "bad.csv")
    file.write_bytes(content)

    with pytest.raises(Rejected) as refused:
        world.client.ingest("patients", file)

    assert refused.value.status in (400, 422)
    assert place in f"{refused.value.detail} {json.dumps(refused.value.violations)}".lower()
    assert world.client.http.json("GET", "ingest", "/datasets/patients")["version"] == before


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"training": {"parms": {}}}, "training.parms"),
        ({"evaluation": {"metrics": ["roc_auk"]}}, "roc_auk"),
    ],
    ids=["unknown field", "unknown metric"],
)
def test_a_bad_declaration_is_refused(world: World, parts: dict[str, Any], place: str) -> None:
    """Registry names the path, and nothing is declared."""
    with pytest.raises(Rejected, match=place.replace(".", r"\.")):
        world.client.apply(world.declaration("bad", "patients", **parts))

    assert "bad" not in [model["name"] for model in world.client.models()]


def test_training_an_unknown_model_is_refused(world: World) -> None:
    """Trainer names the model that nobody declared."""
    with pytest.raises(Rejected, match="nobody"):
        world.client.train("nobody")


@pytest.mark.parametrize(
    ("params", "place"),
    [({"C": -1.0}, r"training\.params\.C"), ({"max_itr": 10}, "max_iter")],
    ids=["out of range", "unknown"],
)
def test_a_bad_parameter_is_refused_before_it_becomes_a_run(world: World, params: dict[str, Any], place: str) -> None:
    """Trainer names the parameter, and the nearest right name, and queues nothing."""
    before = world.client.http.json("GET", "trainer", "/runs")

    with pytest.raises(Rejected, match=place):
        world.client.train("tumours", params=params)

    assert world.client.http.json("GET", "trainer", "/runs") == before


def test_a_question_from_the_future_is_refused(world: World) -> None:
    """A time far ahead of the replica's clock would end windows that have not begun; any past one is answered."""
    tomorrow, long_ago = (datetime.now(UTC) + timedelta(days=days) for days in (1, -9_000))
    columns = {name: [1.0] for name in world.features}

    with pytest.raises(Rejected, match="time"):
        world.client.predict("tumours", columns, time=tomorrow.isoformat())

    assert world.client.predict("tumours", columns, time=long_ago.isoformat())["outputs"]


@pytest.mark.parametrize("value", ["wide", math.nan, None], ids=["type", "NaN", "null"])
def test_a_bad_prediction_names_the_input(world: World, value: object) -> None:
    """Inference names the input whose value cannot be used."""
    datatype = "BYTES" if isinstance(value, str) else "FP64"
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [1.0]} for name in world.features]
    inputs[0] = {"name": world.features[0], "shape": [1], "datatype": datatype, "data": [value]}

    body = json.dumps({"inputs": inputs})
    with pytest.raises(Rejected, match=r"mean_radius|JSON|NaN"):
        world.client.http.request("POST", "inference", "/v2/models/tumours/infer", content=body)


def test_a_wrong_shape_names_the_input(world: World) -> None:
    """Inference says which input's shape and data disagree."""
    inputs = [{"name": name, "shape": [2], "datatype": "FP64", "data": [1.0]} for name in world.features]

    with pytest.raises(Rejected, match="mean_radius"):
        world.client.http.json("POST", "inference", "/v2/models/tumours/infer", json={"inputs": inputs})


def test_a_training_that_raises_ends_with_a_reason(world: World) -> None:
    """Parameters that are good each and bad together: the estimator's own complaint is the run's reason."""
    before = len(world.client.versions("tumours"))
    run = world.client.train("tumours", params={"solver": "lbfgs", "penalty": "l1"})["run"]
    failed = world.wait("training.failed", run=run)

    assert failed.data["kind"] == "code"
    assert "lbfgs" in failed.data["reason"]
    assert len(world.client.versions("tumours")) == before
