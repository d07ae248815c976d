"""A model that was made elsewhere, from its file to answers that people trust."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headrace.cli.app import run
from headrace.client.sdk import Client

World = Any


def test_an_onnx_file_becomes_champion_and_answers(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imported by the command line, judged by the declared gate, rolled out, asked, and traced to the file."""
    rows, names = world.first(), [str(name) for name in world.features]
    numbers = rows[names].to_numpy(dtype=np.float32)
    own = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, rows["target"])
    file = tmp_path / "vendor.onnx"
    file.write_bytes(to_onnx(own, initial_types=[("X", FloatTensorType([None, len(names)]))]).SerializeToString())
    client: Client = world.client
    gate = {"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "at_least": 0.9}]}
    client.apply(world.declaration("bought", "patients", training={"on": []}, evaluation=gate))
    world.wait("model.declared", name="bought")
    world.wait("dataset.ingested", dataset="patients")
    monkeypatch.chdir(world.stack.layout.folder.parent)

    order = ["--columns", ",".join(names), "--learned-from", "none"]
    assert run(["import", "bought", str(file), *order, "--wait", "--timeout", "240"]) == 0

    made = world.wait("version.registered", model="bought")
    assert (made.data["origin"], made.data["lineage"]["imported"]["source_name"]) == ("imported", "vendor.onnx")
    world.wait("rollout.completed", model="bought", version=made.data["version"])
    asked = rows.head(20)
    said = world.wait_until_good(lambda: world.predict("bought", asked))
    found = {output["name"]: output["data"] for output in said["outputs"]}
    expected = own.predict_proba(numbers[:20])[:, 1]
    assert np.abs(np.array(found["probability"]) - expected).max() < 1e-5
    chain = world.wait_until_good(
        lambda: client.http.json("GET", "audit", f"/trace/model/bought/{made.data['version']}"),
        lambda trace: not trace["missing"],
    )
    kinds = {each["type"] for each in chain["events"]}
    assert {"headrace.import.queued.v1", "headrace.import.completed.v1", "headrace.version.registered.v1"} <= kinds
