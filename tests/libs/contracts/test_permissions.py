"""Each identity may say and hear what the topology gives it, and nothing else: the broker itself refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.aio.client import Client as Nats

from headrace.contracts import EVENTS
from headrace.contracts.subjects import ATTRIBUTED, local, pattern, stream_of
from headrace.contracts.topology import load_topology
from headrace.testkit.broker import Broker
from headrace.testkit.waiting import eventually

TOPOLOGY = load_topology()
BOUND = [identity for identity, kind in TOPOLOGY.identities.items() if kind != "admin"]
SERVICES = [identity for identity, kind in TOPOLOGY.identities.items() if kind == "service"]
SENTINEL = "nobody.may.this"
STREAM_API = ("STREAM.CREATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE")


class Refusals:
    """What the broker has refused a connection, subject by subject."""

    def __init__(self, connection: Nats) -> None:
        self.connection = connection
        self.seen: list[str] = []

    async def heard(self, error: Exception) -> None:
        """Remember an asynchronous error of the connection."""
        self.seen.append(str(error).lower())

    async def publishing(self, subjects: list[str]) -> set[str]:
        """Those of the subjects that were refused to a publisher."""
        for subject in [*subjects, SENTINEL]:
            await self.connection.publish(subject, b"{}")
        return await self._of("publish", subjects)

    async def subscribing(self, subjects: list[str]) -> set[str]:
        """Those of the subjects that were refused to a listener."""
        for subject in [*subjects, SENTINEL]:
            await self.connection.subscribe(subject)
        return await self._of("subscription", subjects)

    async def _of(self, verb: str, subjects: list[str]) -> set[str]:
        """The broker answers a connection in order: with the sentinel's refusal, all others are here."""
        await eventually(lambda: any(f'{verb} to "{SENTINEL}"' in error for error in self.seen))
        return {each for each in subjects if any(f'{verb} to "{each.lower()}"' in error for error in self.seen)}


@asynccontextmanager
async def connected(broker: Broker, identity: str) -> AsyncIterator[Refusals]:
    """A plain client with an identity's key."""
    refusals: Refusals | None = None

    async def heard(error: Exception) -> None:
        if refusals is not None:
            await refusals.heard(error)

    connection = await nats.connect(
        broker.url,
        nkeys_seed=str(broker.seed_file(identity)),
        inbox_prefix=f"_INBOX_{identity}".encode(),
        error_cb=heard,
        allow_reconnect=False,
    )
    refusals = Refusals(connection)
    try:
        yield refusals
    finally:
        await connection.close()


def subject(kind: str, speaker: str) -> str:
    """The subject to which somebody publishes a type; in an outsider's account it carries no name."""
    outside = TOPOLOGY.is_outsider(speaker)
    return (local(kind) if outside else pattern(kind, speaker)).replace("*", "flights-delay")


def foreign(identity: str) -> list[str]:
    """Subjects of all that others say, also where the identity says such events in its own name."""
    spoken = [(kind, speaker) for kind in sorted(EVENTS) for speaker in TOPOLOGY.says[kind]]
    subjects = {subject(kind, speaker) for kind, speaker in spoken if speaker != identity}
    subjects |= {pattern(kind, "partner").replace("*", "m") for kind in TOPOLOGY.outsiders_may()}
    return sorted(subjects - {subject(kind, identity) for kind in TOPOLOGY.spoken_by(identity)})


@pytest.mark.parametrize("identity", BOUND)
async def test_the_broker_refuses_every_subject_that_is_not_its_own(identity: str, nats_server: Broker) -> None:
    """A service cannot forge another's fact, whatever its code does."""
    others = foreign(identity)
    async with connected(nats_server, identity) as refusals:
        assert await refusals.publishing(others) == set(others)


@pytest.mark.parametrize("identity", BOUND)
async def test_the_broker_allows_every_subject_that_is_its_own(identity: str, nats_server: Broker) -> None:
    """The other half: nothing that the topology gives is missing."""
    own = [subject(kind, identity) for kind in TOPOLOGY.spoken_by(identity)]
    async with connected(nats_server, identity) as refusals:
        assert await refusals.publishing(own) == set()


@pytest.mark.parametrize("identity", BOUND)
async def test_nobody_but_the_provisioner_makes_changes_or_deletes_streams(identity: str, nats_server: Broker) -> None:
    """The record of events is not in any service's hand."""
    calls = [f"$JS.API.{verb}.{stream}" for verb in STREAM_API for stream in TOPOLOGY.streams]
    calls += [f"$JS.API.STREAM.MSG.DELETE.{stream}" for stream in TOPOLOGY.streams]
    async with connected(nats_server, identity) as refusals:
        assert await refusals.publishing(calls) == set(calls)


@pytest.mark.parametrize("identity", SERVICES)
async def test_a_service_pulls_and_acknowledges_on_its_own_durables_alone(identity: str, nats_server: Broker) -> None:
    """It can neither steal another's messages nor acknowledge them."""
    specs = TOPOLOGY.all_consumers()
    of_others = [
        f"{call}.{spec.stream}.{spec.durable}"
        for spec in specs
        if spec.durable != identity
        for call in ("$JS.API.CONSUMER.MSG.NEXT", "$JS.API.CONSUMER.DELETE", "$JS.API.CONSUMER.INFO")
    ]
    of_others += [f"$JS.ACK.{s.stream}.{s.durable}.1.1.1.1.1" for s in specs if s.durable != identity]
    own = [f"$JS.API.CONSUMER.MSG.NEXT.{s.stream}.{s.durable}" for s in specs if s.durable == identity]

    async with connected(nats_server, identity) as refusals:
        assert await refusals.publishing([*of_others, *own]) == set(of_others)


@pytest.mark.parametrize("identity", BOUND)
async def test_nobody_listens_beside_the_streams_or_to_another_s_answers(identity: str, nats_server: Broker) -> None:
    """Core subscriptions would see events without a durable, and inboxes the answers to others."""
    places = [">", "headrace.>", "$JS.API.>", "*.>"]
    places += [f"_INBOX_{other}.>" for other in TOPOLOGY.identities if other != identity]
    async with connected(nats_server, identity) as refusals:
        assert await refusals.subscribing(places) == set(places)


async def test_without_a_known_key_there_is_no_connection(nats_server: Broker) -> None:
    """No anonymous publisher."""
    with pytest.raises(nats.errors.Error):
        await nats.connect(nats_server.url, allow_reconnect=False)


def test_every_event_lies_in_the_stream_whose_subjects_hold_it() -> None:
    """Else a publish would wait for an acknowledgement that never comes."""
    for kind in EVENTS:
        prefix = f"headrace.{pattern(kind).split('.')[1]}.>"
        assert prefix in TOPOLOGY.streams[stream_of(kind)].subjects, f"{kind}: add {prefix} to {stream_of(kind)}"


def test_a_service_has_one_durable_a_stream() -> None:
    """Two durables would hear everything twice."""
    places = [(spec.stream, spec.durable) for spec in TOPOLOGY.all_consumers()]

    assert len(places) == len(set(places))
    assert {spec.durable for spec in TOPOLOGY.all_consumers()} <= set(SERVICES)


def test_audit_hears_everything() -> None:
    """Its durables have no filter; what is a copy of something else it has heard already."""
    originals = {name for name, stream in TOPOLOGY.streams.items() if not stream.copies}

    assert {spec.stream for spec in TOPOLOGY.consumers("audit") if not spec.filters} == originals


def test_every_subject_has_one_speaker() -> None:
    """So who said a message is known from where it lies, and its source cannot be forged."""
    for kind in EVENTS:
        for speaker in TOPOLOGY.says[kind]:
            there = pattern(kind, speaker).replace("*", "m")
            assert TOPOLOGY.speaker(there) == speaker, (
                f"{kind}: several say it; add its aggregate to ATTRIBUTED ({set(ATTRIBUTED)})"
            )


def test_who_decides_is_authenticated_by_whoever_passes_the_decision_on() -> None:
    """A key to the broker that many people hold approves in nobody's name."""
    assert all(TOPOLOGY.authenticates(each) for each in TOPOLOGY.says["headrace.request.decision.v1"])
