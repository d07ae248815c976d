"""What no event speaks of, on a real broker and a real object store."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headrace.bus import Connection, connect, utc_now
from headrace.contracts import (
    CONTENT_TYPE,
    DatasetIngested,
    Event,
    ObjectRef,
    Part,
    Segment,
    TrainingCompleted,
    encode,
    wrap,
)
from headrace.provision.orphans import Incomplete, Orphans, find_orphans, remove_orphans
from headrace.testkit.broker import Broker, started
from headrace.testkit.builders import a
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

WEEK, LATER = timedelta(days=7), timedelta(days=8)


async def say(broker: Broker, event: Event, identity: str) -> None:
    """Publish an event as the service that may."""
    envelope = wrap(event, source=f"headrace/{identity}", id=f"{identity}-1", time=utc_now())
    headers = {"Nats-Msg-Id": envelope.id, "Content-Type": CONTENT_TYPE}
    connection = await connect(broker.settings(identity), name="test")
    await connection.publish_and_wait(envelope.nats_subject, encode(envelope), headers)
    await connection.close()


async def ask(broker: Broker, ref: ObjectRef) -> None:
    """Ask for an object to be ingested, in bare JSON, as a program outside does."""
    connection = await connect(broker.settings("outsider"), name="test")
    body = json.dumps({"source": {"bucket": ref.bucket, "key": ref.key}}).encode()
    await connection.publish_and_wait("headrace.request.ingest.flights", body, {"Nats-Msg-Id": "ask-1"})
    await connection.close()


async def found(broker: Broker, s3: S3) -> Orphans:
    """The orphans of in eight days."""
    connection: Connection = await connect(broker.settings("provisioner"), name="test")
    try:
        return await find_orphans(connection, s3.sync, WEEK, datetime.now(UTC) + LATER)
    finally:
        await connection.close()


async def test_only_what_nothing_speaks_of_is_removed(nats_server: Broker, s3: S3, tmp_path: Path) -> None:
    """Events, and requests that wait for their turn, keep what they speak of; a killed attempt's rest goes.

    Each object of a manifest is named by the event of the version that brought it, its sealed nodes too.
    """
    data = {
        name: s3.sync.put("datasets", name.encode()) for name in ("object", "profile", "source", "root", "node", "sum")
    }
    waiting, rest = (s3.sync.put("datasets", name) for name in (b"waiting", b"rest"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"model")
    model = s3.sync.put_directory("models", tmp_path / "model", prefix="m/run/1/model")
    half = s3.sync.put("models", b"half", key="m/run/0/model/model.onnx")
    part = a(Part, object=data["object"], profile=data["profile"], source=data["source"])
    sealed = [a(Segment, object=data["node"], profile=data["sum"])]
    await say(nats_server, a(DatasetIngested, part=part, manifest=data["root"], sealed=sealed), "ingest")
    await say(nats_server, a(TrainingCompleted, artifact=model), "trainer")
    await ask(nats_server, waiting)

    orphans = await found(nats_server, s3)
    gone = remove_orphans(s3.sync, orphans)

    assert {(each.bucket, each.key) for each in gone.found} == {(ref.bucket, ref.key) for ref in (rest, half)}
    assert (orphans.kept, orphans.older) == (8, 0)
    assert gone.as_document()["size"] == len(b"rest") + len(b"half")
    assert {name: s3.sync.get(ref).decode() for name, ref in data.items()} == {name: name for name in data}
    assert s3.sync.get(waiting) == b"waiting"
    assert not (await found(nats_server, s3)).found


async def test_nothing_older_than_the_stream_is_judged(s3: S3, tmp_path: Path) -> None:
    """A broker that lost its disk begins anew, and knows nothing of what came before."""
    s3.sync.put("datasets", b"from before")
    second = datetime.now(UTC).replace(microsecond=0)
    await eventually(lambda: datetime.now(UTC) > second + timedelta(seconds=1))  # stores count in seconds
    broker = await started(tmp_path / "later", anew=True)

    orphans = await found(broker, s3)

    assert (orphans.found, orphans.older) == ((), 1)
    broker.stop()


async def test_a_stream_with_a_hole_judges_nothing(nats_server: Broker, s3: S3) -> None:
    """What was deleted may have been what spoke of an object."""
    s3.sync.put("datasets", b"spoken of by what is gone")
    await say(nats_server, a(DatasetIngested), "ingest")
    connection = await connect(nats_server.settings("provisioner"), name="test")
    config = (await connection.request("STREAM.INFO.EVENTS"))["config"]
    await connection.request("STREAM.DELETE.EVENTS")
    await connection.request("STREAM.CREATE.EVENTS", {**config, "deny_purge": False, "first_seq": 5})
    await connection.close()
    await say(nats_server, a(DatasetIngested), "ingest")

    with pytest.raises(Incomplete, match="4 events are missing"):
        await found(nats_server, s3)
