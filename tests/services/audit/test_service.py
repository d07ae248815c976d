"""Audit as a whole: what is said on any stream is recorded, proved, served and copied."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from headrace.audit.log import RECORD, run
from headrace.audit.service import build
from headrace.audit.settings import AuditSettings
from headrace.contracts import (
    CheckpointSigned,
    DatasetIngested,
    Lineage,
    PredictionLogged,
    TrainingRequested,
    VersionRegistered,
)
from headrace.testkit import Harness, a, eventually
from headrace.testkit.s3 import S3
from headrace.tlog import (
    Checkpoint,
    Entry,
    TileId,
    VerifyingKey,
    check_log,
    decode_bundle,
    event_digest,
    leaf_hash,
    tile_path,
    verify_consistency,
    verify_inclusion,
)
from headrace.tlog.tiles import bundle_path


@pytest.fixture
async def on(harness: Any, database_url: str, s3: S3, tmp_path: Path) -> AsyncIterator[Harness]:
    """A running audit that publishes checkpoints every second."""
    async with harness(
        build,
        AuditSettings,
        database_url=database_url,
        objects=s3.settings,
        audit_key_file=tmp_path / "audit.key",
        audit_checkpoint_every=timedelta(seconds=1),
    ) as running:
        yield running


class HttpLog:
    """The log as a client reads it."""

    def __init__(self, on: Harness) -> None:
        self._on = on

    async def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return str((await self._on.http.get("/checkpoint")).text)

    async def tile(self, tile: TileId, width: int) -> bytes:
        """Hashes of one tile."""
        return bytes((await self._on.http.get(f"/{tile_path(tile, width)}")).content)

    async def entries(self, number: int, width: int) -> bytes:
        """A bundle of entries."""
        return bytes((await self._on.http.get(f"/{bundle_path(number, width)}")).content)


async def key_of(on: Harness) -> VerifyingKey:
    """The log's key."""
    return VerifyingKey.parse((await on.http.get("/key")).text)


async def head(on: Harness) -> Checkpoint:
    """The newest tree head, verified."""
    return Checkpoint.open((await on.http.get("/checkpoint")).text, await key_of(on))


async def recorded(on: Harness, event_id: str) -> Any:
    """An event as soon as it is recorded."""

    async def found() -> Any:
        answer = await on.http.get(f"/events/{event_id}")
        return answer.json() if answer.status_code == 200 else None

    return await eventually(found)


def hashes(texts: Sequence[str]) -> list[bytes]:
    """Hashes as HTTP shows them."""
    return [base64.b64decode(text) for text in texts]


async def test_every_stream_is_recorded(on: Harness) -> None:
    """Facts, requests from outside, predictions: each with its place, its author and its bytes."""
    fact = await on.say(a(DatasetIngested, dataset="flights"), authid="key:anna")
    prediction = await on.say(a(PredictionLogged, model="m", prediction_id="p1"))
    await on.publish("headrace.request.training.m", b'{"reason": "new season"}')

    assert (await recorded(on, fact.id))["authid"] == "key:anna"
    assert (await recorded(on, prediction.id))["stream"] == "PREDICTIONS"
    request = await recorded(on, "outsider:REQUESTS-1")
    assert (request["type"], request["authid"]) == (TrainingRequested.TYPE, "nats:outsider")
    entry = (await on.http.get(f"/log/{request['index']}")).json()
    assert base64.b64decode(entry["body"]) == b'{"reason": "new season"}'
    assert Entry.decode(entry["entry"].encode()).sha256 == event_digest(b'{"reason": "new season"}')


async def test_a_client_verifies_everything_itself(on: Harness) -> None:
    """From tiles and entries alone, with the key kept from before."""
    for number in range(300):
        await on.say(a(TrainingRequested, model="m", reason=str(number)))
    await eventually(lambda: _size_at_least(on, 300))

    verdict = await check_log(HttpLog(on), await key_of(on))

    assert verdict.ok, verdict.first
    assert verdict.entries >= 300
    own = (await on.http.get("/verify")).json()
    assert (own["whole"], own["first"], own["gaps"]) == (True, None, [])


async def _size_at_least(on: Harness, size: int) -> bool:
    return (await head(on)).size >= size


async def test_what_was_published_is_read_again(on: Harness, s3: S3) -> None:
    """Checkpoints in EVENTS and in the bucket are history that the service's own check compares with."""
    await on.say(a(TrainingRequested, model="m"))
    said = await on.heard(CheckpointSigned)
    await recorded(on, said.id)
    await eventually(lambda: _copied(s3))

    own = (await on.http.get("/verify")).json()
    assert (own["whole"], own["findings"]) == (True, [])
    assert own["checkpoints"] >= 3  # its own table, the stream, the bucket


async def _copied(s3: S3) -> bool:
    return bool(await s3.store.list("audit", "checkpoints/"))


async def test_a_deleted_row_is_no_internal_error(on: Harness) -> None:
    """Tiles, bundles, messages and proofs of it say what is missing; the check names it."""
    for number in range(3):
        await on.say(a(TrainingRequested, model="m", reason=str(number)))
    await eventually(lambda: _size_at_least(on, 3))
    async with on.app.state.runtime.work("test") as work:
        await run(work.session, delete(RECORD).where(RECORD.c.position == 1))

    size = (await head(on)).size
    for path in (f"/tile/entries/000.p/{size}", "/messages?from=1&to=2", "/log/1", "/proof/inclusion?index=1"):
        answer = await on.http.get(path)
        assert (answer.status_code, "/verify" in answer.json()["detail"]) == (404, True), path
    own = (await on.http.get("/verify")).json()
    assert (own["whole"], own["first"]["found"]) == (False, "entry 1 is missing")


async def test_proofs_lead_to_the_signed_root(on: Harness) -> None:
    """Inclusion by id or index; consistency between any two sizes."""
    said = [await on.say(a(TrainingRequested, model="m", reason=str(number))) for number in range(5)]
    await recorded(on, said[-1].id)

    proof = (await on.http.get("/proof/inclusion", params={"id": said[2].id})).json()
    root = Checkpoint.open(proof["checkpoint"], await key_of(on)).root
    leaf = leaf_hash(proof["entry"].encode())
    assert verify_inclusion(leaf, proof["index"], proof["size"], hashes(proof["proof"]), root)

    change = (await on.http.get("/proof/consistency", params={"from": 3})).json()
    (old,), (new,) = hashes([change["from_root"]]), hashes([change["to_root"]])
    assert verify_consistency(3, old, change["to_size"], new, hashes(change["proof"]))
    assert Checkpoint.open((await on.http.get("/checkpoint")).text, await key_of(on)).size >= change["to_size"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/log/999", 404),
        ("/events/none", 404),
        ("/tile/0/999", 404),
        ("/tile/0/x1", 404),
        ("/tile/7/000.p/3", 404),
        ("/proof/inclusion", 422),
        ("/proof/inclusion?index=999", 404),
        ("/proof/inclusion?id=none", 404),
        ("/proof/consistency?from=999", 404),
        ("/proof/consistency?from=0", 404),
        ("/trace/prediction/none", 404),
        ("/trace/model/m/1", 404),
        ("/events?limit=0", 422),
        ("/log/99999999999999999999", 422),
        ("/proof/inclusion?index=99999999999999999999", 422),
        ("/events?cursor=99999999999999999999", 422),
        ("/events?since=0001-01-01T00:00:00%2B14:00", 422),
        ("/events?until=9999-12-31T23:59:59-14:00", 422),
        ("/messages?from=0&to=99", 404),
        ("/messages?from=9&to=9", 422),
    ],
)
async def test_what_there_is_not_is_said(on: Harness, path: str, status: int) -> None:
    """A wrong question gets a reason."""
    answer = await on.http.get(path)
    assert answer.status_code == status
    assert answer.json()["detail" if status >= 400 else "items"] is not None


async def test_checkpoints_are_said_and_the_system_comes_to_rest(on: Harness) -> None:
    """A checkpoint for what came; none for the checkpoint itself."""
    await on.say(a(TrainingRequested, model="m"))
    first = await on.heard(CheckpointSigned)
    assert Checkpoint.open(first.data.checkpoint, await key_of(on)).size == first.data.size  # type: ignore[attr-defined]
    await recorded(on, first.id)

    settled = await eventually(lambda: _at_rest(on), timeout=20)

    assert settled
    said = on.all(CheckpointSigned)
    assert said[-1].data.size >= (await head(on)).size - 1  # type: ignore[attr-defined]


async def _at_rest(on: Harness) -> bool:
    """Whether nothing but checkpoints lies behind the newest published checkpoint."""
    newest = on.all(CheckpointSigned)[-1].data.size  # type: ignore[attr-defined]
    items = (await on.http.get("/events")).json()["items"]
    return all(item["type"] == CheckpointSigned.TYPE for item in items if item["index"] >= newest)


async def test_the_bucket_holds_a_log_that_stands_alone(on: Harness, s3: S3) -> None:
    """Tiles, entries and checkpoint as files: whoever has them and the key needs no service."""
    for number in range(260):
        await on.say(a(TrainingRequested, model="m", reason=str(number)))
    await eventually(lambda: _size_at_least(on, 260))
    key = await key_of(on)

    class Bucket:
        async def checkpoint(self) -> str:
            keys = sorted(found.key for found in await s3.store.list("audit", "checkpoints/"))
            return b"".join(s3.sync.read("audit", keys[-1])).decode()

        async def tile(self, tile: TileId, width: int) -> bytes:
            return b"".join(s3.sync.read("audit", tile_path(tile, width)))

        async def entries(self, number: int, width: int) -> bytes:
            return b"".join(s3.sync.read("audit", bundle_path(number, width)))

    async def copied() -> bool:
        found = sorted(found.key for found in await s3.store.list("audit", "checkpoints/"))
        return bool(found) and int(found[-1].rpartition("/")[2]) >= 260

    await eventually(copied, timeout=20)
    verdict = await check_log(Bucket(), key)
    assert verdict.ok, verdict.first
    assert len(decode_bundle(await Bucket().entries(0, 256))) == 256


async def test_a_restart_goes_on_where_it_stopped(on: Harness) -> None:
    """The same key, nothing twice, nothing missing, what was said meanwhile included."""
    before = await on.say(a(TrainingRequested, model="m", reason="before"))
    await recorded(on, before.id)
    key = await key_of(on)
    await on.stop()
    meanwhile = await on.say(a(TrainingRequested, model="m", reason="meanwhile"))
    await on._start()

    assert (await recorded(on, meanwhile.id))["seq"] == 2
    assert await key_of(on) == key
    assert (await on.http.get("/verify")).json()["whole"]


async def test_a_trace_says_what_is_missing(on: Harness) -> None:
    """A prediction of a version of which only the registration is known."""
    registered = a(VersionRegistered, model="m", version=1, lineage=a(Lineage, run="r1"))
    said = await on.say(registered)
    await on.say(a(PredictionLogged, model="m", version=1, prediction_id="p1", digest=registered.digest))
    await recorded(on, said.id)

    async def found() -> Any:
        answer = await on.http.get("/trace/prediction/p1:0")
        return answer.json() if answer.status_code == 200 else None

    trace = await eventually(found)
    assert (trace["run"], trace["digest"]) == ("r1", registered.digest)
    assert "training.completed of run r1" in trace["missing"]
    assert [event["type"] for event in trace["events"]] == [VersionRegistered.TYPE, PredictionLogged.TYPE]
