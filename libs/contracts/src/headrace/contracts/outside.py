"""Messages as outsiders send them: structured, binary (`ce-` headers), or bare JSON on a request subject.

Every reader derives the same envelope from the same message, because what the sender left out comes from the
stream: the id and the time from stream and sequence, the type and the key from the subject.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headrace.contracts.envelope import Envelope, decode, from_document, parse_object
from headrace.contracts.errors import ContractError
from headrace.contracts.generated.models import EVENTS

PREFIX = "headrace"
REQUEST = "request"
OUTSIDER = "nats:outsider"  # who asked, where a message does not say


def decode_message(
    subject: str, headers: Mapping[str, str] | None, data: bytes, *, stream: str, seq: int, timestamp: datetime
) -> Envelope:
    """The envelope of a message as it lies in a stream; raises ContractError that says what would be right."""
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    if "ce-id" in lowered or "ce-type" in lowered:
        return _on_its_subject(subject, _binary(subject, lowered, data, stream, seq, timestamp))
    if b'"specversion"' in data:
        return _on_its_subject(subject, decode(data))
    if _is_request(subject):
        return _bare(subject, data, stream, seq, timestamp)
    raise ContractError("envelope: missing; only requests may be bare JSON, facts are CloudEvents in structured mode")


def _binary(
    subject: str, headers: Mapping[str, str], data: bytes, stream: str, seq: int, timestamp: datetime
) -> Envelope:
    given = {name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")}
    document = _from_subject(subject, stream, seq, timestamp) | given
    document["data"] = _with_key(document["type"], document["subject"], parse_object(data))
    return from_document(document)


def _bare(subject: str, data: bytes, stream: str, seq: int, timestamp: datetime) -> Envelope:
    document = _from_subject(subject, stream, seq, timestamp)
    document["data"] = _with_key(document["type"], document["subject"], parse_object(data or b"{}"))
    return from_document(document)


def _from_subject(subject: str, stream: str, seq: int, timestamp: datetime) -> dict[str, Any]:
    """What stream and subject say of a message: the same for every reader."""
    aggregate, fact, key = _parts(subject)
    return {
        "id": f"{stream}-{seq}",
        "source": "headrace/outside",
        "type": f"{PREFIX}.{aggregate}.{fact}.v1",
        "subject": key,
        "time": timestamp.isoformat(),
        "authid": OUTSIDER,
    }


def _with_key(kind: str, key: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data with its key property, which the subject already says."""
    cls = EVENTS.get(kind)
    return {cls.KEY: key, **data} if cls else data


def _on_its_subject(subject: str, envelope: Envelope) -> Envelope:
    if envelope.nats_subject != subject:
        raise ContractError(f"subject: {envelope.type} about {envelope.subject!r} belongs on {envelope.nats_subject}")
    return envelope


def _is_request(subject: str) -> bool:
    return subject.startswith(f"{PREFIX}.{REQUEST}.")


def _parts(subject: str) -> tuple[str, str, str]:
    parts = subject.split(".")
    if len(parts) != 4 or parts[0] != PREFIX:
        raise ContractError(f"subject: {subject!r} is not headrace.<aggregate>.<fact>.<key>")
    return parts[1], parts[2], parts[3]
