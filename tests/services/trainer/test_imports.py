"""Models that were made elsewhere: read, converted, compared with themselves, judged, and told."""

import hashlib
import json
import pickle
import re
from typing import Any

import pytest

from headrace.contracts import (
    CancelRequested,
    EvaluationCompleted,
    EvaluationRequested,
    ImportCancelled,
    ImportCompleted,
    ImportFailed,
    ImportQueued,
    ImportRequested,
    ModelVersion,
    ObjectPlace,
    RequestRefused,
    TrainingCompleted,
    TrainingRequested,
)
from headrace.testkit import Harness, a
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

from . import made_elsewhere as made


@pytest.fixture
async def ready(on: Harness, world: Any) -> Harness:
    """The trainer with a declared model and one version of its dataset."""
    await on.say(world.declared(data={"ignore": ["at"]}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    return on


def put(buckets: S3, data: bytes) -> ObjectPlace:
    """An artifact in the object store, as somebody outside has put it there."""
    ref = buckets.sync.put("uploads", data)
    return ObjectPlace(bucket=ref.bucket, key=ref.key)


async def ended(on: Harness, buckets: S3, data: bytes, name: str, **wishes: Any) -> ImportCompleted | ImportFailed:
    """Ask for an import by event, and wait for its end."""
    asked = ImportRequested(model="delay", object=put(buckets, data), source_name=name, reason=name, **wishes)
    await on.say(asked, as_="operator")

    def found() -> ImportCompleted | ImportFailed | None:
        ends = [each.data for each in (*on.all(ImportCompleted), *on.all(ImportFailed))]
        return next((each for each in ends if named(each) == name), None)  # type: ignore[arg-type]

    end = await eventually(found, 240)
    assert end is not None
    return end


async def bring(on: Harness, buckets: S3, data: bytes, name: str, **wishes: Any) -> ImportCompleted:
    """Import what can be imported."""
    end = await ended(on, buckets, data, name, **wishes)
    assert isinstance(end, ImportCompleted), end
    return end


async def fails(on: Harness, buckets: S3, data: bytes, name: str, **wishes: Any) -> ImportFailed:
    """Ask for an import that cannot be."""
    end = await ended(on, buckets, data, name, **wishes)
    assert isinstance(end, ImportFailed), end
    return end


def named(event: ImportCompleted | ImportFailed) -> str | None:
    """The name of what was imported."""
    return event.imported.source_name if isinstance(event, ImportCompleted) else event.source_name


async def test_an_import_by_event_is_taken_over_and_met_as_any_version(ready: Harness, world: Any, buckets: S3) -> None:
    """From the object in the store to the figures beside a champion; who asked is told as the connection proves it."""
    data = made.graph(world.flights()).SerializeToString()
    brought = await bring(ready, buckets, data, "flights.onnx", learned_from="none")

    assert (brought.requested_by, brought.reason) == ("nats:operator", "flights.onnx")
    assert (brought.imported.format, brought.imported.claim) == ("onnx", "none")
    assert brought.imported.claimed_by == "nats:operator"
    assert brought.imported.source.size == len(data)
    assert brought.imported.source.sha256 == hashlib.sha256(data).hexdigest()
    assert brought.learned is not None
    assert brought.metrics["roc_auc"] > 0.8
    queued = await ready.heard(ImportQueued)
    assert (queued.data.waits_for, queued.data.dataset) == ("capacity", "flights")

    await ready.say(TrainingRequested(model="delay", reason="rival"), as_="operator")
    champion = (await ready.heard(TrainingCompleted, where=lambda e: e.reason == "rival", timeout=240)).data
    theirs = ModelVersion(
        version=1, digest=champion.artifact.digest, artifact=champion.artifact, learned=champion.learned
    )
    ours = ModelVersion(version=2, digest=brought.artifact.digest, artifact=brought.artifact, learned=brought.learned)
    asked = {"evaluation": "e", "model": "delay", "candidate": ours, "champion": theirs, "dataset": brought.dataset}
    asked |= {"holdout": brought.holdout, "target": "late", "metrics": ["roc_auc"], "confidence": 0.9}
    await ready.say(a(EvaluationRequested, **asked, resamples=50, seed=1))
    found = (await ready.heard(EvaluationCompleted, timeout=240)).data
    assert found.incomparable is None
    assert found.comparisons[0].candidate == pytest.approx(brought.metrics["roc_auc"])
    assert found.compared_rows == brought.holdout.rows

    failed = await fails(ready, buckets, pickle.dumps({"model": 1}), "model.pkl")
    assert (failed.kind, failed.requested_by) == ("artifact", "nats:operator")
    assert "pickle" in failed.reason
    document = made.pmml(world.flights()).replace(b'normalizationMethod="logit"', b'normalizationMethod="martian"')
    failed = await fails(ready, buckets, document, "card.pmml")
    assert failed.kind == "artifact"
    assert re.search(r"line \d+: RegressionModel: normalizationMethod 'martian' is not supported", failed.reason)
    shown = (await ready.http.get("/imports", params={"state": "failed"})).json()["items"][1:]
    assert [each["source_name"] for each in shown] == ["model.pkl"]
    assert shown[0]["outcome"]["because"] == "artifact"


async def test_a_folder_is_sent_over_http_and_waits_for_its_data(on: Harness, world: Any, buckets: S3) -> None:
    """An upload is kept and queued; it begins when the dataset version comes that judges it."""
    await on.say(world.declared(data={"ignore": ["at"]}))
    await on.quiet()
    files = made.mlflow({"onnx": {"data": "m.onnx"}}, {"m.onnx": made.graph(world.flights()).SerializeToString()})
    wishes = json.dumps({"data": "flights@1", "reason": "bought", "learned_from": "none"})
    answer = await on.http.post(
        "/models/delay/imports/files",
        params={"wishes": wishes},
        content=made.tar(files),
        headers={"x-source-name": "vendor%20model"},
    )
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["state"], asked["source_name"], asked["dataset"]) == ("waiting", "vendor model", "flights")
    assert (await on.heard(ImportQueued)).data.waits_for == "data"

    await on.say(world.ingested(world.flights()))

    said = await on.heard(ImportCompleted, timeout=240)
    assert (said.data.import_id, said.data.imported.format) == (asked["import_id"], "mlflow")
    assert (said.data.holdout.fraction, said.data.holdout.rows) == (1.0, 600)
    shown = (await on.http.get(f"/imports/{asked['import_id']}")).json()
    assert (shown["state"], shown["dataset_version"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"format": "onx"}, "did you mean 'onnx'?"),
        ({"columns": ["late"]}, "columns names the target 'late'"),
        ({"outputs": {"probabilty": "p"}}, "did you mean 'probability'?"),
    ],
)
async def test_what_could_never_be_done_is_refused_at_once_on_every_way_in(
    ready: Harness, buckets: S3, wishes: Any, why: str
) -> None:
    """By event and over HTTP, with the nearest right name; nothing is queued."""
    place = put(buckets, b"x")
    await ready.say(ImportRequested(model="delay", object=place, **wishes), as_="operator")
    refused = await ready.heard(RequestRefused)
    assert why in refused.data.reason
    answer = await ready.http.post("/models/delay/imports", json={"object": place.model_dump(), **wishes})
    assert answer.status_code in (400, 409, 422)
    assert why in answer.text
    sent = {"params": {"wishes": json.dumps(wishes)}, "content": b"x"}
    answer = await ready.http.post("/models/delay/imports/files", **sent)
    assert answer.status_code in (400, 409, 422)
    assert why in answer.text
    assert (await ready.http.get("/imports")).json()["items"] == []


async def test_what_is_not_there_is_refused_and_an_upload_is_looked_at(ready: Harness, buckets: S3) -> None:
    """A model that nobody declared, an object that is none, an archive with a way out, an empty body."""
    missing = {"bucket": buckets.sync.bucket("uploads"), "key": "nothing"}
    answer = await ready.http.post("/models/delay/imports", json={"object": missing})
    assert "there is no object 'nothing'" in answer.text
    for model, body, why in (
        ("nobody", b"x", "no model named 'nobody' is declared"),
        ("delay", b"", "nothing was sent"),
        ("delay", made.tar({"../out": b"x"}), "is no path inside"),
    ):
        answer = await ready.http.post(f"/models/{model}/imports/files", content=body)
        assert answer.is_client_error
        assert why in answer.text
    answer = await ready.http.post("/models/delay/imports/files", params={"wishes": "{"}, content=b"x")
    assert answer.is_client_error
    assert (await ready.http.get("/imports/none")).status_code == 404


async def test_a_program_without_a_name_imports_nothing_that_needs_approvals(
    on: Harness, world: Any, buckets: S3
) -> None:
    """Who is nobody in particular cannot be known as an author."""
    await on.say(world.declared(approval={"needed": 1}))
    await on.quiet()
    await on.say(ImportRequested(model="delay", object=put(buckets, b"x")), as_="outsider")
    assert "is nobody in particular" in (await on.heard(RequestRefused)).data.reason


async def test_an_import_is_cancelled_by_event_and_over_http(on: Harness, world: Any, buckets: S3) -> None:
    """One that waits ends at once; a second cancel is harmless, and another program's import is none of one's own."""
    await on.say(world.declared(data={"ignore": ["at"]}))
    await on.quiet()
    place = put(buckets, made.pmml(world.flights()))
    first = (
        await on.http.post("/models/delay/imports", json={"object": place.model_dump(), "data": "flights@7"})
    ).json()
    await on.say(ImportRequested(model="delay", object=place, source_name="second"), as_="operator")
    second = (await on.heard(ImportQueued, where=lambda e: e.source_name == "second")).data

    await on.say(CancelRequested(model="delay", run=first["import_id"]), as_="operator")
    assert "was asked for by" in (await on.heard(RequestRefused)).data.reason
    await on.say(CancelRequested(model="delay", run=second.import_id, reason="the wrong file"), as_="operator")
    said = (await on.heard(ImportCancelled)).data
    assert (said.import_id, said.by, said.reason) == (second.import_id, "nats:operator", "the wrong file")

    for _ in range(2):
        answer = await on.http.post(f"/imports/{first['import_id']}/cancel", json={"reason": "no use"})
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled"), answer.text
        assert answer.json()["outcome"]["reason"].startswith("no use (")
    assert (await on.http.post("/imports/none/cancel")).status_code == 404
    await on.quiet()
    assert sorted(each.data.import_id for each in on.all(ImportCancelled)) == sorted(
        [first["import_id"], second.import_id]
    )
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    assert {each["state"] for each in (await on.http.get("/imports")).json()["items"]} == {"cancelled"}
