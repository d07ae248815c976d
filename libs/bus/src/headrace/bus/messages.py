"""A message as it lies in a stream, and what its acknowledgement subject says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nats.aio.msg import Msg

from headrace.contracts import OUTSIDER, ContractError, Envelope, attributes_of, decode_message, origin_of


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message: where it lies, what it carries, when the stream took it."""

    stream: str
    seq: int
    subject: str
    headers: Mapping[str, str]
    data: bytes
    time: datetime
    delivered: int = 1
    reply: str = field(default="", compare=False)

    def envelope(self) -> Envelope:
        """Its envelope; raises ContractError."""
        return decode_message(
            self.subject, self.headers, self.data, stream=self.stream, seq=self.seq, timestamp=self.time
        )

    def attributes(self) -> dict[str, Any]:
        """Its attributes and data, which no schema was asked about; raises ContractError."""
        return attributes_of(
            self.subject, self.headers, self.data, stream=self.stream, seq=self.seq, timestamp=self.time
        )


def raw(message: Msg) -> RawMessage:
    """A delivered message, read once."""
    parts = message.reply.split(".")
    # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<timestamp ns>.<pending>, or with
    # domain and account hash before the stream
    offset = 2 if len(parts) == 9 else 4
    stream, _, delivered, seq, _, stamp = parts[offset : offset + 6]
    moment = datetime.fromtimestamp(int(stamp) / 1e9, UTC)
    headers = {str(k): str(v) for k, v in (message.headers or {}).items()}
    return RawMessage(stream, int(seq), message.subject, headers, message.data, moment, int(delivered), message.reply)


def said_by(message: RawMessage) -> tuple[str, Callable[[str], str]]:
    """Who said a message that cannot be read, and how its ids are written."""
    try:
        origin = origin_of(message.subject)
    except ContractError:
        return OUTSIDER, str
    return origin.actor, origin.own


def type_of(message: RawMessage, family: str) -> str:
    """The type of a message, also of one that no schema allows: as it says, or the oldest one of its subject.

    `family` is the type without its version, as the subject has it.
    """
    try:
        said = message.attributes().get("type")
    except ContractError:
        said = None
    return said if isinstance(said, str) and said.startswith(f"{family}.v") else f"{family}.v1"
