"""Each identity at the broker: it says, hears and reads what the topology gives it, and nothing else.

What is its own is worked out here from who says and who hears, not from the permissions that the broker was given:
a mistake in those is found.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator

import nkeys
import pytest

from headrace.bus import BrokerAway, PublishRefused, connect
from headrace.contracts import Topology, load_topology
from headrace.testkit.broker import Broker, started

from .tally import Tally, write_reasons
from .wire import Wire, publishing, subscribing, wire

Wanted = dict[str, str | None]  # subjects, with the reason why somebody may; None where they may not

TOPOLOGY: Topology = load_topology()
KINDS = TOPOLOGY.identities
SERVICES = [name for name, kind in KINDS.items() if kind == "service"]
REQUESTS = [kind for kind, says in TOPOLOGY.says.items() if "outsider" in says]  # what programs outside may ask for
TRAINING = "headrace.request.training.v1"
# two that were added by name, one of them for one kind of request alone, and the one that all others share
OUTSIDERS = {"outsider": REQUESTS, "partner": REQUESTS, "rival": [TRAINING]}
LESSER = [name for name, kind in KINDS.items() if kind not in ("admin", "publisher")]  # an admin may everything
FOR_NOBODY = [
    *(f"$SYS.REQ.{each}" for each in ("SERVER.PING", "ACCOUNT.PING.CONNZ")),
    *(f"$JS.API.{each}" for each in ("STREAM.NAMES", "STREAM.LIST", "ACCOUNT.PURGE.X", "META.LEADER.STEPDOWN")),
    *("headrace.probe", "headrace.request.unheard.of", "headrace.request.decision.probe", "other"),
]


def said(kind: str, speaker: str) -> str:
    """A subject of a type of event as somebody says it within the installation."""
    _, aggregate, fact, _ = kind.split(".")
    several = {"request": f"from.{speaker}.", "message": f"from.{speaker}.", "alert": f"by.{speaker}."}
    return f"headrace.{several.get(aggregate, '')}{aggregate}.{fact}.probe"


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
    renewing = [f"$JS.API.CONSUMER.CREATE.{place}.{_pattern(kind)}" for kind in kinds]
    return [
        *renewing,
        *(f"$JS.API.CONSUMER.{verb}.{place}" for verb in verbs),
        f"$JS.API.CONSUMER.LEADER.STEPDOWN.{place}",
    ]


def ruling(stream: str) -> list[str]:
    """What changes or empties a stream, or reads it past all consumers; the provisioner's alone."""
    verbs = ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "MSG.GET", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN")
    return [*(f"$JS.API.STREAM.{verb}.{stream}" for verb in verbs), f"$JS.API.DIRECT.GET.{stream}"]


def publishable(identity: str) -> Wanted:
    """Every subject that somebody might publish to, with the reason where this identity may."""
    found: Wanted = dict.fromkeys([*within(), *FOR_NOBODY, *(local(kind) for kind in REQUESTS)])
    found |= {f"headrace.last.{each}": None for each in ("training.completed.probe", "from.registry.request.refused.m")}
    if identity in OUTSIDERS:
        found |= dict.fromkeys((local(kind) for kind in OUTSIDERS[identity]), "makes such requests, in its own name")
        return found | {each: "asks for its own answers again" for each in found if each.startswith("headrace.last.")}
    found["$JS.API.INFO"] = "asks the broker whether it is there"
    found |= {said(kind, identity): "says it" for kind in TOPOLOGY.spoken_by(identity)}
    if KINDS[identity] == "person":
        found |= dict.fromkeys(reading(), "a person reads every stream")
    found |= dict.fromkeys(following(identity), "follows it without a durable")
    return found | (of_service(identity) if identity in SERVICES else {})


def of_service(name: str) -> Wanted:
    """What is a service's own beside what it says."""
    found: Wanted = {f"headrace.parked.{name}.probe": "sets aside what it could not handle"}
    kinds = [kind for kind in TOPOLOGY.spoken_by(name) if ".message." not in kind]
    copies = [answer(said(kind, name), who) for kind in kinds for who in OUTSIDERS]
    found |= dict.fromkeys(copies, "answers whoever asked for what it says")
    for spec in TOPOLOGY.consumers(name):
        found |= dict.fromkeys(pulling(spec.stream, name), "takes what it hears")
        found[f"$JS.API.STREAM.INFO.{spec.stream}"] = "asks how far a stream is that it hears"
    return found


def within() -> list[str]:
    """Everything that there is to say, to ask and to take for anybody within the installation, or in a false name."""
    spoken = [said(kind, who) for kind in TOPOLOGY.says for who in (*LESSER, *OUTSIDERS)]
    found = [*spoken, *(answer(each, who) for each in dict.fromkeys(spoken) for who in OUTSIDERS)]
    found += [f"headrace.{what}.{who}.probe" for who in LESSER for what in ("parked", "replay")]
    for stream in TOPOLOGY.streams:
        found += [*ruling(stream), f"$JS.API.CONSUMER.CREATE.{stream}"]
        for durable in SERVICES:
            found += [*pulling(stream, durable), *meddling(stream, durable)]
    return [*found, *reading(), *(f"_INBOX_{who}.answer" for who in LESSER), "$JS.API.INFO"]


def reading() -> list[str]:
    """What reads any stream through a consumer of one's own."""
    kinds = [f"$JS.API.CONSUMER.CREATE.{_stream(kind)}.passing.{_pattern(kind)}" for kind in TOPOLOGY.says]
    for stream in TOPOLOGY.streams:
        create = f"$JS.API.CONSUMER.CREATE.{stream}.passing"
        kinds += [create, f"{create}.headrace.secret.>", f"$JS.API.STREAM.INFO.{stream}"]
    return kinds


def following(identity: str) -> list[str]:
    """What reads single types of events: a replica's routes, and what audit compares its log with."""
    kinds = TOPOLOGY.heard_by(identity) if KINDS[identity] == "replica" else TOPOLOGY.rereads.get(identity, ())
    return [f"$JS.API.CONSUMER.CREATE.{_stream(kind)}.passing.{_pattern(kind)}" for kind in kinds]


def hearable(identity: str) -> Wanted:
    """Every subject that somebody might listen to: answers to what one asked, and nothing else."""
    live = [said(kind, who) for kind in TOPOLOGY.says for who in LESSER]
    live += [f"headrace.parked.{each}.>" for each in SERVICES] + [f"headrace.to.{who}.>" for who in OUTSIDERS]
    wide = [">", "headrace.>", "headrace.*.*.*", "_INBOX_*.>", "*.>", "$SYS.>", "$JS.>", "$JS.ACK.>", "$JS.EVENT.>"]
    inboxes = [f"_INBOX_{other}.>" for other in (*LESSER, *OUTSIDERS)]
    found: Wanted = dict.fromkeys([*live, *wide, *inboxes, "_INBOX.>", "headrace.answers.>"])
    found[f"_INBOX_{identity}.>"] = "hears what the broker answers it"
    if identity in OUTSIDERS:
        found["_INBOX.>"] = "hears what the broker answers it; inboxes are of its own account"
        found["headrace.answers.>"] = "hears what its own requests caused"
    return found


def local(kind: str) -> str:
    """The subject of a request in the account of an outsider."""
    return f"{kind.rpartition('.')[0]}.probe"


def answer(subject: str, outsider: str) -> str:
    """The copy of an event for whoever asked for it."""
    return f"headrace.to.{outsider}.{subject.removeprefix('headrace.')}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the whole matrix, with streams and durables."""
    server = asyncio.run(started(tmp_path_factory.mktemp("nats"), outsiders={"partner": (), "rival": ("training",)}))
    yield server
    server.remove()


def test_each_identity_reaches_what_is_its_own_and_nothing_else(broker: Broker) -> None:
    """Every subject, stream and durable, for publishing and for listening."""
    tried = refused = 0
    wrong: list[str] = []
    resources: set[str] = set()
    reasons: Counter[tuple[str, str]] = Counter()
    for identity in (*LESSER, *OUTSIDERS):
        for act, wanted in ((publishing, publishable(identity)), (subscribing, hearable(identity))):
            with wire(broker.port, broker.seed_file(identity)) as connection:
                denied = connection.denied(*act(wanted))
            wrong += [
                f"{identity} {act.__name__} {each}: {why=}"
                for each, why in wanted.items()
                if (why is not None) == (each in denied)
            ]
            tried, refused = tried + len(wanted), refused + len(denied)
            resources |= {f"{act.__name__} {each}" for each in wanted}
            reasons.update((why, identity) for why in wanted.values() if why is not None)
    Tally("bus", len(LESSER) + len(OUTSIDERS), len(resources), tried, refused, len(wrong)).write()
    write_reasons(reasons)

    assert wrong == []
    assert refused > tried * 0.8
    assert reasons.total() == tried - refused


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
        "filter_subject": "headrace.from.operator.request.training.m",
        "mem_storage": True,
    }

    await person.request(
        "CONSUMER.CREATE.REQUESTS.forger.headrace.from.operator.request.training.m",
        {"stream_name": "REQUESTS", "config": wish, "action": "create"},
    )
    await person.publish_and_wait("headrace.from.operator.request.training.m", b"{}", {})
    delivered = await admin.request("CONSUMER.INFO.REQUESTS.forger")

    assert delivered["delivered"]["consumer_seq"] == 0
    assert (await admin.request("STREAM.INFO.EVENTS"))["state"]["messages"] == before
    for each in (person, admin):
        await each.close()


@pytest.mark.parametrize("who", ["operator", "inference", "audit"])
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
    streams = {"request": "REQUESTS", "message": "REQUESTS", "prediction": "PREDICTIONS"}
    return streams.get(aggregate, "EVENTS")


def _pattern(kind: str) -> str:
    return said(kind, "*").replace("probe", "*")
