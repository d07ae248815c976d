"""Reading messages: whatever arrives becomes a record, and says what it refers to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.audit.domain import Event
from headrace.audit.records import describe, microseconds, references, rfc3339
from headrace.bus import RawMessage
from headrace.contracts.names import bare
from headrace.tlog import event_digest

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def Message(
    data: bytes,
    subject: str = "headrace.dataset.ingested.flights",
    stream: str = "EVENTS",
    seq: int = 7,
    headers: dict[str, str] | None = None,
    time: datetime = NOW,
) -> RawMessage:
    """A message as the broker hands it on."""
    return RawMessage(stream, seq, subject, headers or {}, data, time)


def event(**attributes: Any) -> bytes:
    """A structured event."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": "e1",
            "source": "headrace/ingest",
            "type": "headrace.dataset.ingested.v1",
            "subject": "flights",
            "time": "2026-01-01T00:00:00.5Z",
            "correlationid": "c1",
            "causationid": "e0",
            "authid": "key:anna",
            "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            "data": {"dataset": "flights", "version": 2},
        }
        | attributes
    ).encode()


def test_an_event_is_read_by_its_envelope() -> None:
    """Who, what, when and why come from the envelope; the digest is over the bytes."""
    record = describe(Message(event()))

    entry = record.entry
    assert (entry.stream, entry.seq, entry.subject) == ("EVENTS", 7, "headrace.dataset.ingested.flights")
    assert (entry.id, entry.type, entry.source) == ("e1", "headrace.dataset.ingested.v1", "headrace/ingest")
    assert (entry.time, entry.sha256) == ("2026-01-01T00:00:00.5Z", event_digest(event()))
    assert (record.key, record.correlationid, record.causationid) == ("flights", "c1", "e0")
    assert (record.authid, record.trace_id) == ("key:anna", "a" * 32)
    assert record.at == microseconds(datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC))
    assert record.references == {("dataset", "flights/2")}


def test_a_bare_request_gets_the_id_that_everybody_derives() -> None:
    """A plain NATS client's request is recorded under the id that the service answers with."""
    record = describe(
        Message(b'{"reason": "new season"}', "headrace.request.training.flights-delay", stream="REQUESTS", seq=3)
    )
    assert (record.entry.id, record.entry.type) == ("outsider:REQUESTS-3", "headrace.request.training.v1")
    assert (record.key, record.authid, record.at) == ("flights-delay", "nats:outsider", microseconds(NOW))


def test_a_binary_request_is_read_by_its_headers() -> None:
    """CloudEvents attributes in `ce-` headers, whatever their case."""
    headers = {"Ce-Id": "x1", "ce-type": "headrace.request.training.v1", "ce-source": "ci"}
    message = Message(b'{"reason": "r"}', "headrace.request.training.m", "REQUESTS", headers=headers)
    assert (describe(message).entry.id, describe(message).entry.source) == ("outsider:x1", "headrace/outsider")


def test_an_advisory_of_the_broker_is_recorded() -> None:
    """JetStream's own messages have another shape."""
    body = {"type": "io.nats.jetstream.advisory.v1.max_deliver", "id": "A1", "timestamp": "2026-01-01T00:00:00Z"}
    record = describe(
        Message(json.dumps(body).encode(), "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.E.c", "ADVISORIES")
    )
    assert (record.entry.id, record.entry.type, record.key) == ("A1", body["type"], "c")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"specversion":"1.0"}',
        b'{"specversion":"1.0","id":5,"time":"soon"}',
        b"[" * 9999,
    ],
)
@pytest.mark.parametrize("subject", ["headrace.dataset.ingested.x", "headrace.request.training.x", "anything"])
def test_noise_is_recorded_too(data: bytes, subject: str) -> None:
    """Nothing is refused: what cannot be read is kept, with its place and its digest."""
    record = describe(Message(data, subject))
    assert record.entry.sha256 == event_digest(data)
    assert record.at == microseconds(NOW)
    assert isinstance(record, Event)
    assert record.entry.encode()


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("training.completed", {"run": "r", "artifact": {"digest": "d"}, "dataset": {"name": "f", "version": 1}},
         {("run", "r"), ("digest", "d"), ("dataset", "f/1")}),
        ("version.registered", {"model": "m", "version": 3, "lineage": {"run": "r"}},
         {("version", "m/3"), ("run", "r")}),
        ("evaluation.completed", {"model": "m", "candidate": 3}, {("version", "m/3")}),
        ("evaluation.requested", {"model": "m", "candidate": {"version": 3}}, {("version", "m/3")}),
        ("route.changed", {"model": "m", "routes": [{"version": 1}]}, {("version", "m/1")}),
        ("model.declared", {"name": "m", "revision": 4}, {("declaration", "m/4")}),
        ("dataset.ingested", {"dataset": "f", "version": 2, "part": {"source": {"sha256": "s"}}},
         {("dataset", "f/2"), ("file", "s")}),
        ("dataset.rejected", {"dataset": "f", "source": {"sha256": "s"}}, {("file", "s")}),
        ("prediction.logged", {"prediction_id": "p", "model": "m", "version": 1, "digest": "d"}, {("prediction", "p")}),
        ("request.truth", {"labels": [{"prediction_id": "p:0"}, {"prediction_id": "p:1"}]}, {("prediction", "p")}),
        ("anything", {"routes": 3, "labels": {}, "version": "x", "dataset": 5, "source": []}, set()),
    ],
)  # fmt: skip
def test_references_follow_from_the_names_that_schemas_share(
    kind: str, data: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    """Run, version, digest, data set, file, declaration and prediction."""
    assert set(references(f"headrace.{kind}.v1", data)) == expected


def test_a_row_belongs_to_its_request() -> None:
    """`<id>:<i>` is row i of a request."""
    assert bare("p1:7") == bare("p1") == "p1"


def test_times_are_numbers_and_back() -> None:
    """Microseconds since 1970, before it too."""
    assert rfc3339(microseconds(NOW)) == "2026-01-02T03:04:05.678901Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999Z"
