"""What audit reads out of a message: who said what about which entity, and what the message refers to.

A record keeps everything that arrives, also what no schema allows; so nothing here may refuse.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from headrace.contracts import ContractError, decode_message
from headrace.tlog import Entry, event_digest

PREDICTION_LOGGED = "headrace.prediction.logged.v1"
CHECKPOINT_SIGNED = "headrace.checkpoint.signed.v1"
UNREADABLE = "unreadable"
REQUESTS = "headrace.request."
_ATTRIBUTES = ("id", "type", "source", "subject", "correlationid", "causationid", "traceparent", "authid")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Reference = tuple[str, str]
"""Kind and value: ("run", "r1"), ("version", "flights-delay/3"), ("dataset", "flights/2"), ..."""


class Message(Protocol):
    """A message as the broker keeps it."""

    @property
    def stream(self) -> str:
        """Name of the stream."""

    @property
    def seq(self) -> int:
        """Its number there."""

    @property
    def subject(self) -> str:
        """Where it was published."""

    @property
    def headers(self) -> Mapping[str, str] | None:
        """NATS headers."""

    @property
    def data(self) -> bytes:
        """The payload as it travelled."""

    @property
    def time(self) -> datetime:
        """When the broker stored it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One message as audit keeps it: its log entry, what it is searched by, and its bytes."""

    entry: Entry
    key: str
    at: int  # microseconds since 1970, by the event's own clock, else the broker's
    body: bytes
    correlation: str | None = None
    causation: str | None = None
    actor: str | None = None
    trace: str | None = None
    references: frozenset[Reference] = field(default_factory=frozenset)


def microseconds(moment: datetime) -> int:
    """A point in time as a number that every database sorts alike."""
    delta = moment.astimezone(UTC) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def rfc3339(at: int) -> str:
    """The same point in time for people."""
    seconds, rest = divmod(at, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat().replace("+00:00", "Z")


def describe(message: Message) -> Record:
    """Read a message of any kind: an event, a bare request, an advisory, or noise."""
    attributes = _attributes(message)
    data = attributes.get("data")
    time = _text(attributes.get("time")) or rfc3339(microseconds(message.time))
    kind = _text(attributes.get("type")) or UNREADABLE
    return Record(
        entry=Entry(
            stream=message.stream,
            seq=message.seq,
            subject=message.subject,
            id=_text(attributes.get("id")) or f"{message.stream}:{message.seq}",
            type=kind,
            source=_text(attributes.get("source")) or "",
            time=time,
            sha256=event_digest(message.data),
        ),
        key=_text(attributes.get("subject")) or message.subject.rpartition(".")[2],
        at=_moment(time) or microseconds(message.time),
        body=message.data,
        correlation=_text(attributes.get("correlationid")),
        causation=_text(attributes.get("causationid")),
        actor=_text(attributes.get("authid")),
        trace=_trace_id(_text(attributes.get("traceparent"))),
        references=frozenset(references(kind, data)) if isinstance(data, dict) else frozenset(),
    )


def _attributes(message: Message) -> Mapping[str, Any]:
    """CloudEvents attributes and data, however they travelled."""
    body = _json(message.data)
    headers = {name.lower(): value for name, value in (message.headers or {}).items()}
    if isinstance(body, dict) and "specversion" in body:
        return body
    if message.subject.startswith(REQUESTS):
        return _request(message) or _binary(headers, body)
    if isinstance(body, dict) and not any(name.startswith("ce-") for name in headers):
        return body | {"time": body.get("timestamp"), "data": body, "subject": None}  # an advisory of the broker
    return _binary(headers, body)


def _request(message: Message) -> Mapping[str, Any] | None:
    """A request from outside, with the id and time that every other reader derives for it."""
    try:
        envelope = decode_message(
            message.subject,
            message.headers,
            message.data,
            stream=message.stream,
            seq=message.seq,
            timestamp=message.time,
        )
    except ContractError:
        return None
    return {name: getattr(envelope, name) for name in _ATTRIBUTES} | {
        "time": rfc3339(microseconds(envelope.time)),
        "data": envelope.data.model_dump(mode="json", exclude_none=True),
    }


def _binary(headers: Mapping[str, str], body: Any) -> Mapping[str, Any]:
    return {name[3:]: value for name, value in headers.items() if name.startswith("ce-")} | {"data": body}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(time: str) -> int | None:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _trace_id(traceparent: str | None) -> str | None:
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None


def references(kind: str, data: Mapping[str, Any]) -> Iterator[Reference]:
    """What an event refers to, by the names that all schemas share; so a new event needs nothing here."""
    yield from (("prediction", bare(value)) for value in _predictions(data))
    if kind == PREDICTION_LOGGED:
        return  # by far the most events: they are found by their prediction, and lead on from there
    if run := _text(data.get("run")):
        yield "run", run
    for digest in (data.get("digest"), _of(data, "artifact", "digest")):
        if isinstance(digest, str):
            yield "digest", digest
    if file := _text(_of(data, "source", "sha256")):
        yield "file", file
    yield from _versions(data)
    yield from _datasets(data)
    if kind.startswith("headrace.model.declared.") and isinstance(data.get("revision"), int):
        yield "declaration", f"{data.get('name')}/{data['revision']}"


def bare(prediction: str) -> str:
    """The id of a whole request, given that of one of its rows."""
    return prediction.partition(":")[0]


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
