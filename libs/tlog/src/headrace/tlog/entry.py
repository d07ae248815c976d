"""What one log entry says about one message: where it stood, what it was, the hashes of its bytes and headers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

VERSION = 1


def event_digest(data: bytes) -> str:
    """SHA-256 of a message's payload exactly as it travelled, in hex."""
    return hashlib.sha256(data).hexdigest()


def encode_headers(headers: Mapping[str, str] | None) -> bytes:
    """A message's headers as canonical JSON with sorted names; empty where it has none."""
    if not headers:
        return b""
    return json.dumps(dict(sorted(headers.items())), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def headers_digest(encoded: bytes) -> str:
    """SHA-256 of encoded headers, in hex; empty where a message has none."""
    return hashlib.sha256(encoded).hexdigest() if encoded else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The log's record of one message. It holds the hashes of payload and headers, never these themselves.

    `time` is the event's own, `received` the broker's; both in RFC 3339.
    """

    stream: str
    seq: int
    subject: str
    id: str
    type: str
    source: str
    time: str
    sha256: str
    headers: str = ""
    received: str = ""
    v: int = VERSION

    def encode(self) -> bytes:
        """RFC 8785 canonical JSON.

        The keys are ASCII and the values strings and integers below 2^53, and for these Python's own
        encoder, sorted and without spaces, writes what RFC 8785 asks for (tests compare the two).
        """
        return json.dumps(
            {
                "headers": self.headers,
                "id": self.id,
                "received": self.received,
                "seq": self.seq,
                "sha256": self.sha256,
                "source": self.source,
                "stream": self.stream,
                "subject": self.subject,
                "time": self.time,
                "type": self.type,
                "v": self.v,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode("utf-8", "replace")

    @classmethod
    def decode(cls, raw: bytes) -> Entry:
        """Read an entry; raises ValueError where it is not one, or not in canonical form."""
        try:
            data = json.loads(raw)
        except RecursionError as error:
            raise ValueError("an entry holds no lists within lists") from error
        if not isinstance(data, dict) or set(data) != _FIELDS:
            raise ValueError("an entry has exactly " + ", ".join(sorted(_FIELDS)))
        if wrong := [name for name in sorted(data) if type(data[name]) is not (int if name in _NUMBERS else str)]:
            raise ValueError(f"an entry's {wrong[0]} is {'a number' if wrong[0] in _NUMBERS else 'text'}")
        entry = cls(**data)
        if entry.encode() != raw:
            raise ValueError("the entry is not canonical JSON")
        return entry

    def differences(self, other: Entry) -> list[str]:
        """Names of the fields in which two entries differ."""
        mine, theirs = asdict(self), asdict(other)
        return [name for name in mine if mine[name] != theirs[name]]


_FIELDS = {field.name for field in fields(Entry)}
_NUMBERS = ("seq", "v")
