"""A batch subscription that fails over a message: that is tried, set aside once and passed over; the rest goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from headrace.bus import BatchProcessor, Connection, Consumer, DeadLetter, RawMessage, Refused, RetryPolicy, UnitOfWork
from headrace.bus.publisher import Publisher
from headrace.contracts import TrainingCancelled, wrap
from headrace.contracts.topology import ConsumerSpec
from headrace.testkit import a
from headrace.testkit.builders import MOMENT

HURRIED = RetryPolicy(attempts=3, first_delay=timedelta(milliseconds=50), longest=timedelta(seconds=1))
Fails = Callable[[RawMessage], Exception | None]


def said(count: int, first: int = 0) -> list[Any]:
    """So many events."""
    return [
        wrap(a(TrainingCancelled, model="m"), source="headrace/trainer", id=f"id-{first + n}", time=MOMENT)
        for n in range(count)
    ]


class Listener:
    """A batch subscription of audit's durable; `fails` says over which messages, and how."""

    def __init__(self, running: Any, admin: Connection, fails: Fails, **more: Any) -> None:
        self.fails = fails
        self.taken: set[int] = set()
        self.tries: dict[int, int] = {}
        self.processor = BatchProcessor(
            "audit", running.store, admin, self.batch_handler, clock=running._clock, **{"retry_policy": HURRIED, **more}
        )

    async def batch_handler(self, messages: Sequence[RawMessage], work: UnitOfWork) -> None:
        """Take a batch, or fail over one of them."""
        for message in messages:
            if error := self.fails(message):
                self.tries[message.seq] = self.tries.get(message.seq, 0) + 1
                raise error
        self.taken.update(message.seq for message in messages)


Listening = Callable[..., AbstractAsyncContextManager[Listener]]


@pytest.fixture
def listening(plant: Any, admin: Connection) -> Listening:
    """Listen to EVENTS with a batch subscription."""

    @asynccontextmanager
    async def listen(fails: Fails, **more: Any) -> AsyncIterator[Listener]:
        async with plant() as running:
            listener = Listener(running, admin, fails, **more)
            listener.rows = lambda: dead_letter(running)  # type: ignore[attr-defined]
            consumer = Consumer(admin, ConsumerSpec("EVENTS", "audit", ()), listener.processor)
            await consumer.start()
            yield listener
            await consumer.stop()

    return listen


async def dead_letter(running: Any) -> list[DeadLetter]:
    """What was set aside."""
    async with running.store.read() as session:
        return list((await session.exec(select(DeadLetter).order_by(DeadLetter.seq))).all())


async def test_a_message_that_always_fails_is_parked_once_and_passed_over(
    listening: Any, admin: Connection, eventually: Any
) -> None:
    """After three tries, whole and with its reason; nothing waits for it any more."""
    await Publisher(admin).publish_window(said(9))

    async with listening(lambda message: KeyError("poison") if message.seq == 5 else None) as listener:
        (row,) = await eventually(listener.rows)
        await eventually(lambda: settled(admin))

        assert listener.taken == {1, 2, 3, 4, 6, 7, 8, 9}
        assert (row.stream, row.seq, row.reason) == ("EVENTS", 5, "KeyError: 'poison'")
        assert listener.tries[5] >= 3
        assert len(await listener.rows()) == 1


async def settled(admin: Connection) -> bool:
    """Whether the durable has nothing to deliver, and waits for nothing."""
    info = await admin.request("CONSUMER.INFO.EVENTS.audit")
    return not info["num_pending"] and not info["num_ack_pending"]


@pytest.mark.resilience
async def test_thousands_of_bad_messages_do_not_stop_the_good_ones_behind_them(
    listening: Any, admin: Connection, eventually: Any
) -> None:
    """More than the durable may have in hand at once: each is set aside, and the last message is taken."""
    await Publisher(admin).publish_window(said(2101))

    async with listening(lambda message: OverflowError("date") if message.seq <= 2100 else None) as listener:
        await eventually(lambda: listener.taken == {2101}, timeout=60)
        await eventually(lambda: settled(admin), timeout=60)

        assert len(await listener.rows()) == 2100


async def test_what_can_never_be_right_is_not_tried_again(listening: Any, admin: Connection, eventually: Any) -> None:
    """A refusal goes to the last resort at once."""
    await Publisher(admin).publish_window(said(1))

    async with listening(lambda _: Refused("never")) as listener:
        (row,) = await eventually(listener.rows)

        assert row.reason == "never"
        assert listener.tries == {1: 1}


async def test_a_subscription_chooses_its_last_resort(listening: Any, admin: Connection, eventually: Any) -> None:
    """It is given the message, the reason and a transaction."""
    await Publisher(admin).publish_window(said(2))
    kept: list[tuple[int, str]] = []

    async def keep(work: UnitOfWork, message: RawMessage, reason: str) -> None:
        await work.session.exec(text("SELECT 1"))  # type: ignore[call-overload]
        kept.append((message.seq, reason))

    async with listening(lambda message: KeyError("x") if message.seq == 1 else None, last_resort=keep) as listener:
        await eventually(lambda: kept and listener.taken == {2})

        assert kept == [(1, "KeyError: 'x'")]
        assert await listener.rows() == []


async def test_an_outage_of_the_database_is_no_fault_of_the_messages(
    listening: Any, admin: Connection, eventually: Any
) -> None:
    """They come back as often as it takes, and readiness says why they wait."""
    await Publisher(admin).publish_window(said(3))
    away = True

    def fails(_: RawMessage) -> Exception | None:
        return OperationalError("SELECT 1", {}, ConnectionError("gone")) if away else None

    async with listening(fails) as listener:
        await eventually(lambda: sum(listener.tries.values()) > 4)
        assert "gone" in listener.processor.problem
        away = False

        await eventually(lambda: listener.taken == {1, 2, 3})
        assert await listener.rows() == []
        assert listener.processor.problem is None


async def test_a_message_that_hangs_does_not_stop_the_others(
    listening: Any, admin: Connection, eventually: Any
) -> None:
    """It is cut off, and set aside after some tries."""
    await Publisher(admin).publish_window(said(3))
    async with listening(
        lambda _: None, retry_policy=RetryPolicy(attempts=1, longest=timedelta(milliseconds=200))
    ) as listener:
        inner = listener.processor._batch_handler

        async def batch_handler(messages: Sequence[RawMessage], work: UnitOfWork) -> None:
            if any(message.seq == 5 for message in messages):
                await asyncio.sleep(3600)
            await inner(messages, work)

        listener.processor._batch_handler = batch_handler
        await Publisher(admin).publish_window(said(3, first=3))

        (row,) = await eventually(listener.rows)
        assert row.seq == 5
        await eventually(lambda: listener.taken == {1, 2, 3, 4, 6})
