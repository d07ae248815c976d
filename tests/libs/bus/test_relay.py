"""What is said goes out, in order, for as long as it takes; and the broker's own crashes change nothing."""

import asyncio
from typing import Any

import pytest

from headrace.bus import BrokerAway, Follower, PublishRefused, Refused, UnitOfWork, connect
from headrace.bus.outbox import put
from headrace.bus.relay import WINDOW
from headrace.bus.unit_of_work import LARGEST
from headrace.contracts import TrainingProgressed, decode
from headrace.testkit.broker import Broker


async def say(running: Any, count: int, *, start: int = 0) -> None:
    """Say events outside of any message, one transaction each."""
    for number in range(start, start + count):
        async with running.store.write() as session:
            work = UnitOfWork(session, "trainer", "key:ann", running._clock(), f"root-{number}")
            work.emit(TrainingProgressed(run="r", model="flights", stage="fitting", step=number, of=count))


async def read(broker: Broker, count: int) -> list[int]:
    """The steps that the stream tells, in its order."""
    connection = await connect(broker.settings("operator"), name="reader")
    steps: list[int] = []
    try:
        async with asyncio.timeout(10), Follower(connection, "EVENTS", "headrace.training.>", start="all") as follower:
            async for message in follower:
                steps.append(message.envelope().data.step)  # type: ignore[attr-defined]
                if len(steps) == count:
                    break
    finally:
        await connection.close()
    return steps


async def nothing_waits(running: Any) -> bool:
    """Whether everything was said."""
    return await running.unsent() == 0


async def test_events_go_out_in_the_order_of_their_commits(plant: Any, nats_server: Broker, eventually: Any) -> None:
    """A thousand of them, over several windows."""
    async with plant() as running:
        await say(running, 300)
        await eventually(lambda: nothing_waits(running))

    assert await read(nats_server, 300) == list(range(300))


async def test_the_outbox_waits_while_the_broker_is_away_and_drains_when_it_is_back(
    plant: Any, nats_server: Broker, asker: Any, eventually: Any
) -> None:
    """Nothing is lost, there are no dead letters, nobody is told anything but the truth."""
    async with plant() as running:
        await say(running, 5)
        await eventually(lambda: nothing_waits(running))
        await asyncio.to_thread(nats_server.kill)
        await eventually(lambda: not running.connection.connected)
        await say(running, 20, start=5)
        await eventually(lambda: running.relay.problem)
        assert await running.unsent() == 20

        await asyncio.to_thread(nats_server.start)
        await eventually(lambda: nothing_waits(running))
        await eventually(lambda: running.relay.problem is None)

    assert await read(nats_server, 25) == list(range(25))


async def test_an_event_that_the_broker_refuses_holds_up_nobody(plant: Any, asker: Any, eventually: Any) -> None:
    """It stays in the outbox, and the service says why it is not ready."""
    async with plant() as running:
        async with running.store.write() as session:
            put(
                session,
                event_id="not-mine",
                subject="headrace.alias.moved.flights",
                body=b"{}",
                headers={"Nats-Msg-Id": "not-mine"},
                now=running._clock(),
            )
        await say(running, 10)

        await eventually(lambda: only(running, 1))

        await eventually(lambda: "may not publish" in (running.relay.problem or ""))
        assert running.connection.denied.keys() == {"headrace.alias.moved.flights"}


async def test_a_full_stream_holds_up_no_other(plant: Any, nats_server: Broker, admin: Any, eventually: Any) -> None:
    """More refusals than a window holds wait for room; facts go out meanwhile, and the rest when there is room."""
    await resize(admin, "REQUESTS", 1)
    async with plant() as running:
        async with running.store.write() as session:
            for number in range(WINDOW + 10):
                refusal(session, number, running._clock())
        await say(running, 5)

        assert await read(nats_server, 5) == list(range(5))
        await eventually(lambda: "maximum bytes" in (running.relay.problem or ""))
        assert await running.unsent() == WINDOW + 10

        await resize(admin, "REQUESTS", 10**7)
        await eventually(lambda: nothing_waits(running))


def refusal(session: Any, number: int, now: Any) -> None:
    """Say that a request was refused."""
    said = {"event_id": f"refusal-{number}", "subject": "headrace.from.trainer.request.refused.flights"}
    put(session, **said, body=b"x" * 100, headers={"Nats-Msg-Id": f"refusal-{number}"}, now=now)


async def resize(admin: Any, stream: str, room: int) -> None:
    """Give a stream so many bytes over what it holds."""
    info = await admin.request(f"STREAM.INFO.{stream}")
    await admin.request(f"STREAM.UPDATE.{stream}", info["config"] | {"max_bytes": info["state"]["bytes"] + room})


async def only(running: Any, count: int) -> bool:
    """Whether so many events wait."""
    return bool(await running.unsent() == count)


async def test_a_broker_killed_under_load_loses_and_doubles_nothing(
    plant: Any, nats_server: Broker, asker: Any, eventually: Any
) -> None:
    """Three times -9 while messages come in: one effect and one event for each that was acknowledged."""
    acknowledged: list[str] = []
    done = asyncio.Event()

    async def ask() -> None:
        number = 0
        while not done.is_set():
            try:
                await asyncio.wait_for(asker.ask(id=f"ask-{number}"), 1)
                acknowledged.append(f"ask-{number}")
                number += 1
            except (BrokerAway, TimeoutError):  # not known: the same again
                await asyncio.sleep(0.02)

    async with plant() as running:
        asking = asyncio.create_task(ask())
        for goal in (60, 120, 180):
            await eventually(lambda goal=goal: len(acknowledged) >= goal)
            await asyncio.to_thread(nats_server.restart)
        await eventually(lambda: len(acknowledged) >= 240)
        done.set()
        await asking
        await eventually(lambda: as_many(running, len(acknowledged)), timeout=20)
        await eventually(lambda: nothing_waits(running))
        effects = await running.effects()
        dead_letter = await running.dead_letter()

    assert effects == sorted(acknowledged)
    assert not dead_letter
    said = [decode(row.body).causationid for row in await rows_after(running)]
    assert sorted(str(each) for each in said) == sorted(acknowledged)


async def rows_after(running: Any) -> list[Any]:
    """The outbox, after the process has stopped."""
    rows: list[Any] = await running.outbox()
    return rows


async def as_many(running: Any, count: int) -> bool:
    """Whether there are so many effects."""
    return len(await running.effects()) >= count


async def test_a_service_resumes_within_a_second_of_the_brokers_return(
    plant: Any, nats_server: Broker, asker: Any, eventually: Any
) -> None:
    """Killed while everything is quiet, with a pull outstanding: the loop asks again by itself."""
    async with plant() as running:
        await asker.ask(id="before")
        await eventually(lambda: as_many(running, 1))
        await asyncio.to_thread(nats_server.kill)
        await eventually(lambda: not running.connection.connected)
        await asyncio.to_thread(nats_server.start)
        await eventually(lambda: running.connection.connected and asker.connection.connected)

        await asker.ask(id="after")

        await eventually(lambda: as_many(running, 2), timeout=1)


async def test_work_that_fails_says_nothing(plant: Any, handlers: Any, asker: Any) -> None:
    """Neither when the transaction is rolled back, nor when a savepoint in it is."""
    async with plant() as running:
        with pytest.raises(ValueError, match="never"):
            await fail_after(running, handlers.started("m"))
        async with running.store.write() as session:
            work = UnitOfWork(session, "trainer", "key:ann", running._clock(), "two")
            work.emit(handlers.started("kept"))
            nested = await session.begin_nested()
            work.emit(handlers.started("gone"))
            await nested.rollback()

        assert [row.subject.split(".")[-1] for row in await running.outbox()] == ["kept"]


async def fail_after(running: Any, event: Any) -> None:
    """Say something, and fail."""
    async with running.store.write() as session:
        UnitOfWork(session, "trainer", "key:ann", running._clock(), "one").emit(event)
        raise ValueError("never")


async def test_an_event_too_large_for_the_broker_is_refused_where_it_is_said(plant: Any, asker: Any) -> None:
    """It never gets into the outbox, where it would wait for ever."""
    async with plant() as running:
        async with running.store.write() as session:
            work = UnitOfWork(session, "trainer", "key:ann", running._clock(), "root")
            event = TrainingProgressed(run="r", model="m", stage="fitting", step=1, of=1, message="x" * LARGEST)
            with pytest.raises(Refused, match="object store"):
                work.emit(event)

        assert await running.unsent() == 0


async def test_ids_are_the_same_whenever_the_work_is_done_again(plant: Any, handlers: Any, asker: Any) -> None:
    """They derive from the cause and the order in which things are said."""
    async with plant() as running:
        ids = []
        for _ in range(2):
            async with running.store.read() as session:
                work = UnitOfWork(session, "trainer", "key:ann", running._clock(), "root")
                ids.append([work.emit(handlers.started("m")), work.emit(handlers.started("m"))])

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


async def test_a_denied_publish_is_told_at_once_and_forgotten_when_it_is_allowed(nats_server: Broker) -> None:
    """Not after a timeout; readiness knows the subject."""
    connection = await connect(nats_server.settings("outsider"), name="outsider")
    try:
        with pytest.raises(PublishRefused, match="may not publish"):
            await connection.publish_and_wait("headrace.alias.moved.flights", b"{}", wait=5)
        assert connection.denied == {"headrace.alias.moved.flights": 1}
    finally:
        await connection.close()
