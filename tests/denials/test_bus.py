"""Each identity at the broker: it says, hears and reads what the topology gives it, and nothing else.

What is its own is worked out here from who says and who hears, not from the permissions that the broker was given:
a mistake in those is found.
"""

import asyncio
import os
from collections.abc import Iterator

import nkeys
import pytest

from headrace.bus import BrokerAway, PublishRefused, connect
from headrace.contracts import Topology, load_topology
from headrace.testkit.broker import Broker, started

from .tally import Tally
from .wire import Wire, publishing, subscribing, wire

TOPOLOGY: Topology = load_topology()
KINDS = TOPOLOGY.identities
SERVICES = [name for name, kind in KINDS.items() if kind == "service"]
LESSER = [name for name, kind in KINDS.items() if kind != "admin"]  # an administrator may everything


def said(kind: str) -> str:
    """A subject of a type of event."""
    return f"{kind.rpartition('.')[0]}.probe"


def pulling(stream: str, durable: str) -> list[str]:
    """What takes messages from a durable, looks at it, sets it back, and acknowledges, in both shapes."""
    place = f"{stream}.{durable}"
    api = [f"$JS.API.CONSUMER.{verb}.{place}" for verb in ("MSG.NEXT", "INFO", "RESET")]
    return [*api, f"$JS.ACK.{place}.1.1.1.1.1", f"$JS.ACK._.hash.{place}.1.1.1.1.1.token"]


def meddling(stream: str, durable: str) -> list[str]:
    """What makes, changes and ends a durable; the provisioner's alone."""
    place = f"{stream}.{durable}"
    verbs = ("DELETE", "PAUSE", "UNPIN", "DURABLE.CREATE", "CREATE")
    kinds = [kind for kind in TOPOLOGY.says if _stream(kind) == stream]
    renewing = [f"$JS.API.CONSUMER.CREATE.{place}.{kind.rpartition('.')[0]}.*" for kind in kinds]
    return [
        *renewing,
        *(f"$JS.API.CONSUMER.{verb}.{place}" for verb in verbs),
        f"$JS.API.CONSUMER.LEADER.STEPDOWN.{place}",
    ]


def ruling(stream: str) -> list[str]:
    """What changes or empties a stream, or reads it past all consumers; the provisioner's alone."""
    verbs = ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "MSG.GET", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN")
    return [*(f"$JS.API.STREAM.{verb}.{stream}" for verb in verbs), f"$JS.API.DIRECT.GET.{stream}"]


def publishable(identity: str) -> dict[str, bool]:
    """Every subject that somebody might publish to, and whether this identity may."""
    person, service = KINDS[identity] == "person", identity in SERVICES
    found = {said(kind): identity in speakers for kind, speakers in TOPOLOGY.says.items()}
    for other in [*SERVICES, "inference"]:
        found[f"headrace.parked.{other}.probe"] = service and other == identity
        found[f"headrace.replay.{other}.probe"] = person or (service and other == identity)
    for stream in TOPOLOGY.streams:
        for durable in SERVICES:
            own = durable == identity and stream in {each.stream for each in TOPOLOGY.consumers(identity)}
            found |= dict.fromkeys(pulling(stream, durable), own)
            found |= dict.fromkeys(meddling(stream, durable), False)
        found |= dict.fromkeys([*ruling(stream), f"$JS.API.CONSUMER.CREATE.{stream}"], False)
        found[f"$JS.API.CONSUMER.CREATE.{stream}.passing.headrace.secret.>"] = person
        found[f"$JS.API.CONSUMER.CREATE.{stream}.passing"] = person
        found[f"$JS.API.STREAM.INFO.{stream}"] = person or stream in {s.stream for s in TOPOLOGY.consumers(identity)}
    follows = {each for each in TOPOLOGY.heard_by(identity) if KINDS[identity] == "replica"}
    for kind in TOPOLOGY.says:
        filter_ = f"{kind.rpartition('.')[0]}.*"
        found[f"$JS.API.CONSUMER.CREATE.{_stream(kind)}.passing.{filter_}"] = person or kind in follows
    for other in LESSER:
        found[f"_INBOX_{other}.answer"] = False  # answers come from the broker; nobody may forge one
    everyones = [f"$SYS.REQ.{each}" for each in ("SERVER.PING", "ACCOUNT.PING.CONNZ")]
    everyones += [
        f"$JS.API.{each}" for each in ("STREAM.NAMES", "STREAM.LIST", "ACCOUNT.PURGE.X", "META.LEADER.STEPDOWN")
    ]
    everyones += ["headrace.probe", "headrace.request.unheard.of", "other"]
    return {**found, **dict.fromkeys(everyones, False), "$JS.API.INFO": True}


def hearable(identity: str) -> dict[str, bool]:
    """Every subject that somebody might listen to; an identity hears answers to what it asked, and nothing else."""
    live = [said(kind) for kind in TOPOLOGY.says] + [f"headrace.parked.{each}.>" for each in SERVICES]
    wide = [
        ">",
        "headrace.>",
        "headrace.*.*.*",
        "_INBOX.>",
        "_INBOX_*.>",
        "*.>",
        "$SYS.>",
        "$JS.>",
        "$JS.ACK.>",
        "$JS.EVENT.>",
    ]
    return dict.fromkeys([*live, *wide], False) | {f"_INBOX_{other}.>": other == identity for other in LESSER}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the whole matrix, with streams and durables."""
    server = asyncio.run(started(tmp_path_factory.mktemp("nats")))
    yield server
    server.remove()


def test_each_identity_reaches_what_is_its_own_and_nothing_else(broker: Broker) -> None:
    """Every subject, stream and durable, for publishing and for listening."""
    tried = refused = 0
    wrong: list[str] = []
    resources: set[str] = set()
    for identity in LESSER:
        for act, wanted in ((publishing, publishable(identity)), (subscribing, hearable(identity))):
            with wire(broker.port, broker.seed_file(identity)) as connection:
                denied = connection.denied(*act(wanted))
            wrong += [
                f"{identity} {act.__name__} {each}: {own=}" for each, own in wanted.items() if own == (each in denied)
            ]
            tried, refused = tried + len(wanted), refused + len(denied)
            resources |= {f"{act.__name__} {each}" for each in wanted}
    Tally("bus", len(LESSER), len(resources), tried, refused, len(wrong)).write()

    assert wrong == []
    assert refused > tried * 0.8


def test_strangers_are_not_let_in(broker: Broker) -> None:
    """No key, a key that nobody knows, and somebody's public key with another's signature."""
    unknown = nkeys.encode_seed(os.urandom(32), prefix=nkeys.PREFIX_BYTE_USER)
    known = bytes(nkeys.from_seed(bytearray(broker.seed_file("registry").read_bytes())).public_key).decode()
    attempts = [
        Wire(broker.port, None),
        Wire(broker.port, None, user="provisioner", **{"pass": "provisioner"}),
        Wire(broker.port, None, auth_token="provisioner"),
        Wire(broker.port, None, nkey=known, sig="x"),
        Wire(broker.port, unknown),
    ]

    answers = [each.answer() for each in attempts]
    refused = sum(b"Authorization Violation" in each for each in answers)
    for each in attempts:
        each.close()
    Tally("strangers at the bus", len(attempts), 1, len(attempts), refused, len(attempts) - refused).write()

    assert answers == [b"-ERR 'Authorization Violation'"] * len(attempts)


async def test_a_reader_cannot_let_the_broker_speak_for_another(broker: Broker) -> None:
    """A consumer whose messages go to a subject of somebody else's would say them with the broker's own right."""
    person = await connect(broker.settings("operator"), name="test-forger")
    admin = await connect(broker.settings("provisioner"), name="test-witness")
    before = (await admin.request("STREAM.INFO.EVENTS"))["state"]["messages"]
    wish = {
        "name": "forger",
        "deliver_subject": "headrace.version.approved.m",
        "deliver_policy": "all",
        "ack_policy": "none",
        "filter_subject": "headrace.request.training.m",
        "mem_storage": True,
    }

    await person.request(
        "CONSUMER.CREATE.REQUESTS.forger.headrace.request.training.m",
        {"stream_name": "REQUESTS", "config": wish, "action": "create"},
    )
    await person.publish_and_wait("headrace.request.training.m", b"{}", {})
    delivered = await admin.request("CONSUMER.INFO.REQUESTS.forger")

    assert delivered["delivered"]["consumer_seq"] == 0
    assert (await admin.request("STREAM.INFO.EVENTS"))["state"]["messages"] == before
    for each in (person, admin):
        await each.close()


@pytest.mark.parametrize("who", ["operator", "inference"])
@pytest.mark.parametrize("action", ["", "create", "update"])
@pytest.mark.parametrize("place", ["EVENTS.registry.headrace.route.changed.*", "EVENTS.registry", "EVENTS"])
async def test_a_readers_consumer_is_no_way_to_change_a_services_durable(
    broker: Broker, who: str, action: str, place: str
) -> None:
    """Whoever may make a consumer could make one of a name that is there, and so give that one another filter."""
    reader = await connect(broker.settings(who), name="test-meddler")
    admin = await connect(broker.settings("provisioner"), name="test-witness")
    before = (await admin.request("CONSUMER.INFO.EVENTS.registry"))["config"]
    wish = {name: value for name, value in before.items() if name not in ("filter_subjects", "metadata")}
    wish["filter_subject"] = "headrace.route.changed.*"
    if place == "EVENTS":
        del wish["durable_name"]  # refused as durable; taken as a name

    with pytest.raises((BrokerAway, PublishRefused)):
        await reader.request(
            f"CONSUMER.CREATE.{place}", {"stream_name": "EVENTS", "config": wish, "action": action}, wait=0.5
        )

    assert (await admin.request("CONSUMER.INFO.EVENTS.registry"))["config"] == before
    for each in (reader, admin):
        await each.close()


def _stream(kind: str) -> str:
    aggregate = kind.split(".")[1]
    return {"request": "REQUESTS", "prediction": "PREDICTIONS"}.get(aggregate, "EVENTS")
