"""The catalogue of events is closed and whole: schema, model, speaker and stream of each agree."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from headrace.contracts import EVENTS, ContractError, decode, decode_message, encode, load_topology, stream_of, wrap
from headrace.contracts.base import OpenEvent
from headrace.contracts.generate.lock import check_released, incompatibilities, shape
from headrace.contracts.generate.sources import find_sources
from headrace.contracts.generate.table import event_table
from headrace.testkit import a

SOURCES = find_sources()
SCHEMAS = SOURCES.events()
FILES = SOURCES.files()
REGISTRY: Registry[Any] = Registry().with_resources([(s["$id"], Resource.from_contents(s)) for s in FILES.values()])
MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def validator(kind: str) -> Draft202012Validator:
    """The schema of an event, with everything that it refers to."""
    return Draft202012Validator(SCHEMAS[kind], registry=REGISTRY)


def said(kind: str) -> bytes:
    """A valid message of a type."""
    event = a(EVENTS[kind])
    return encode(wrap(event, source="headrace/test", id="e1", time=MOMENT, authid="key:ann"))


def test_schemas_models_and_topology_know_the_same_events() -> None:
    """An event that lacks one of them is no event."""
    topology = load_topology()

    assert set(SCHEMAS) == set(EVENTS)
    assert set(SOURCES.newest()) == set(topology.says) == set(topology.hears)


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_every_event_has_a_known_speaker_and_known_listeners(kind: str) -> None:
    """Whoever is named is an identity; what nobody hears is for the record alone."""
    topology = load_topology()

    assert topology.says[kind], f"say in topology.yaml who says {kind}"
    assert {*topology.says[kind], *topology.hears[kind]} <= set(topology.identities)
    assert stream_of(kind) in topology.streams


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_a_message_reads_as_it_was_written(kind: str) -> None:
    """Encode and decode are each other's inverse."""
    raw = said(kind)

    assert encode(decode(raw)) == raw


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_what_the_model_writes_the_schema_allows(kind: str) -> None:
    """The generated class and its source agree."""
    data = json.loads(said(kind))["data"]

    assert [error.message for error in validator(kind).iter_errors(data)] == []


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_a_missing_field_is_refused_by_schema_and_model_alike(kind: str) -> None:
    """Each required property in turn."""
    whole = json.loads(said(kind))
    for name in SCHEMAS[kind].get("required", []):
        broken = copy.deepcopy(whole)
        del broken["data"][name]
        assert not validator(kind).is_valid(broken["data"])
        with pytest.raises((ContractError, KeyError), match=name):
            decode(json.dumps(broken).encode())


OPEN = {kind for kind, event in EVENTS.items() if issubclass(event, OpenEvent)}


@pytest.mark.parametrize("kind", sorted(OPEN))
def test_a_document_is_read_whole_so_that_its_receiver_can_refuse_what_is_unknown_in_it(kind: str) -> None:
    """A field with a typing error would vanish without a word."""
    document = json.loads(said(kind))
    document["data"]["trainig"] = {"seed": 1}
    read = decode(json.dumps(document).encode()).data

    assert isinstance(read, OpenEvent)
    assert read.document == document["data"]


@pytest.mark.parametrize("kind", sorted(SCHEMAS.keys() - OPEN))
def test_a_reader_ignores_what_it_does_not_know_and_a_writer_refuses_it(kind: str) -> None:
    """A newer writer is understood by an older reader."""
    document = json.loads(said(kind))
    document["data"]["from_the_future"] = 1

    assert decode(json.dumps(document).encode()) == decode(said(kind))
    with pytest.raises(ValueError, match="from_the_future"):
        EVENTS[kind].model_validate({**document["data"]})


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_every_property_is_described(kind: str) -> None:
    """What other teams code against explains itself."""
    assert SCHEMAS[kind]["description"]
    assert all(each.get("description") for each in SCHEMAS[kind].get("properties", {}).values())


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"{", "not JSON"),
        (b"[1]", "a JSON object is needed"),
        (b"{}", "specversion"),
        (said("headrace.training.failed.v1").replace(b"training.failed.v1", b"training.fell.v1", 1), "is not known"),
        (
            said("headrace.training.failed.v1").replace(b'"time":"2026', b'"time":"x2026', 1),
            "time: .*no time of RFC 3339",
        ),
    ],
)
def test_a_message_that_no_schema_allows_is_refused_with_its_place(raw: bytes, place: str) -> None:
    """The reader learns what would be right."""
    with pytest.raises(ContractError, match=place):
        decode(raw)


EXTREMES = [
    ("9999-12-31T23:59:59-23:59", "outside the years"),
    ("0001-01-01T00:00:00+23:59", "outside the years"),
    ("20261130T170000Z", "no time of RFC 3339"),
    ("2026-W49-1T17:00:00Z", "no time of RFC 3339"),
    ("2026-11-30T17Z", "no time of RFC 3339"),
    (1764522000, "no time of RFC 3339"),
]


@pytest.mark.parametrize(("moment", "reason"), EXTREMES)
def test_a_time_that_is_no_plausible_moment_is_refused_at_the_door(moment: object, reason: str) -> None:
    """In the envelope and in every schema, before anything is reckoned with it."""
    envelope = json.loads(said("headrace.prediction.logged.v1"))
    for place in (envelope, envelope["data"]):
        with pytest.raises(ContractError, match=f"time: .*{reason}"):
            decode(json.dumps({**envelope, **_spoiled(envelope, place, moment)}).encode())


def _spoiled(envelope: dict[str, Any], place: dict[str, Any], moment: object) -> dict[str, Any]:
    return {"time": moment} if place is envelope else {"data": {**place, "time": moment}}


@pytest.mark.parametrize("moment", ["2026-11-30t17:00:00z", "2026-11-30 17:00:00.123456789+01:00"])
def test_every_form_of_rfc_3339_is_taken(moment: str) -> None:
    """Lower case and a space are as good."""
    envelope = json.loads(said("headrace.prediction.logged.v1")) | {"time": moment}

    assert decode(json.dumps(envelope).encode()).time.tzinfo is UTC


@pytest.mark.parametrize("value", ["1e400", "-1e999", "NaN", "Infinity", str(2**63), str(-(2**63) - 1), r'"a\u0000b"'])
@pytest.mark.parametrize("place", ["version", "extra", "inputs"])
def test_a_number_or_text_that_no_database_takes_is_refused_at_the_door(value: str, place: str) -> None:
    """Wherever it stands: in a field, in one that nobody knows, among the values of a prediction."""
    envelope = json.loads(said("headrace.prediction.logged.v1"))
    envelope["data"][place] = {"x": ["VALUE"]} if place == "inputs" else "VALUE"

    with pytest.raises(ContractError):
        decode(json.dumps(envelope).replace('"VALUE"', value).encode())


def test_the_largest_numbers_are_taken() -> None:
    """64 bits, and every finite number."""
    envelope = json.loads(said("headrace.prediction.logged.v1"))
    envelope["data"]["inputs"] = {"x": [2**63 - 1, -(2**63), 1e308, 5e-324, 1e-400]}

    assert decode(json.dumps(envelope).encode()).data.inputs["x"][0] == 2**63 - 1


def test_every_reader_derives_the_same_envelope_of_a_bare_request() -> None:
    """Id and time come from the stream, type and key from the subject."""
    place = {"stream": "REQUESTS", "seq": 7, "timestamp": MOMENT}
    read = decode_message("headrace.request.training.flights", None, b'{"reason": "new season"}', **place)

    assert (read.id, read.type, read.subject, read.time) == (
        "outsider:REQUESTS-7",
        "headrace.request.training.v1",
        "flights",
        MOMENT,
    )
    with pytest.raises(ContractError, match="trainer speaks CloudEvents in structured mode"):
        decode_message("headrace.training.failed.flights", None, b"{}", **place)


def test_a_binary_mode_request_is_read_by_its_headers() -> None:
    """CloudEvents' other mode."""
    headers = {
        "ce-id": "x1",
        "ce-source": "cron",
        "ce-type": "headrace.request.training.v1",
        "ce-time": "2026-01-05T12:00:00Z",
    }
    read = decode_message(
        "headrace.request.training.flights", headers, b"{}", stream="REQUESTS", seq=1, timestamp=MOMENT
    )

    assert (read.id, read.source, read.data.key) == ("outsider:x1", "headrace/outsider", "flights")
    assert read.claims == {"source": "cron"}


def test_no_released_schema_has_changed() -> None:
    """The lock holds the shape of each."""
    assert check_released(SOURCES) == []


def test_the_table_of_events_is_current() -> None:
    """`make schemas` writes it."""
    assert event_table(SOURCES) in (SOURCES.schemas / "README.md").read_text()


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (lambda s: s["properties"].update(note={"type": "string"}), True),
        (lambda s: s["properties"]["run"].update(description="other words"), True),
        (lambda s: s["properties"].pop("reason"), False),
        (lambda s: s["properties"]["reason"].update(type="integer"), False),
        (lambda s: s["required"].append("dataset"), False),
        (lambda s: s["properties"]["kind"].update(pattern="^[a-z]+$"), False),
        (lambda s: s.update(additionalProperties=False), False),
    ],
)
def test_within_a_version_only_optional_properties_may_be_added(change: Any, allowed: bool) -> None:
    """Each other change is found."""
    old = SCHEMAS["headrace.training.failed.v1"]
    new = copy.deepcopy(old)
    change(new)

    assert (list(incompatibilities(shape(old), shape(new))) == []) is allowed
