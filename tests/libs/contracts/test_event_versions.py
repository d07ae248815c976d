"""Versions of events: an older one is upcast on reading, a newer one is told apart from what was never known."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from headrace.contracts import (
    EVENTS,
    ContractError,
    Event,
    NewerVersion,
    TrainingRequested,
    attributes_of,
    decode,
    decode_message,
    encode,
    wrap,
)
from headrace.contracts import event_versions as versions
from headrace.contracts import upcasters as all_upcasters
from headrace.contracts.envelope import derive_id
from headrace.contracts.event_versions import newer_than, newest_types, oldest
from headrace.contracts.generate.sources import find_sources
from headrace.contracts.upcasters import UPCASTERS

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)
NAME = "headrace.request.training"
NEWER = f"{NAME}.v2"


class TrainingRequestedV2(Event):
    """A made-up second version, which calls the reason a purpose."""

    TYPE: ClassVar[str] = NEWER
    KEY: ClassVar[str] = "model"

    model: str
    purpose: str


def request_training_v1(old: TrainingRequested) -> TrainingRequestedV2:
    """The reason became the purpose."""
    return TrainingRequestedV2(model=old.model, purpose=old.reason or "none")


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A program that knows the second version."""
    monkeypatch.setitem(EVENTS, NEWER, TrainingRequestedV2)
    monkeypatch.setattr(all_upcasters, "UPCASTERS", {f"{NAME}.v1": request_training_v1})
    forget()
    yield
    monkeypatch.undo()
    forget()


def forget() -> None:
    """What was known of versions before."""
    versions._numbers.cache_clear()
    versions.newer_than.cache_clear()


def said(reason: str = "why") -> bytes:
    """A request of the first version."""
    event = TrainingRequested(model="m", reason=reason)
    return encode(wrap(event, source="headrace/monitor", id="e1", time=MOMENT))


def test_an_older_version_is_read_as_the_newest_and_keeps_the_type_that_was_said(upgraded: None) -> None:
    """A handler knows one version; the record knows what lies in the stream."""
    read = decode(said())

    assert read.type == f"{NAME}.v1"
    assert read.data == TrainingRequestedV2(model="m", purpose="why")


def test_what_was_upcast_is_written_as_the_newest(upgraded: None) -> None:
    """What a service keeps of a cause is read again by itself alone."""
    again = json.loads(encode(decode(said())))

    assert (again["type"], again["data"]) == (NEWER, {"model": "m", "purpose": "why"})
    assert again["dataschema"].endswith("events/request/training.v2.json")


def test_a_newer_version_is_no_fault_of_the_message() -> None:
    """The error says which event, and which version is known."""
    newer = said().replace(b"request.training.v1", b"request.training.v2")

    with pytest.raises(NewerVersion, match=r"headrace\.request\.training\.v2 is newer .* knows version 1") as caught:
        decode(newer)

    assert (caught.value.kind, caught.value.known) == (NEWER, 1)


@pytest.mark.parametrize(
    "kind",
    ["headrace.request.dancing.v2", f"{NAME}.v0", f"{NAME}.vx", f"{NAME}.v²", f"{NAME}.v9999999", NAME, "", "v2"],
)
def test_what_was_never_known_is_no_newer_version(kind: str) -> None:
    """It is refused as ever."""
    assert newer_than(kind) is None
    with pytest.raises(ContractError, match="is not known"):
        versions.class_of(kind)


def message(body: bytes, headers: dict[str, str] | None = None) -> Any:
    """A request of an outsider as it lies in its stream."""
    place = {"stream": "REQUESTS", "seq": 7, "timestamp": MOMENT}
    return (f"headrace.from.outsider.{NAME[9:]}.m", headers, body), place


def test_an_outsider_cannot_make_a_service_wait_for_an_upgrade() -> None:
    """It is told which version is known, and its request is refused."""
    arguments, place = message(b"{}", {"ce-type": f"{NAME}.v9", "ce-id": "x"})

    with pytest.raises(ContractError, match=r"version 1 is the newest of headrace\.request\.training here") as caught:
        decode_message(*arguments, **place)

    assert not isinstance(caught.value, NewerVersion)


def test_a_bare_request_has_the_version_that_it_was_written_for(upgraded: None) -> None:
    """Old and new readers derive the same envelope; the newer one upcasts it."""
    arguments, place = message(b'{"reason": "bare"}')

    read = decode_message(*arguments, **place)

    assert oldest(NAME) == read.type == f"{NAME}.v1"
    assert read.data == TrainingRequestedV2(model="m", purpose="bare")


SENT = [
    (b'{"reason": "bare"}', None),
    (b'{"reason": "named"}', {"ce-type": f"{NAME}.v1", "ce-id": "x", "ce-source": "me", "ce-authid": "key:ann"}),
    (b'{"purpose": "newer"}', {"ce-type": NEWER, "ce-id": "x", "ce-correlationid": "story"}),
    (b'{"reason": 3}', {"ce-id": "wrong"}),
]


@pytest.mark.parametrize(("body", "headers"), SENT)
def test_a_record_reads_the_same_before_and_after_an_upgrade(
    body: bytes, headers: dict[str, str] | None, request: pytest.FixtureRequest
) -> None:
    """No schema decides what is recorded of a message: its columns are derived again years later."""
    arguments, place = message(body, headers)
    before = attributes_of(*arguments, **place)

    request.getfixturevalue("upgraded")

    assert attributes_of(*arguments, **place) == before
    assert before["authid"] == "nats:outsider"
    assert before["id"].startswith("outsider:")
    assert before["data"]["model"] == "m"


def test_a_record_has_what_every_hearer_reads() -> None:
    """Where a message can be read, id, time, actor and chain are those of its envelope."""
    for body, headers in SENT[:2]:
        arguments, place = message(body, headers)
        envelope = decode_message(*arguments, **place)
        found = attributes_of(*arguments, **place)
        for name in ("id", "type", "source", "subject", "time", "correlationid", "authid"):
            assert found[name] == getattr(envelope, name)


def test_an_event_that_is_said_again_after_an_upgrade_has_the_same_id() -> None:
    """A service that is restored from an older copy may be of a newer release by then."""
    assert derive_id("cause", f"{NAME}.v1", "m", 0) == derive_id("cause", NEWER, "m", 0)
    assert derive_id("cause", f"{NAME}.v1", "m", 0) != derive_id("cause", f"{NAME}.v1", "m", 1)


def test_writers_say_the_newest_version_alone() -> None:
    """Every other one has its upcaster, which leads to the next."""
    assert newest_types() == frozenset(find_sources().newest())
    assert set(UPCASTERS) == EVENTS.keys() - newest_types()
