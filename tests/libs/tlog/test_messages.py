"""The messages behind entries: bundled, read again, and compared with what was recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.tlog import Entry, Kept, decode_messages, encode_headers, encode_messages, event_digest, unlike
from headrace.tlog.entry import headers_digest

KEPT = st.builds(Kept, st.binary(max_size=50), st.binary(max_size=300))
HEADERS = encode_headers({"Nats-Msg-Id": "e1", "ce-source": "ci"})
ENTRY = Entry(
    "EVENTS", 1, "headrace.a.b.c", "e1", "headrace.a.b.v1", "ci", "2026-01-01T00:00:00Z",
    event_digest(b"{}"), headers_digest(HEADERS), "2026-01-01T00:00:00Z",
)  # fmt: skip


@given(st.lists(KEPT, max_size=5))
def test_a_bundle_is_read_as_it_was_written(messages: list[Kept]) -> None:
    """Whatever bytes headers and payloads are made of."""
    assert decode_messages(encode_messages(messages)) == messages


@pytest.mark.parametrize("cut", [1, 3, 5, 8])
def test_a_bundle_that_was_cut_is_refused(cut: int) -> None:
    """Half a message is none."""
    whole = encode_messages([Kept(b"h", b"body")])
    with pytest.raises(ValueError, match="the bundle ends"):
        decode_messages(whole[:-cut])


def test_headers_are_covered_whatever_their_order() -> None:
    """The digest is over canonical JSON; a message without headers has none."""
    assert encode_headers({"b": "2", "a": "1"}) == encode_headers({"a": "1", "b": "2"}) == b'{"a":"1","b":"2"}'
    assert (encode_headers({}), encode_headers(None), headers_digest(b"")) == (b"", b"", "")


def test_a_message_that_is_not_the_recorded_one_is_named() -> None:
    """By its payload, by its headers, or by both."""
    assert list(unlike(ENTRY, Kept(HEADERS, b"{}"))) == []
    assert [name for name, _, _ in unlike(ENTRY, Kept(HEADERS, b"{ }"))] == ["sha256"]
    assert [name for name, _, _ in unlike(ENTRY, Kept(b"", b"{}"))] == ["headers"]
    assert [name for name, _, _ in unlike(replace(ENTRY, headers=""), Kept(HEADERS, b"[]"))] == ["sha256", "headers"]
