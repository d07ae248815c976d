"""Programs outside, as they are: plain NATS clients and CloudEvents' own SDK, each with a key of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import nats
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent as OlderEvent
from nats.aio.client import Client as Nats
from nats.errors import Error, NoRespondersError

from headrace.bus import connect
from headrace.contracts import Envelope, decode, decode_message
from headrace.testkit.broker import Broker
from headrace.testkit.waiting import eventually

REQUEST = "headrace.request.training.flights"
TYPE = "headrace.request.training.v1"
SOURCE = "https://partner.example/cron"
Join = Callable[..., Any]


class Outsider:
    """A plain client with an outsider's key and nothing set but that, and what it has heard."""

    def __init__(self, client: Nats) -> None:
        self.client = client
        self.heard: list[tuple[str, Envelope]] = []

    async def listen(self) -> None:
        """Hear what its own requests cause."""

        async def keep(message: Any) -> None:
            self.heard.append((message.subject, decode(message.data)))

        await self.client.subscribe("headrace.answers.>", cb=keep)
        await self.client.flush()

    async def ask(self, payload: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Request with reply: where the broker has stored the request."""
        answer = await self.client.request(REQUEST, payload, headers=headers)
        stored: dict[str, Any] = json.loads(answer.data)
        return stored


@pytest.fixture
async def join(nats_server: Broker) -> AsyncIterator[Join]:
    """Add an outsider to a broker that runs, and let a plain client in with its key."""
    clients: list[Nats] = []

    async def added(name: str, may: Iterable[str] = ()) -> Outsider:
        if name not in nats_server.identities and name not in nats_server.outsiders.all():
            nats_server.outsiders.add(name, may)
            await asyncio.to_thread(nats_server.reload)
        clients.append(await nats.connect(nats_server.url, nkeys_seed=str(nats_server.seed_file(name))))
        return Outsider(clients[-1])

    yield added
    for client in clients:
        await client.close()


async def stored(broker: Broker, seq: int) -> Envelope:
    """A request as every reader of the stream reads it."""
    admin = await connect(broker.settings("provisioner"), name="reader")
    message = await admin.client.jetstream().get_msg("REQUESTS", seq)
    await admin.close()
    assert message.subject is not None
    return decode_message(
        message.subject, message.headers, message.data or b"", stream="REQUESTS", seq=seq, timestamp=message.time
    )


async def test_a_request_is_answered_by_where_it_lies(join: Join, nats_server: Broker) -> None:
    """`nats request` and a client's `request`, without a special inbox: the answer tells the request's id."""
    partner = await join("partner")

    answer = await partner.ask(b'{"reason": "new season"}')

    found = await stored(nats_server, answer["seq"])
    assert (answer["stream"], found.id, found.authid) == (
        "REQUESTS",
        f"partner:REQUESTS-{answer['seq']}",
        "nats:partner",
    )


def events() -> dict[str, HTTPMessage | tuple[Any, Any]]:
    """What CloudEvents' SDK sends by default, in each of its modes, kinds of data and major versions."""
    attributes = {"type": TYPE, "source": SOURCE}
    plain = CloudEvent(attributes=_filled(attributes), data={"reason": "sdk"})
    older = OlderEvent(attributes, {"reason": "sdk"})
    return {
        "structured": to_structured_event(plain),
        "binary": to_binary_event(plain),
        "structured bytes": to_structured_event(CloudEvent(attributes=_filled(attributes), data=b'{"reason": "sdk"}')),
        "structured without data": to_structured_event(CloudEvent(attributes=_filled(attributes))),
        "binary without data": to_binary_event(CloudEvent(attributes=_filled(attributes))),
        "version 1, structured": to_structured(older),
        "version 1, binary": to_binary(older, json.dumps),
    }


def _filled(attributes: dict[str, str]) -> dict[str, Any]:
    return {**attributes, "id": "from-sdk", "specversion": "1.0"}


@pytest.mark.parametrize("how", sorted(events()))
async def test_what_the_cloudevents_sdk_sends_is_taken(how: str, join: Join, nats_server: Broker) -> None:
    """Without time, subject or the model in its data, which its place says."""
    sent = events()[how]
    headers, body = (sent.headers, sent.body) if isinstance(sent, HTTPMessage) else sent
    partner = await join("partner")

    answer = await partner.ask(bytes(body or b""), {name: str(value) for name, value in headers.items()})

    found = await stored(nats_server, answer["seq"])
    assert (found.type, found.data.key, found.source, found.claims["source"]) == (
        TYPE,
        "flights",
        "headrace/partner",
        SOURCE,
    )
    assert found.id.startswith("partner:")
    assert found.data.reason == (None if "without" in how else "sdk")  # type: ignore[attr-defined]


async def test_an_outsider_hears_what_its_request_caused_and_nobody_elses(
    join: Join, plant: Any, eventually: Any
) -> None:
    """The fact that follows comes to whoever asked, with the id of the request; another outsider hears nothing."""
    partner, rival, nobody = [await join(name) for name in ("partner", "rival", "outsider")]
    for each in (partner, rival, nobody):
        await each.listen()

    async with plant():
        asked = await partner.ask(b'{"reason": "mine"}')
        refused = await partner.ask(b'{"reason": 5}')
        await eventually(lambda: len(partner.heard) >= 2)
        theirs = await rival.ask(b'{"reason": "theirs"}')
        await eventually(lambda: rival.heard)

    facts = dict(partner.heard)
    started = facts["headrace.answers.training.started.flights"]
    refusal = facts["headrace.answers.from.trainer.request.refused.flights"]
    assert started.causationid == started.correlationid == f"partner:REQUESTS-{asked['seq']}"
    assert refusal.data.request_id == f"partner:REQUESTS-{refused['seq']}"  # type: ignore[attr-defined]
    assert "reason" in refusal.data.reason  # type: ignore[attr-defined]
    assert {fact.correlationid for _, fact in rival.heard} == {f"rival:REQUESTS-{theirs['seq']}"}
    assert nobody.heard == []


async def test_an_answer_that_was_missed_is_asked_for_again(join: Join, plant: Any, eventually: Any) -> None:
    """An outsider that was away gets the last answer of a subject; of another's it gets none."""
    partner, rival = await join("partner"), await join("rival")
    async with plant() as running:
        asked = await partner.ask(b'{"reason": "mine"}')
        await eventually(lambda: _said(running))

        last = await partner.client.request("headrace.last.training.started.flights", b"")
        none = await rival.client.request("headrace.last.training.started.flights", b"")

    assert decode(last.data).correlationid == f"partner:REQUESTS-{asked['seq']}"
    assert (none.data, (none.headers or {})["Status"]) == (b"", "404")


async def _said(running: Any) -> bool:
    return bool(await running.outbox()) and not await running.unsent()


@pytest.mark.parametrize(
    "reply",
    [
        "headrace.version.approved.flights",
        "headrace.from.registry.message.replayed.registry",
        "headrace.from.monitor.request.training.flights",
        "headrace.from.rival.request.training.flights",
        "headrace.request.training.flights",
        "headrace.to.rival.training.started.flights",
        "$JS.ACK.REQUESTS.trainer.1.1.1.1.1",
        "_INBOX_trainer.x",
    ],
)
async def test_a_reply_subject_reaches_nobody_within(reply: str, join: Join, nats_server: Broker) -> None:
    """The broker answers into the account of whoever asked, so no other subject is ever published to for it."""
    partner = await join("partner")
    admin = await connect(nats_server.settings("provisioner"), name="witness")
    seen: list[str] = []
    said: list[bytes] = []

    async def see(message: Any) -> None:
        seen.append(message.subject)
        said.append(message.data)

    await admin.client.subscribe("headrace.>", cb=see)
    await admin.client.subscribe("$JS.ACK.>", cb=see)
    await admin.client.subscribe("_INBOX_trainer.>", cb=see)
    await admin.client.flush()

    await partner.client.publish(REQUEST, b'{"reason": "astray"}', reply=reply)
    await partner.ask(b'{"reason": "after it"}')
    await eventually(lambda: any(b"after it" in each for each in said))
    streams = {
        name: (await admin.request(f"STREAM.INFO.{name}"))["state"]["messages"] for name in ("EVENTS", "ANSWERS")
    }
    await admin.close()

    assert set(seen) == {"headrace.from.partner.request.training.flights"}
    assert streams == {"EVENTS": 0, "ANSWERS": 0}


async def test_an_outsider_asks_for_what_it_was_allowed_alone(join: Join) -> None:
    """The rest is refused by the broker itself."""
    denied: asyncio.Queue[str] = asyncio.Queue()
    partner = await join("partner", ["truth"])
    partner.client._error_cb = lambda error: denied.put(str(error).lower())

    await partner.client.publish(REQUEST, b"{}")

    assert REQUEST in await asyncio.wait_for(denied.get(), 10)


async def test_an_outsider_that_was_removed_is_let_in_no_more(join: Join, nats_server: Broker) -> None:
    """Nor does it stay; all others go on as they were."""
    partner, rival = await join("partner"), await join("rival")
    seed = nats_server.seed_file("partner").read_text()
    gone = asyncio.Event()

    async def closed() -> None:
        gone.set()

    partner.client._disconnected_cb = closed
    nats_server.outsiders.remove("partner")
    await asyncio.to_thread(nats_server.reload)

    await asyncio.wait_for(gone.wait(), 10)
    with pytest.raises(Error):
        await nats.connect(nats_server.url, nkeys_seed_str=seed, allow_reconnect=False)
    assert (await rival.ask(b'{"reason": "still here"}'))["stream"] == "REQUESTS"


async def test_services_go_on_while_outsiders_come_and_go(join: Join, plant: Any, asker: Any, eventually: Any) -> None:
    """A reload of the broker's users ends no connection of theirs."""
    async with plant() as running:
        reconnected: list[int] = []
        running.connection.reconnected.append(lambda: reconnected.append(1))
        for name in ("one", "two", "three"):
            await join(name)
        asked = await asker.ask()
        await eventually(lambda: _done(running, asked.id))

        assert reconnected == []


async def _done(running: Any, message_id: str) -> bool:
    return message_id in await running.effects()


@pytest.mark.parametrize("who", ["operator", "outsider", "partner", "console", "monitor", "deployer"])
@pytest.mark.parametrize(
    "subject",
    [
        "headrace.replay.trainer.alias.moved.m",
        "headrace.from.trainer.message.replayed.trainer",
        "headrace.alias.moved.m",
    ],
)
async def test_nobody_publishes_by_way_of_a_replay(who: str, subject: str, join: Join, nats_server: Broker) -> None:
    """A forged fact went into a stream as a replay once: the broker takes none but from the service itself."""
    if who == "partner":
        await join("partner")
    admin = await connect(nats_server.settings("provisioner"), name="witness")
    forger = await nats.connect(nats_server.url, nkeys_seed=str(nats_server.seed_file(who)))
    before = await _total(admin)

    forged = b'{"specversion":"1.0","type":"headrace.alias.moved.v1","source":"headrace/registry"}'
    with pytest.raises((TimeoutError, NoRespondersError, Error)):
        await forger.request(subject, forged, timeout=0.3)

    assert await _total(admin) == before
    await forger.close()
    await admin.close()


async def _total(admin: Any) -> int:
    counted = [(await admin.request(f"STREAM.INFO.{name}"))["state"]["messages"] for name in ("EVENTS", "REQUESTS")]
    return sum(counted)
