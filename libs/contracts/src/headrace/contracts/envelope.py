"""The envelope of every event: CloudEvents 1.0 in JSON structured mode, one byte string to hash, store and replay."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from headrace.contracts import subjects
from headrace.contracts.base import Event, OpenEvent
from headrace.contracts.errors import ContractError
from headrace.contracts.event_versions import class_of, named
from headrace.contracts.explain import explain
from headrace.contracts.subjects import ANONYMOUS
from headrace.contracts.times import rfc3339
from headrace.contracts.upcasters import upcast

CONTENT_TYPE = "application/cloudevents+json"
SOURCE = "headrace/"  # and the identity
SCHEMA_BASE = "https://schemas.headrace.example/events/"
_REQUIRED = ("specversion", "id", "source", "type", "subject", "time", "data")
LONG_NUMBER = "a number has more than 4,300 digits, which is more than any value may have; write it shorter"
_OUT_OF_RANGE = "number out of range"  # how pydantic's reader says the same
_EXTREME = re.compile(rb"[:,\[\s]-?(?:[0-9]{19}|[0-9.]+[eE]\+?[0-9]{3})|\\u0000")  # worth a closer look
_NAMESPACE = uuid5(NAMESPACE_URL, "https://schemas.headrace.example/event-ids")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event with who said it, when, about what, because of what, and in whose name."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: Event
    correlationid: str
    causationid: str | None = None
    traceparent: str | None = None
    authid: str | None = None
    specversion: str = field(default="1.0")
    datacontenttype: str = field(default="application/json")
    claims: Mapping[str, str] = field(default_factory=dict)
    """What an outsider says of `source`, `authid` and the like, which its connection does not prove."""

    @property
    def dataschema(self) -> str:
        """Where the schema of the data is."""
        return dataschema(self.type)

    @property
    def nats_subject(self) -> str:
        """The subject that the event is published to, within the installation."""
        return subject_of(self.type, self.subject, self.speaker)

    @property
    def speaker(self) -> str:
        """The identity that said it."""
        return self.source.removeprefix(SOURCE).partition("/")[0]


def wrap(
    event: Event,
    *,
    source: str,
    id: str,
    time: datetime,
    correlationid: str | None = None,
    causationid: str | None = None,
    traceparent: str | None = None,
    authid: str | None = None,
) -> Envelope:
    """Put an event into its envelope; without a correlation the event is the root of its own chain."""
    return Envelope(
        id, source, event.TYPE, event.key, time, event, correlationid or id, causationid, traceparent, authid
    )


def encode(envelope: Envelope) -> bytes:
    """The envelope as structured-mode JSON. Fields that are absent are left out, never null.

    Raises ContractError for values that no reader would take: a caller's text with NUL, or with half a character.
    """
    kind = envelope.data.TYPE  # an older version was upcast when it was read, and is written as the newest
    head: dict[str, Any] = {
        "specversion": envelope.specversion,
        "id": envelope.id,
        "source": envelope.source,
        "type": kind,
        "subject": envelope.subject,
        "time": envelope.time.astimezone(UTC),
        "dataschema": dataschema(kind),
        "datacontenttype": envelope.datacontenttype,
        "correlationid": envelope.correlationid,
    }
    for name in ("causationid", "traceparent", "authid"):
        if (value := getattr(envelope, name)) is not None:
            head[name] = value
    try:
        data = envelope.data.__pydantic_serializer__.to_json(envelope.data, exclude_none=True)
    except PydanticSerializationError as error:
        raise ContractError("data: text of whole Unicode characters is needed, not half of a surrogate pair") from error
    if _EXTREME.search(data):
        _within_bounds(from_json(data), "data")
    return to_json(head)[:-1] + b',"data":' + data + b"}"


def decode(raw: bytes) -> Envelope:
    """Read a structured-mode message; raises ContractError that names the place and what would be right.

    Fields that this version does not know are ignored, so that an older reader understands a newer writer.
    """
    document = parse_object(raw)
    missing = [name for name in _REQUIRED if name not in document]
    if missing:
        raise ContractError(f"envelope: {', '.join(missing)} missing; it must be a CloudEvent 1.0 in structured mode")
    return from_document(document)


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object from its bytes; raises ContractError that says what is wrong where."""
    try:
        document = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise ContractError(LONG_NUMBER if _OUT_OF_RANGE in str(error) else f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ContractError(f"a JSON object is needed, not {type(document).__name__}")
    if _EXTREME.search(raw):
        _within_bounds(document, "")
    return document


def from_document(document: dict[str, Any]) -> Envelope:
    """An envelope from its parsed attributes; its type is the one that was said, its data are of the newest version."""
    if document.get("specversion", "1.0") != "1.0":
        raise ContractError(f"specversion: '1.0' is needed, not {document['specversion']!r}")
    event = read_event(document["type"], document["data"])
    if event.key != document["subject"]:
        raise ContractError(f"subject: is {document['subject']!r}, but data.{event.KEY} is {event.key!r}")
    return Envelope(
        id=text_of(document, "id"),
        source=text_of(document, "source"),
        type=document["type"],
        subject=event.key,
        time=time_of(document["time"]),
        data=event,
        correlationid=_optional_text(document, "correlationid") or document["id"],
        causationid=_optional_text(document, "causationid"),
        traceparent=_optional_text(document, "traceparent"),
        authid=_optional_text(document, "authid"),
    )


def read_event(kind: object, data: object) -> Event:
    """The typed data of an event, in its newest version; unknown fields are ignored, wrong ones raise ContractError.

    Raises NewerVersion where the version is newer than any that is known here.
    """
    cls = class_of(kind)
    try:
        return upcast(cls.model_validate(data, extra="allow" if issubclass(cls, OpenEvent) else "ignore"))
    except ValidationError as error:
        raise ContractError(explain(error, "data")) from error


def subject_of(kind: str | type[Event], key: str, speaker: str = ANONYMOUS) -> str:
    """The NATS subject of a type and a key: headrace.training.completed.flights.

    Where several identities say a type, the subject names which: headrace.from.monitor.request.training.flights.
    """
    name = kind if isinstance(kind, str) else kind.TYPE
    return subjects.subject(name.rpartition(".")[0], key, speaker)


def dataschema(kind: str) -> str:
    """The address of a type's schema: headrace.training.completed.v1 is events/training/completed.v1.json."""
    _, aggregate, fact, version = kind.split(".")
    return f"{SCHEMA_BASE}{aggregate}/{fact}.{version}.json"


def derive_id(cause_id: str, kind: str, key: str, ordinal: int) -> str:
    """The id of an event that follows from another: the same whenever it is computed again.

    Also after an upgrade, which may say it in a newer version.
    """
    return str(uuid5(_NAMESPACE, f"{cause_id}\n{named(kind)[0]}\n{key}\n{ordinal}"))


def _optional_text(document: dict[str, Any], name: str) -> str | None:
    return None if document.get(name) is None else text_of(document, name)


def text_of(document: Mapping[str, Any], name: str) -> str:
    """An attribute that is text and not empty; raises ContractError."""
    value = document[name]
    if not isinstance(value, str) or not value:
        raise ContractError(f"{name}: a non-empty string is needed, not {value!r}")
    return value


def time_of(value: object) -> datetime:
    """An attribute that is a time; raises ContractError."""
    try:
        return rfc3339(value)
    except ValueError as error:
        raise ContractError(f"time: {value!r} {error}") from error


def _within_bounds(value: object, place: str) -> None:
    """Raises ContractError where a value fits neither a database nor arithmetic on it."""
    if isinstance(value, dict):
        for name, each in value.items():
            _within_bounds(name, place)
            _within_bounds(each, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            _within_bounds(each, f"{place}[{number}]")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ContractError(f"{place}: a whole number of at most 64 bits is needed")
    elif isinstance(value, float) and not isfinite(value):
        raise ContractError(f"{place}: a finite number is needed")
    elif isinstance(value, str) and "\x00" in value:
        raise ContractError(f"{place or 'document'}: text with the character NUL is stored by no database")
