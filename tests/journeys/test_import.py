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
CARD = """<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
<DataDictionary><DataField name="SIZE" optype="continuous" dataType="double"/></DataDictionary>
<Scorecard functionName="regression" initialScore="0.1" reasonCodeAlgorithm="pointsBelow" baselineMethod="other">
<MiningSchema><MiningField name="SIZE"/></MiningSchema>
<Output><OutputField name="why" feature="reasonCode" rank="1" optype="categorical" dataType="string"/></Output>
<Characteristics><Characteristic name="size" reasonCode="large" baselineScore="0.8">
<Attribute partialScore="0.1"><SimplePredicate field="SIZE" operator="greaterThan" value="LIMIT"/></Attribute>
<Attribute partialScore="0.8"><True/></Attribute></Characteristic></Characteristics></Scorecard></PMML>"""


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


def test_a_scorecard_in_pmml_becomes_champion_and_tells_its_reasons(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its field has the vendor's name; points and reasons are those of the document."""
    rows, name = world.first(), str(world.features[0])
    limit = float(rows[name].median())
    file = tmp_path / "card.pmml"
    file.write_text(CARD.replace("LIMIT", repr(limit)))
    client: Client = world.client
    gate = {"metrics": ["mae"], "gates": [{"metric": "mae", "at_most": 0.6}]}
    client.apply(world.declaration("scored", "patients", task="regression", training={"on": []}, evaluation=gate))
    world.wait("model.declared", name="scored")
    world.wait("dataset.ingested", dataset="patients")
    monkeypatch.chdir(world.stack.layout.folder.parent)

    told = ["--columns", name, "--learned-from", "none", "--wait", "--timeout", "240"]
    assert run(["import", "scored", str(file), *told]) == 0

    made = world.wait("version.registered", model="scored")
    assert made.data["lineage"]["imported"]["format"] == "pmml"
    world.wait("rollout.completed", model="scored", version=made.data["version"])
    asked = {name: [limit - 1, limit + 1]}
    said = world.wait_until_good(lambda: client.predict("scored", asked))
    found = {output["name"]: output["data"] for output in said["outputs"]}
    assert found["prediction"] == pytest.approx([0.9, 0.2])
    assert found["why"][1] == "large"
