"""Who said a message comes from where it lies, which the broker lets nobody else use, and never from what it says."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.contracts import EVENTS, ContractError, Envelope, asker_of, decode_message, encode, load_topology, wrap
from headrace.contracts.subjects import pattern
from headrace.testkit import a

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)
TRAINING = "headrace.request.training.v1"
WITHIN = [name for name in load_topology().identities if load_topology().authenticates(name)]
UNPROVEN = ["partner", "outsider", "operator"]


def subject(who: str, what: str = "training.flights") -> str:
    """Where a request of somebody lies."""
    return f"headrace.from.{who}.request.{what}"


def read(where: str, data: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> Envelope:
    """A message as every reader reads it."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return decode_message(where, headers, body, stream="REQUESTS", seq=7, timestamp=MOMENT)


def structured(**more: Any) -> dict[str, Any]:
    """The least that is a CloudEvent."""
    return {"specversion": "1.0", "id": "x1", "source": "https://partner.example/cron", "type": TRAINING, **more}


CLAIMED = ["key:approver", "oidc:login.example.org/ann", "service:registry", "nats:rival", "nats:outsider"]


@pytest.mark.parametrize("who", UNPROVEN)
@pytest.mark.parametrize("claim", CLAIMED)
@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_what_an_outsider_says_of_who_asked_is_a_claim(who: str, claim: str, mode: str) -> None:
    """It is kept and shown as one; the actor is whose key the connection had."""
    if mode == "structured":
        found = read(subject(who), structured(authid=claim))
    else:
        found = read(subject(who), b"{}", {"ce-id": "x1", "ce-type": TRAINING, "ce-authid": claim})

    assert found.authid == f"nats:{who}"
    assert found.claims["authid"] == claim


@pytest.mark.parametrize("who", UNPROVEN)
@pytest.mark.parametrize("source", ["headrace/registry", "headrace/console", "headrace/rival", "https://a.example"])
def test_the_source_of_a_request_is_whose_key_the_connection_had(who: str, source: str) -> None:
    """Whatever it says."""
    found = read(subject(who), structured(source=source))

    assert (found.source, found.speaker, found.claims["source"]) == (f"headrace/{who}", who, source)


@pytest.mark.parametrize("who", UNPROVEN)
@pytest.mark.parametrize("name", ["id", "correlationid", "causationid"])
@pytest.mark.parametrize("value", ["6e0f4c6c-7f0c-5c58-93d7-0f6f2ab4d3e2", "REQUESTS-7", "rival:REQUESTS-7", "a/b/c"])
def test_an_outsiders_ids_are_its_own(who: str, name: str, value: str) -> None:
    """It can neither take the place of an event that is to come, nor join or answer the chain of another."""
    found = read(subject(who), structured(**{name: value}))

    assert getattr(found, name) == f"{who}:{value}"
    assert asker_of(found.correlationid) == (None if who == "operator" else who)


def test_an_outsider_may_refer_to_what_it_has_heard() -> None:
    """Its answers carry ids that begin with its name already."""
    found = read(subject("partner"), structured(correlationid="partner:story", causationid="partner:x0"))

    assert (found.correlationid, found.causationid) == ("partner:story", "partner:x0")


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_nobody_says_a_fact_in_the_name_of_another(kind: str) -> None:
    """Of every event, from every identity that authenticates: the source is the speaker of its subject, or refused."""
    topology = load_topology()
    event = a(EVENTS[kind])
    for speaker in topology.says[kind]:
        where = pattern(kind, speaker).replace("*", event.key)
        for name in topology.identities:
            said = encode(wrap(event, source=f"headrace/{name}", id="e1", time=MOMENT, authid="key:ann"))
            if not topology.authenticates(speaker):
                assert read(where, said).authid == f"nats:{speaker}"
            elif name == speaker:
                assert read(where, said).authid == "key:ann"
            else:
                with pytest.raises(ContractError, match="source"):
                    read(where, said)


@pytest.mark.parametrize("who", WITHIN)
def test_a_service_that_does_not_say_who_asked_asked_itself(who: str) -> None:
    """There is always an actor."""
    event = a(EVENTS[TRAINING], model="flights")
    found = read(subject(who), encode(wrap(event, source=f"headrace/{who}", id="e1", time=MOMENT)))

    assert (found.authid, found.id) == (f"service:{who}", "e1")


@pytest.mark.parametrize("who", WITHIN)
@pytest.mark.parametrize("body", [b"{}", b'{"stream":"REQUESTS","seq":3}', b'{"reason":"x"}'])
def test_services_speak_whole_cloudevents(who: str, body: bytes) -> None:
    """What the broker answers, sent astray to a subject of theirs, is nothing that they said."""
    with pytest.raises(ContractError):
        read(subject(who), body)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"stream":"REQUESTS","seq":3}', None),
        (b'{"stream":"REQUESTS","seq":3,"duplicate":true}', None),
        (b'{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{}}', None),
        (b"", {"Status": "408", "Description": "Request Timeout"}),
    ],
)
def test_an_answer_of_the_broker_is_no_request(body: bytes, headers: dict[str, str] | None) -> None:
    """Whoever asks it something may name any subject for the answer, also one that is another's to use."""
    with pytest.raises(ContractError, match="answer of the broker"):
        read(subject("partner"), body, headers)


@pytest.mark.parametrize("absent", [["time"], ["subject"], ["data"], ["id"], ["source"], ["time", "subject", "data"]])
def test_a_structured_event_may_leave_out_what_its_place_says(absent: list[str]) -> None:
    """Time, subject and the key in its data come from stream and subject, in every mode alike."""
    whole = structured(time="2026-01-05T12:00:00Z", subject="flights", data={"reason": "x"})
    found = read(subject("partner"), {name: value for name, value in whole.items() if name not in absent})

    assert (found.time, found.subject, found.data.key, found.type) == (MOMENT, "flights", "flights", TRAINING)
    assert found.id == ("partner:REQUESTS-7" if absent == ["id"] else "partner:x1")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"subject": "other"}, "does not belong on"),
        ({"type": "headrace.request.declaration.v1", "data": {"name": "flights"}}, "does not belong on"),
        ({"type": "headrace.request.cancel.v1", "data": {"run": "r"}}, "does not belong on"),
        ({"type": 5}, "type"),
        ({"data": {"model": "other"}}, "data.model is"),
        ({"data": "text"}, "a JSON object is needed"),
        ({"data_base64": "%%%"}, "base64"),
        ({"specversion": "0.3"}, "specversion"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_what_contradicts_its_place_is_refused(change: dict[str, Any], place: str) -> None:
    """With the place and what would be right."""
    with pytest.raises(ContractError, match=place):
        read(subject("partner"), structured(**change))


def test_bytes_travel_as_base64() -> None:
    """As CloudEvents' SDKs send whatever is not an object."""
    found = read(subject("partner"), structured(data_base64=base64.b64encode(b'{"reason": "x"}').decode()))

    assert found.data.reason == "x"  # type: ignore[attr-defined]


def test_binary_attributes_are_percent_encoded() -> None:
    """As the binding says."""
    found = read(subject("partner"), b"{}", {"ce-type": TRAINING, "ce-id": "caf%C3%A9", "ce-source": "cron"})

    assert found.id == "partner:café"


@pytest.mark.parametrize("media", ["application/cloudevents-batch+json", "application/cloudevents+json; charset=utf-8"])
def test_what_says_that_it_is_an_event_and_is_none_is_refused(media: str) -> None:
    """Batches are not taken, and an event in structured mode says which version it has."""
    with pytest.raises(ContractError):
        read(subject("partner"), b'{"reason": "x"}', {"Content-Type": media})


def test_a_word_in_the_data_makes_no_cloudevent() -> None:
    """Bare JSON may speak of anything."""
    assert read(subject("partner"), b'{"reason": "specversion"}').data.key == "flights"


@pytest.mark.parametrize(
    "where", ["headrace.version.approved.m", "headrace.nothing.known.m", "other", "headrace.from.partner"]
)
def test_only_requests_may_be_bare(where: str) -> None:
    """Facts are CloudEvents of whoever says them; what lies elsewhere is nobody's."""
    with pytest.raises(ContractError):
        read(where, b'{"model": "m", "version": 1}')


@pytest.mark.parametrize("fact", ["version.approved.m", "message.replayed.registry", "alias.moved.m"])
def test_outsiders_say_requests_alone(fact: str) -> None:
    """Under their own names, too."""
    with pytest.raises(ContractError, match="requests alone"):
        read(f"headrace.from.partner.{fact}", structured())
