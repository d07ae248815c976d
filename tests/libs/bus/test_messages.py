"""What can be told of a message that no schema allows."""

import json
from datetime import UTC, datetime

import pytest

from headrace.bus.messages import RawMessage, type_of

FAMILY = "headrace.request.training"
SUBJECT = f"{FAMILY}.flights"
STRUCTURED = {"specversion": "1.0", "id": "7", "source": "partner"}


def message(data: bytes, subject: str = SUBJECT, **headers: str) -> RawMessage:
    """A message as the stream gave it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawMessage("REQUESTS", 1, subject, named, data, datetime(2026, 1, 1, tzinfo=UTC))


def structured(**attributes: object) -> bytes:
    """A CloudEvent in structured mode."""
    return json.dumps({**STRUCTURED, **attributes}).encode()


@pytest.mark.parametrize(
    ("said", "type_"),
    [
        (message(b"{}"), f"{FAMILY}.v1"),
        (message(b"{not json"), f"{FAMILY}.v1"),
        (message(b""), f"{FAMILY}.v1"),
        (message(b"\xff\xfe"), f"{FAMILY}.v1"),
        (message(structured(type=f"{FAMILY}.v2", data={})), f"{FAMILY}.v2"),
        (message(structured(type="headrace.request.truth.v1", data={})), f"{FAMILY}.v1"),
        (message(structured(type=7, data={})), f"{FAMILY}.v1"),
        (message(b"{}", ce_type=f"{FAMILY}.v3", ce_specversion="1.0"), f"{FAMILY}.v3"),
        (message(b"{}", "headrace.nobody.says.this"), f"{FAMILY}.v1"),
    ],
)
def test_the_type_of_a_message_is_as_it_says_or_the_oldest_of_its_subject(said: RawMessage, type_: str) -> None:
    """Whoever is told of a refusal finds its request by the type that it sent, or would have had."""
    assert type_of(said, FAMILY) == type_
