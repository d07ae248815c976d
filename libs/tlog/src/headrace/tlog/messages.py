"""The messages behind the entries: bundled for whoever checks that they are the ones that were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headrace.tlog.entry import Entry, event_digest, headers_digest

_LENGTH = 4  # bytes, big-endian, before headers and before payload


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as the log's keeper stores it: its headers in canonical JSON, and its payload."""

    headers: bytes
    body: bytes


def encode_messages(messages: Iterable[Kept]) -> bytes:
    """Messages one behind the other, each part behind four bytes of its length."""
    return b"".join(
        len(part).to_bytes(_LENGTH, "big") + part for each in messages for part in (each.headers, each.body)
    )


def decode_messages(bundle: bytes) -> list[Kept]:
    """The messages of a bundle; raises ValueError where it ends within one."""
    parts = list(_parts(bundle))
    if len(parts) % 2:
        raise ValueError("the bundle ends between a message's headers and its payload")
    return [Kept(headers, body) for headers, body in zip(parts[::2], parts[1::2], strict=True)]


def _parts(bundle: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(bundle):
        end = at + _LENGTH + int.from_bytes(bundle[at : at + _LENGTH], "big")
        if at + _LENGTH > len(bundle) or end > len(bundle):
            raise ValueError(f"the bundle ends within the part at byte {at}")
        yield bundle[at + _LENGTH : end]
        at = end


def unlike(entry: Entry, message: Kept) -> Iterator[tuple[str, str, str]]:
    """Where a message is not the one that its entry stands for: field, recorded value, value of the message."""
    for name, found in (("sha256", event_digest(message.body)), ("headers", headers_digest(message.headers))):
        recorded = str(getattr(entry, name))
        if recorded != found:
            yield name, recorded, found


def described(index: int, entry: Entry) -> str:
    """An entry in words, for a finding."""
    return f"{index} ({entry.type} {entry.id}, {entry.stream} {entry.seq})"


def decoded(entries: Sequence[bytes]) -> list[Entry | None]:
    """Entries read; None for what is none."""
    return [_decoded(raw) for raw in entries]


def _decoded(raw: bytes) -> Entry | None:
    try:
        return Entry.decode(raw)
    except (ValueError, TypeError):
        return None
