"""Entries: one canonical byte string for one message."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from headrace.tlog import Entry, event_digest

ENTRY = Entry(
    stream="EVENTS",
    seq=7,
    subject="headrace.dataset.ingested.flights",
    id="0190",
    type="headrace.dataset.ingested.v1",
    source="headrace/ingest",
    time="2026-01-01T00:00:00Z",
    sha256=event_digest(b"{}"),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, TEXT, st.integers(0, 2**53 - 1))
def test_entries_are_rfc_8785(subject: str, identity: str, seq: int) -> None:
    """Our encoder and a full RFC 8785 implementation write the same bytes for every entry."""
    entry = replace(ENTRY, subject=subject, id=identity, seq=seq)
    fields = {name: getattr(entry, name) for name in Entry.__slots__}
    assert entry.encode() == rfc8785.dumps(fields)
    assert Entry.decode(entry.encode()) == entry


def test_an_entry_holds_the_hash_of_the_message() -> None:
    """The digest is over the payload's bytes as they travelled."""
    assert event_digest(b'{"a": 1}') == hashlib.sha256(b'{"a": 1}').hexdigest()


@pytest.mark.parametrize(
    "raw",
    [b"[]", b"{}", b"nonsense", ENTRY.encode() + b" ", ENTRY.encode().replace(b'"v":1', b'"v":1,"w":2')],
)
def test_what_is_not_canonical_is_no_entry(raw: bytes) -> None:
    """A second spelling of an entry would be a second leaf."""
    with pytest.raises(ValueError):
        Entry.decode(raw)


def test_differences_are_named() -> None:
    """A verifier can say which field of an entry does not fit its event."""
    assert ENTRY.differences(replace(ENTRY, seq=8, source="x")) == ["seq", "source"]
    assert ENTRY.differences(ENTRY) == []


def test_half_a_surrogate_pair_does_not_stop_the_log() -> None:
    """A subject that is no Unicode text is still recorded."""
    assert b"?" in replace(ENTRY, id="\ud800").encode()
