"""What audit reads out of a message: who said what about which entity, and what the message refers to.

A record keeps everything that arrives, also what no schema allows; so nothing here may refuse. Whatever is read is
read from the message's own bytes, headers and place alone: the same record can be derived again from what is kept, and
so the columns that people search by can be checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import structlog

from headrace.audit.domain import Event, Reference
from headrace.audit.tables import RecordRow
from headrace.bus import RawMessage
from headrace.contracts import EVENTS, ContractError, origin_of
from headrace.contracts.envelope import SOURCE
from headrace.contracts.names import bare
from headrace.tlog import Entry, encode_headers, event_digest, headers_digest

log = structlog.get_logger()

PREDICTION_LOGGED = "headrace.prediction.logged."  # in any version
CHECKPOINT_SIGNED = tuple(sorted(kind for kind in EVENTS if kind.startswith("headrace.checkpoint.signed.")))
UNREADABLE = "unreadable"
REQUESTS = "REQUESTS"  # the stream: what is said there is read as its hearers read it
COPIES = "PARKED"  # the stream of what could not be handled: its messages hold what their senders claimed
LONGEST = 512  # characters of what is searched by: an index of PostgreSQL takes no more than 2,704 bytes
MOST_REFERENCES = 20_000  # of one message; a report of truths has 10,000
COLUMNS = tuple(name for name in RecordRow.model_fields if name not in ("position", "entry"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """A point in time as a number that every database sorts alike."""
    delta = moment.astimezone(UTC) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def clamped(moment: datetime) -> int:
    """The same of a time that somebody asks about: the ends of the calendar have no UTC in every zone."""
    try:
        return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except OverflowError:
        return microseconds(moment.replace(tzinfo=UTC))


def rfc3339(at: int) -> str:
    """The same point in time for people."""
    seconds, rest = divmod(at, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat().replace("+00:00", "Z")


def stored(stream: str, seq: int, subject: str, headers: bytes, body: bytes, received: str) -> RawMessage:
    """The message out of its columns; raises ValueError where the headers or the time are none."""
    moment = datetime.fromisoformat(received)
    return RawMessage(stream, seq, subject, json.loads(headers) if headers else {}, body, moment)


def describe(message: RawMessage) -> Event:
    """Read a message of any kind: an event, a bare request, an advisory, or noise."""
    try:
        return _described(message, _attributes(message))
    except Exception:  # a bug in reading must not keep a message out of the record
        log.exception("message_not_described", stream=message.stream, seq=message.seq)
        return _described(message, {})


def _described(message: RawMessage, attributes: Mapping[str, Any]) -> Event:
    data = attributes.get("data")
    received = rfc3339(microseconds(message.time))
    time = _text(attributes.get("time")) or received
    kind = _text(attributes.get("type")) or UNREADABLE
    headers = encode_headers(message.headers)
    subject = _plain(message.subject)
    return Event(
        entry=Entry(
            stream=message.stream,
            seq=message.seq,
            subject=subject,
            id=_text(attributes.get("id")) or f"{message.stream}:{message.seq}",
            type=kind,
            source=_text(attributes.get("source")) or "",
            time=time,
            sha256=event_digest(message.data),
            headers=headers_digest(headers),
            received=received,
        ),
        key=_text(attributes.get("subject")) or subject.rpartition(".")[2][:LONGEST],
        at=_moment(time, microseconds(message.time)),
        body=message.data,
        headers=headers,
        correlationid=_text(attributes.get("correlationid")),
        causationid=_text(attributes.get("causationid")),
        authid=_text(attributes.get("authid")),
        trace_id=_trace_id(_text(attributes.get("traceparent"))),
        references=_references(kind, data),
    )


def columns_of(event: Event) -> dict[str, Any]:
    """The columns of an event, without its place in the log: each has the name that the event gives it."""
    return {name: getattr(event, name) for name in COLUMNS}


def _references(kind: str, data: Any) -> frozenset[Reference]:
    if not isinstance(data, dict):
        return frozenset()
    found = ((name, _plain(value)[:LONGEST]) for name, value in references(kind, data))
    return frozenset(islice(found, MOST_REFERENCES))


def _attributes(message: RawMessage) -> Mapping[str, Any]:
    """CloudEvents attributes and data, however they travelled."""
    headers = {name.lower(): value for name, value in (message.headers or {}).items()}
    if message.stream == REQUESTS and (read := _request(message)) is not None:
        return read
    body = _json(message.data)
    if isinstance(body, dict) and "specversion" in body:
        return {**body, **_from_its_place(message)}
    if isinstance(body, dict) and message.stream != REQUESTS and not any(name.startswith("ce-") for name in headers):
        return body | {"time": body.get("timestamp"), "data": body, "subject": None}  # an advisory of the broker
    return _binary(headers, body)


def _from_its_place(message: RawMessage) -> Mapping[str, Any]:
    """Who said an event, which its place in the stream proves; who asked, where that is no more than a claim."""
    if message.stream == COPIES:
        return {"authid": None}
    try:
        origin = origin_of(message.subject)
    except ContractError:
        return {"authid": None} if message.stream == REQUESTS else {}
    source = {"source": f"{SOURCE}{origin.speaker}"}
    return source if origin.authenticates else {**source, "authid": origin.actor}


def _request(message: RawMessage) -> Mapping[str, Any] | None:
    """A request, with the id, time and actor that every other reader derives for it; None where it is none.

    No schema is asked: an older or a newer one would read another record out of the same bytes.
    """
    try:
        found = message.attributes()
    except ContractError:
        return None
    return found | {"time": rfc3339(microseconds(found["time"]))}


def _binary(headers: Mapping[str, str], body: Any) -> Mapping[str, Any]:
    return {name[3:]: value for name, value in headers.items() if name.startswith("ce-")} | {"data": body}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str | None:
    return _plain(value)[:LONGEST] if isinstance(value, str) and value else None


def _plain(text: str) -> str:
    """Text that every database keeps: without NUL and without half characters."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _moment(time: str, received: int) -> int:
    """When an event says it was; when the broker got it, where that is no time, or none that a clock shows."""
    try:
        moment = datetime.fromisoformat(time)
        return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return received


def _trace_id(traceparent: str | None) -> str | None:
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None


def references(kind: str, data: Mapping[str, Any]) -> Iterator[Reference]:
    """What an event refers to, by the names that all schemas share; so a new event needs nothing here."""
    logged = kind.startswith(PREDICTION_LOGGED)
    yield from (("prediction", value if logged else bare(value)) for value in _predictions(data))
    if logged:
        return  # by far the most events: they are found by their prediction, and lead on from there
    if run := _text(data.get("run")) or _text(_of(data, "lineage", "run")):
        yield "run", run
    imported = _of(data, "lineage", "imported") or data
    if isinstance(imported, dict) and (brought := _text(imported.get("import_id"))):
        yield "import", brought
    for digest in (data.get("digest"), _of(data, "artifact", "digest")):
        if isinstance(digest, str):
            yield "digest", digest
    for holder in (data, data.get("part")):
        if isinstance(holder, dict) and (file := _text(_of(holder, "source", "sha256"))):
            yield "file", file
    yield from _versions(data)
    yield from _datasets(data)
    if kind.startswith("headrace.model.declared.") and isinstance(data.get("revision"), int):
        yield "declaration", f"{data.get('name')}/{data['revision']}"


def _of(data: Mapping[str, Any], name: str, inner: str) -> Any:
    value = data.get(name)
    return value.get(inner) if isinstance(value, dict) else None


def _predictions(data: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(data.get("prediction_id"), str):
        yield data["prediction_id"]
    labels = data.get("labels")
    for label in labels if isinstance(labels, list) else ():
        if isinstance(label, dict) and isinstance(label.get("prediction_id"), str):
            yield label["prediction_id"]


def _versions(data: Mapping[str, Any]) -> Iterator[Reference]:
    routes = data.get("routes")
    places = [data.get("version"), data.get("candidate"), _of(data, "candidate", "version")]
    places += [route.get("version") for route in routes if isinstance(route, dict)] if isinstance(routes, list) else []
    for version in places:
        if isinstance(version, int) and isinstance(data.get("model"), str):
            yield "version", f"{data['model']}/{version}"


def _datasets(data: Mapping[str, Any]) -> Iterator[Reference]:
    dataset, version = data.get("dataset"), data.get("version")
    if isinstance(dataset, dict):
        yield "dataset", f"{dataset.get('name')}/{dataset.get('version')}"
    elif isinstance(dataset, str) and isinstance(version, int) and "model" not in data:
        yield "dataset", f"{dataset}/{version}"
