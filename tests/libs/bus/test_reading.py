"""Pulling, following, tapping, publishing and provisioning, on a real broker."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from headrace.bus import (
    BatchProcessor,
    Connection,
    Consumer,
    Follower,
    NotYet,
    Publisher,
    RawMessage,
    UnitOfWork,
    connect,
    drift,
    provision,
)
from headrace.bus.outbox import OUTBOX
from headrace.bus.processor import LARGEST_BATCH, LONGEST_BATCH_S, fitting
from headrace.bus.prune import KEEP_MARKS, KEEP_ROWS, prune
from headrace.bus.pull import PullLoop
from headrace.bus.retry import RetryPolicy
from headrace.bus.tasks import cancel
from headrace.bus.trace import follow, trace_id
from headrace.contracts import TrainingCancelled, load_topology, wrap
from headrace.contracts.topology import ConsumerSpec
from headrace.testkit.broker import Broker


def cancelled(model: str, by: str = "ann", now: Any = None) -> Any:
    """An event of the stream EVENTS."""
    from headrace.bus import utc_now

    event = TrainingCancelled(run="r", model=model, by=by, reason="test")
    return wrap(event, source="headrace/trainer", id=str(uuid4()), time=now or utc_now())


async def test_a_window_of_events_is_stored_in_order(admin: Connection) -> None:
    """More than fit into the window at once."""
    publisher = Publisher(admin, window=16)

    acks = await publisher.publish_window(cancelled("m", str(number)) for number in range(100))

    assert [ack.seq for ack in acks] == list(range(1, 101))
    assert not any(ack.duplicate for ack in acks)


async def test_the_broker_knows_an_event_that_is_published_again(admin: Connection) -> None:
    """By its id, within the duplicate window."""
    envelope = cancelled("m")
    publisher = Publisher(admin)

    first, second = await publisher.publish_window([envelope, envelope])

    assert (first.seq, first.duplicate) == (second.seq, False)
    assert second.duplicate


async def test_a_follower_gets_the_last_of_each_subject_and_then_what_comes(admin: Connection) -> None:
    """A reader without state of its own knows the present, and stays with it."""
    publisher = Publisher(admin)
    await publisher.publish_window([cancelled("a", "old"), cancelled("b", "b1"), cancelled("a", "a1")])
    async with Follower(admin, "EVENTS", "headrace.training.cancelled.*") as follower:
        messages = aiter(follower)
        first = {(await anext(messages)).envelope().data.by for _ in range(2)}  # type: ignore[attr-defined]
        await follower.caught_up.wait()
        await publisher.publish_window([cancelled("b", "b2")])

        then = (await anext(messages)).envelope().data

    assert (first, then.by) == ({"b1", "a1"}, "b2")  # type: ignore[attr-defined]


async def test_a_follower_misses_nothing_over_a_broker_that_is_killed(
    nats_server: Broker, admin: Connection, eventually: Any
) -> None:
    """It goes on after the last message that it has seen."""
    publisher = Publisher(admin)
    seen: list[int] = []

    async def collect(follower: Follower) -> None:
        async for message in follower:
            seen.append(message.seq)

    async with Follower(admin, "EVENTS", "headrace.training.>", start="all") as follower:
        collecting = asyncio.create_task(collect(follower))
        for _ in range(3):
            await eventually(lambda: admin.connected)
            await publisher.publish_window([cancelled("m") for _ in range(20)])
            await asyncio.to_thread(nats_server.restart)
            await eventually(lambda: admin.connected)
        await publisher.publish_window([cancelled("m")])
        await eventually(lambda: len(seen) >= 61)
        collecting.cancel()

    assert seen == list(range(1, 62))


async def test_a_pull_loop_stops_at_once_and_gives_back_what_nobody_took(admin: Connection, eventually: Any) -> None:
    """Draining nats-py's own pull subscription takes thirty seconds."""
    await Publisher(admin).publish_window([cancelled("m") for _ in range(5)])
    loop = PullLoop(admin, "EVENTS", "audit", batch=16)
    await loop.start()
    await eventually(lambda: len(loop.waiting()) == 5)

    started = time.monotonic()
    await loop.stop()
    took = time.monotonic() - started

    again = PullLoop(admin, "EVENTS", "audit", batch=16)
    await again.start()
    await eventually(lambda: len(again.waiting()) == 5, timeout=5)
    await again.stop()
    assert took < 0.5


async def test_a_pull_loop_says_why_nothing_comes(admin: Connection, eventually: Any) -> None:
    """A durable that is not there is a problem, not silence; it is found when it is made."""
    loop = PullLoop(admin, "EVENTS", "nobody", batch=16)
    await loop.start()
    await eventually(lambda: loop.problem)
    config = {"durable_name": "nobody", "ack_policy": "explicit", "deliver_policy": "all"}
    await admin.request("CONSUMER.DURABLE.CREATE.EVENTS.nobody", {"stream_name": "EVENTS", "config": config})
    await Publisher(admin).publish_window([cancelled("m")])

    await eventually(lambda: loop.waiting())

    assert loop.problem is None
    await loop.stop()


async def test_a_batch_subscription_gets_whole_batches_and_a_failing_one_comes_back(
    plant: Any, admin: Connection, eventually: Any
) -> None:
    """No message of a batch subscription is ever skipped; those that can be taken are."""
    taken: list[int] = []
    mended = asyncio.Event()

    async def batch_handler(messages: Sequence[RawMessage], work: UnitOfWork) -> None:
        if not mended.is_set() and any(message.seq == 3 for message in messages):
            raise ValueError("not this one")
        taken.extend(message.seq for message in messages)

    await Publisher(admin).publish_window([cancelled("m") for _ in range(5)])
    async with plant() as running:
        processor = BatchProcessor("audit", running.store, admin, batch_handler, clock=running._clock)
        consumer = Consumer(admin, ConsumerSpec("EVENTS", "audit", ()), processor)
        await consumer.start()
        await eventually(lambda: len(taken) == 4)
        mended.set()
        await eventually(lambda: len(taken) == 5)
        await consumer.stop()

    assert sorted(taken) == [1, 2, 3, 4, 5]
    assert taken[-1] == 3


async def test_drift_is_reported_and_provisioning_brings_it_back(admin: Connection) -> None:
    """What somebody changed by hand is named; nothing is deleted to mend it."""
    topology = load_topology()
    assert await drift(admin, topology) == []
    info = await admin.request("CONSUMER.INFO.EVENTS.registry")
    changed = {"stream_name": "EVENTS", "config": info["config"] | {"ack_wait": 7 * 10**9}}
    await admin.request("CONSUMER.DURABLE.CREATE.EVENTS.registry", changed)
    await admin.request("CONSUMER.DELETE.EVENTS.monitor")

    found = await drift(admin, topology)
    mended = await provision(admin, topology)

    assert found == mended
    assert any(line.startswith("EVENTS/registry: ack_wait is") for line in found)
    assert "EVENTS/monitor is missing" in found
    assert await drift(admin, topology) == []


async def test_no_identity_hears_the_answers_of_another(nats_server: Broker, eventually: Any) -> None:
    """Every inbox has its owner's name; the broker refuses anybody else."""
    connection = await connect(nats_server.settings("trainer"), name="curious")
    try:
        await connection.client.subscribe("_INBOX_registry.>")

        await eventually(lambda: connection.denied)
    finally:
        await connection.close()


async def test_old_rows_are_pruned_and_young_ones_and_unsent_ones_stay(
    plant: Any, asker: Any, clock: Any, eventually: Any
) -> None:
    """What has not gone out, or was handled just now, stays as it is."""
    async with plant(clock=clock) as running:
        await asker.ask(id="old")
        await eventually(lambda: said(running, 1))
        clock.advance(KEEP_ROWS + timedelta(seconds=1))
        await asker.ask(id="young")
        await eventually(lambda: said(running, 2))

        assert await prune(running.store, clock) == (1, 1)
        assert await running.inbox("old") is None
        assert await running.inbox("young") is not None


async def test_a_copy_that_comes_after_its_row_was_pruned_is_known_for_a_week(
    plant: Any, asker: Any, clock: Any, eventually: Any
) -> None:
    """Sixteen bytes are enough to do nothing twice; after a week the same id is something new."""
    async with plant(clock=clock) as running:
        await asker.ask(id="again")
        await eventually(lambda: said(running, 1))
        clock.advance(KEEP_MARKS - timedelta(days=1))
        await prune(running.store, clock)

        await asker.ask(id="again")
        await eventually(lambda: running.inbox("again"))
        assert len(await running.effects()) == 1

        clock.advance(KEEP_MARKS + timedelta(days=1))
        await prune(running.store, clock)  # row and old mark go; the new mark is of today
        clock.advance(KEEP_MARKS + timedelta(days=1))
        await prune(running.store, clock)
        await asker.ask(id="again")
        await eventually(lambda: effects(running, 2))


async def effects(running: Any, count: int) -> bool:
    """Whether so many effects are there."""
    return len(await running.effects()) == count


async def test_a_database_older_than_the_broker_remembers_hears_again_what_it_missed(
    plant: Any, nats_server: Broker, asker: Any, eventually: Any, tmp_path: Path
) -> None:
    """Restored from a copy: what came after it is handled again, what came before is not."""
    lived, copy = (f"sqlite+aiosqlite:///{tmp_path}/{name}.db" for name in ("lived", "copy"))
    async with plant(database=lived) as running:
        for number in range(12):
            await asker.ask(id=f"ask-{number}")
            if number == 4:
                await eventually(lambda: said(running, 5))
                async with running.store.engine.connect() as connection:
                    await connection.execute(text(f"VACUUM INTO '{tmp_path}/copy.db'"))
        await eventually(lambda: said(running, 12))

    async with plant(database=copy) as restored:
        await eventually(lambda: effects(restored, 12))
        await eventually(lambda: said(restored, 12))
        assert len(set(await restored.effects())) == 12
    assert await asker.count("EVENTS") == 12


async def test_what_an_older_copy_knows_as_unfinished_is_heard_again_too(
    plant: Any, handlers: Any, asker: Any, eventually: Any, tmp_path: Path
) -> None:
    """What waited when the copy was made, and was done before what came after the copy, if anything did."""
    lived, copy = (f"sqlite+aiosqlite:///{tmp_path}/{name}.db" for name in ("lived", "copy"))
    early = True

    async def waits_for_its_turn(event: Any, work: UnitOfWork) -> None:
        if event.model == "waits" and early:
            raise NotYet("its turn has not come", timedelta(milliseconds=50))
        await handlers.leave_effect(event, work)

    async with plant(waits_for_its_turn, database=lived) as running:
        await asker.ask("waits", id="waits")
        await asker.ask(id="later")
        await eventually(lambda: effects(running, 1))
        async with running.store.engine.connect() as connection:
            await connection.execute(text(f"VACUUM INTO '{tmp_path}/copy.db'"))
        early = False
        await eventually(lambda: said(running, 2))

    async with plant(database=copy) as restored:
        await eventually(lambda: effects(restored, 2))
        await eventually(lambda: said(restored, 2))
    assert await asker.count("EVENTS") == 2


async def said(running: Any, count: int) -> bool:
    """Whether so many rows of the outbox were sent."""
    async with running.store.engine.connect() as connection:
        rows = (await connection.execute(select(OUTBOX.c.sent_at))).all()
    return len(rows) == count and all(row.sent_at for row in rows)


async def test_batches_grow_again_after_the_slowest_handling(plant: Any, asker: Any, eventually: Any) -> None:
    """One message at a time is what a disk that was busy for a moment leaves behind, and not for ever."""
    async with plant() as running:
        running.processor._most = 1
        for number in range(8):
            await asker.ask(id=f"ask-{number}")
        await eventually(lambda: effects(running, 8))

        assert running.processor._most > 1


def test_slow_handlers_get_smaller_batches_and_quick_ones_larger() -> None:
    """So that nobody waits long for the database."""
    assert fitting(100, 10 * LONGEST_BATCH_S, 100) == 10
    assert fitting(1, 10.0, 1) == 1
    assert fitting(10, 0.01, 10) == 20
    assert fitting(LARGEST_BATCH, 0.01, LARGEST_BATCH) == LARGEST_BATCH


def test_patience_grows_and_ends() -> None:
    """Doubled each time, with jitter, up to a longest delay."""
    retry_policy = RetryPolicy()

    delays = [retry_policy.delay(attempt) for attempt in range(1, 12)]

    assert 0.3 < delays[0] < 0.7
    assert max(delays) <= retry_policy.longest_delay.total_seconds() * 1.25
    assert replace(retry_policy, attempts=1).attempts == 1


@pytest.mark.parametrize("given", [None, "", "rubbish", "00-xyz-1-01", "00-" + "g" * 10])
def test_a_trace_is_begun_where_none_is_given(given: str | None) -> None:
    """Also where what is given is no trace."""
    assert len(str(trace_id(follow(given)))) == 32


def test_a_trace_is_followed() -> None:
    """The same trace, another span."""
    given = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

    followed = follow(given)

    assert trace_id(followed) == "a" * 32
    assert followed != given
    assert SimpleNamespace(trace=trace_id(None)).trace is None


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    """As `wait_for` of Python 3.11 does when what it waits for is done in that very moment."""
    swallowed = asyncio.Event()

    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await cancel(task)
    assert swallowed.is_set()
    assert task.cancelled()
