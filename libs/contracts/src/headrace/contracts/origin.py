"""Messages as they lie in a stream: who said them comes from the subject, which the broker lets nobody else use.

Services speak CloudEvents in structured mode. Outsiders may also send binary mode (`ce-` headers) or bare JSON, and
leave out what subject and stream say. What an outsider writes of who it is, or in whose name it asks, is a claim; its
ids lie in a space of its own, so that it can neither be taken for another nor take another's place. Every reader
derives the same envelope from the same message.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from headrace.contracts.envelope import SOURCE, Envelope, decode, from_document, parse_object, text_of, time_of
from headrace.contracts.errors import ContractError
from headrace.contracts.event_versions import NewerVersion, named, oldest
from headrace.contracts.generated.models import EVENTS
from headrace.contracts.subjects import ANONYMOUS, unattributed
from headrace.contracts.topology import load_topology

PREFIX = "headrace"
REQUEST = "request"
NATS = "nats:"  # who asked, where all that is known is a key to the broker
OUTSIDER = f"{NATS}{ANONYMOUS}"
CLAIMS = ("authid", "source", "correlationid", "causationid")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a subject says of its messages: who said them, and which event about what they are."""

    speaker: str
    authenticates: bool
    aggregate: str
    fact: str
    key: str

    @property
    def actor(self) -> str:
        """Who asked, as far as the connection tells."""
        return f"service:{self.speaker}" if self.authenticates else f"{NATS}{self.speaker}"

    def own(self, id_: str) -> str:
        """An id as everybody else knows it: what an outsider says begins with its name."""
        mine = f"{self.speaker}:"
        return id_ if self.authenticates or id_.startswith(mine) else f"{mine}{id_}"


@lru_cache(4096)
def origin_of(subject: str) -> Origin:
    """Where the messages of a subject come from; raises ContractError for one that no event belongs to."""
    topology = load_topology()
    parts, speaker = unattributed(subject).split("."), topology.speaker(subject)
    if len(parts) != 4 or parts[0] != PREFIX:
        raise ContractError(f"subject: {subject!r} is not headrace.<aggregate>.<fact>.<key>")
    if speaker is None:
        raise ContractError(f"subject: nobody says {subject!r}; schemas/README.md lists all events")
    return Origin(speaker, topology.authenticates(speaker), *parts[1:])


def is_person(actor: str) -> bool:
    """Whether who asked is a person or a program that authenticated itself, rather than a key to the broker."""
    return actor.startswith(("key:", "oidc:"))


def asker_of(correlationid: str) -> str | None:
    """The outsider whose request a chain of events began with; None where it began within."""
    name, colon, _ = correlationid.partition(":")
    return name if colon and load_topology().is_outsider(name) else None


def decode_message(
    subject: str, headers: Mapping[str, str] | None, data: bytes, *, stream: str, seq: int, timestamp: datetime
) -> Envelope:
    """The envelope of a message as it lies in a stream; raises ContractError that says what would be right."""
    origin = origin_of(subject)
    if origin.authenticates:
        return _from_within(origin, data)
    document, given = _sent(origin, headers, data, _from_stream(origin, stream, seq, timestamp))
    document["data"] = _with_key(document["type"], document["subject"], document["data"])
    try:
        envelope = from_document(document)
    except NewerVersion as newer:  # whether a service is ready is not for outsiders to say: they are told, and ask anew
        told = f"type: version {newer.known} is the newest of {named(newer.kind)[0]} here, not {newer.kind}"
        raise ContractError(told) from newer
    return _claiming(origin, _on_its_subject(origin, envelope), given)


def attributes_of(
    subject: str, headers: Mapping[str, str] | None, data: bytes, *, stream: str, seq: int, timestamp: datetime
) -> dict[str, Any]:
    """The attributes and the data of a message, without asking any schema: every program reads them alike for ever.

    For whoever keeps a record, and derives it again when the schemas have changed. Raises ContractError.
    """
    origin = origin_of(subject)
    if origin.authenticates:
        found = parse_object(data)
        own = {"authid": origin.actor, "correlationid": found.get("id")} | found
        return own | {"source": f"{SOURCE}{origin.speaker}", "time": time_of(found.get("time"))}
    document, _ = _sent(origin, headers, data, _from_stream(origin, stream, seq, timestamp))
    ids = {name: text_of(document, name) for name in ("id", "correlationid", "causationid") if document.get(name)}
    ids.setdefault("correlationid", ids["id"])
    claimed = {name: origin.own(each) for name, each in ids.items()}
    proved = {"source": f"{SOURCE}{origin.speaker}", "authid": origin.actor, "time": time_of(document["time"])}
    return {**document, **claimed, **proved, "data": _with_key(document["type"], document["subject"], document["data"])}


def _sent(
    origin: Origin, headers: Mapping[str, str] | None, data: bytes, place: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A request of an outsider as attributes and data, what it left out filled in; and what it has given itself."""
    if origin.aggregate != REQUEST:
        raise ContractError(f"subject: {origin.speaker} says requests alone, not {origin.aggregate}.{origin.fact}")
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    attributes, content = _as_sent(lowered, data)
    given = {name: value for name, value in attributes.items() if value is not None}
    return {**place, **given, "data": content}, given


def _from_within(origin: Origin, data: bytes) -> Envelope:
    """What a service says, in whose name it says it itself: it has authenticated who asked."""
    if b'"specversion"' not in data:
        raise ContractError(f"envelope: missing; {origin.speaker} speaks CloudEvents in structured mode")
    envelope = _on_its_subject(origin, decode(data))
    if envelope.speaker != origin.speaker or not envelope.source.startswith(SOURCE):
        raise ContractError(f"source: {envelope.source!r} does not say this; {SOURCE}{origin.speaker} does")
    return envelope if envelope.authid else replace(envelope, authid=origin.actor)


def _as_sent(headers: Mapping[str, str], data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes and data of a request, in whichever of the three ways it was sent."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == BATCH:
        raise ContractError("content-type: batches are not taken; send each event as a message of its own")
    if "status" in headers:
        raise ContractError("this is an answer of the broker's, and no request")
    document = parse_object(data or b"{}")
    if "specversion" in document:
        return document, _content(document)
    if media == STRUCTURED:
        raise ContractError("specversion: missing, though content-type says that this is a CloudEvent")
    if any(name.startswith("ce-") for name in headers):
        return {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}, document
    if _is_the_brokers(document):
        raise ContractError("this is an answer of the broker's, and no request")
    return {}, document


def _content(document: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a structured event; what is bytes travels as base64."""
    if "data_base64" in document:
        try:
            return parse_object(base64.b64decode(document["data_base64"], validate=True) or b"{}")
        except (TypeError, ValueError, binascii.Error) as error:
            raise ContractError("data_base64: is no base64") from error
    data = document.get("data")
    if data is not None and not isinstance(data, dict):
        raise ContractError(f"data: a JSON object is needed, not {type(data).__name__}")
    return data or {}


def _is_the_brokers(document: Mapping[str, Any]) -> bool:
    """Whoever asks the broker says where its answer goes; one that went to a stream is nobody's request."""
    return {"stream", "seq"} <= document.keys() or str(document.get("type", "")).startswith("io.nats.")


def _from_stream(origin: Origin, stream: str, seq: int, timestamp: datetime) -> dict[str, Any]:
    """What subject and stream say of a message: the same for every reader."""
    return {
        "id": f"{stream}-{seq}",
        "source": f"{SOURCE}{origin.speaker}",
        "type": oldest(f"{PREFIX}.{origin.aggregate}.{origin.fact}"),
        "subject": origin.key,
        "time": timestamp.isoformat(),
    }


def _claiming(origin: Origin, envelope: Envelope, given: Mapping[str, Any]) -> Envelope:
    """The envelope with what the connection proves in the place of what the sender says."""
    cause = envelope.causationid
    return replace(
        envelope,
        id=origin.own(envelope.id),
        source=f"{SOURCE}{origin.speaker}",
        authid=origin.actor,
        correlationid=origin.own(envelope.correlationid),
        causationid=origin.own(cause) if cause else None,
        claims={name: str(given[name]) for name in CLAIMS if name in given},
    )


def _with_key(kind: Any, key: Any, data: dict[str, Any]) -> dict[str, Any]:
    """The data with its key property, which the subject already says."""
    cls = EVENTS.get(oldest(named(kind)[0])) if isinstance(kind, str) else None
    return {cls.KEY: key, **data} if cls else data


def _on_its_subject(origin: Origin, envelope: Envelope) -> Envelope:
    _, aggregate, fact, _ = envelope.type.split(".")
    if (aggregate, fact, envelope.subject) != (origin.aggregate, origin.fact, origin.key):
        there = f"{PREFIX}.{origin.aggregate}.{origin.fact}.{origin.key}"
        raise ContractError(f"subject: {envelope.type} about {envelope.subject!r} does not belong on {there}")
    return envelope
