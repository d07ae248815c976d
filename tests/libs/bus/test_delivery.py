"""What becomes of a message: done once, later, set aside or refused, and its neighbours with it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.bus import DeadLetter, NotYet, RawMessage, Refused, RetryPolicy, UnitOfWork
from headrace.bus.dead_letters import drop, listed, replay, set_aside_message, shown
from headrace.contracts import (
    MessageReplayed,
    PredictionLogged,
    RequestRefused,
    TrainingRequested,
    decode,
    encode,
    wrap,
)
from headrace.contracts.origin import decode_message
from headrace.testkit import a

POISON = "poison"


@pytest.fixture
def picky(handlers: Any) -> Any:
    """A handler that fails on poison, and counts how often it was asked."""

    async def handler(event: TrainingRequested, work: UnitOfWork) -> None:
        await handlers.leave_effect(event, work)
        if event.model == POISON:
            handler.tries += 1  # type: ignore[attr-defined]
            raise ValueError("this one never works")

    handler.tries = 0  # type: ignore[attr-defined]
    return handler


async def test_a_message_has_one_effect_and_one_event_in_the_chain_of_its_cause(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """The event that follows carries cause, correlation, trace and who asked."""
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with plant() as running:
        asked = await asker.ask(traceparent=trace, authid="key:ann", correlationid="story")
        await eventually(lambda: asker_count(asker, "EVENTS", 1))

        said = decode((await running.outbox())[0].body)

        assert await running.effects() == [asked.id]
        assert (said.causationid, said.correlationid, said.authid) == (asked.id, "story", "key:ann")
        assert said.source == "headrace/trainer"
        assert (said.traceparent or "").split("-")[1] == "a" * 32


async def asker_count(asker: Any, stream: str, wanted: int) -> bool:
    """Whether a stream holds so many messages."""
    return bool(await asker.count(stream) == wanted)


async def test_the_same_message_at_another_place_of_the_stream_is_done_once(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """The inbox knows it by its id, whatever the broker forgot."""
    for _ in range(5):
        await asker.ask(id="same")
    async with plant() as running:
        await asker.ask(id="other")

        await eventually(lambda: has_effects(running, 2))

        assert await running.effects() == ["other", "same"]


async def has_effects(running: Any, count: int) -> bool:
    """Whether so many effects are there."""
    return len(await running.effects()) >= count


async def has_dead_letters(running: Any, count: int = 1) -> bool:
    """Whether so many messages are set aside."""
    return len(await running.dead_letter()) >= count


async def test_poison_is_parked_after_its_attempts_and_harms_no_neighbour(
    plant: Any, asker: Any, picky: Any, eventually: Any
) -> None:
    """Among good messages the bad one is tried as often as it may be, and leaves nothing but its record."""
    for number in range(10):
        await asker.ask(POISON if number == 4 else "good", id=f"ask-{number}")
    retry_policy = RetryPolicy(attempts=3, first_delay=timedelta(milliseconds=20))

    async with plant(picky, retry_policy=retry_policy) as running:
        await eventually(lambda: has_dead_letters(running))
        await eventually(lambda: has_effects(running, 9))
        dead_letter = (await running.dead_letter())[0]
        known = await running.inbox("ask-4")

    assert await_ids(range(10), without=4) == await running_effects(running)
    assert (dead_letter.message_id, dead_letter.attempts, dead_letter.reason) == (
        "ask-4",
        3,
        "ValueError: this one never works",
    )
    assert (known.attempts, known.outcome) == (3, "dead_letter")
    assert picky.tries >= 3


def await_ids(numbers: range, *, without: int) -> list[str]:
    """The ids of all messages but one."""
    return sorted(f"ask-{number}" for number in numbers if number != without)


async def running_effects(running: Any) -> list[str]:
    """Effects, once each."""
    found: list[str] = await running.effects()
    return found


async def test_what_is_parked_lies_in_the_stream_as_it_came_and_with_its_reason(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """Not JSON at all: set aside at once with the bytes that came, and the sender is answered."""
    await asker.say("headrace.request.training.flights", b"{not json")
    async with plant() as running:
        await eventually(lambda: asker_count(asker, "PARKED", 1))
        await eventually(lambda: asker_count(asker, "REQUESTS", 2))

        dead_letter = (await running.dead_letter())[0]
        said = {row.subject: row for row in await running.outbox()}

    copy = said["headrace.parked.trainer.request.training.flights"]
    assert copy.body == dead_letter.body == b"{not json"
    assert "not JSON" in dead_letter.reason
    assert copy.headers["Headrace-Attempts"] == "1"
    refusal = decode(said["headrace.from.trainer.request.refused.flights"].body).data
    assert isinstance(refusal, RequestRefused)
    assert "not JSON" in refusal.reason
    assert refusal.request_type == "headrace.request.training.v1"
    assert (
        refusal.request_id == "outsider:REQUESTS-1"
    )  # its name, and what the broker told its sender when it stored it


@pytest.mark.parametrize(
    ("subject", "data"),
    [
        ("headrace.request.training.flights", b'{"reason": 5}'),
        ("headrace.request.training.flights", b'{"reason": "x", "seed": "many"}'),
        ("headrace.request.training.flights", b"[]"),
        ("headrace.request.training.flights", b'{"specversion": "1.0", "id": 7}'),
        ("headrace.dataset.ingested.flights", b"\xff\xfe"),
        ("headrace.dataset.ingested.flights", b'{"bare": "facts are not taken"}'),
    ],
)
async def test_what_no_schema_allows_is_parked_with_its_place_and_the_rest_goes_on(
    subject: str, data: bytes, plant: Any, asker: Any, eventually: Any
) -> None:
    """The good message behind it is handled all the same."""
    await asker.say(subject, data)
    good = await asker.ask()
    async with plant() as running:
        await eventually(lambda: has_effects(running, 1))
        await eventually(lambda: has_dead_letters(running))

        assert await running.effects() == [good.id]
        assert len((await running.dead_letter())[0].reason) > 10


@pytest.mark.parametrize("bad_id", ["nul\\u0000here", "long" * 100])
async def test_an_id_that_no_database_keeps_is_parked(bad_id: str, plant: Any, asker: Any, eventually: Any) -> None:
    """Neither a NUL nor a very long id comes back for ever."""
    asked = await asker.ask()
    data = (
        f'{{"specversion":"1.0","id":"{bad_id}","source":"headrace/monitor","type":"headrace.request.training.v1",'
        '"subject":"flights","time":"2026-01-01T00:00:00Z","data":{"model":"flights","reason":"x"}}'
    )
    await asker.say(asked.nats_subject, data.encode())
    async with plant() as running:
        await eventually(lambda: has_dead_letters(running))
        await eventually(lambda: has_effects(running, 1))

        assert "id:" in (await running.dead_letter())[0].reason


async def test_a_refused_request_is_parked_at_once_and_answered(
    plant: Any, asker: Any, handlers: Any, eventually: Any
) -> None:
    """One try, one dead letter, one answer that says why; nothing of what the handler did stays."""

    async def refuse(event: TrainingRequested, work: UnitOfWork) -> None:
        work.emit(handlers.started(event.model))
        raise Refused("no model named 'flights'; apply its declaration first")

    asked = await asker.ask()
    async with plant(refuse) as running:
        await eventually(lambda: asker_count(asker, "REQUESTS", 2))

        known = await running.inbox(asked.id)
        said = [decode(row.body) for row in await running.outbox() if ".refused." in row.subject]

    assert (known.attempts, known.outcome) == (1, "dead_letter")
    assert [(each.data.reason, each.data.request_id) for each in said] == [
        ("no model named 'flights'; apply its declaration first", asked.id)
    ]
    assert said[0].causationid == asked.id


async def test_what_came_too_early_comes_back_and_counts_no_attempt(
    plant: Any, asker: Any, handlers: Any, eventually: Any
) -> None:
    """Longer than an error may take, as long as it is not for hours."""
    tries = []

    async def wait(event: TrainingRequested, work: UnitOfWork) -> None:
        tries.append(1)
        if len(tries) < 8:
            raise NotYet("the model is not declared yet", timedelta(milliseconds=20))
        await handlers.leave_effect(event, work)

    asked = await asker.ask()
    async with plant(wait) as running:
        await eventually(lambda: has_effects(running, 1))

        known = await running.inbox(asked.id)

    assert (known.outcome, len(tries)) == ("done", 8)
    assert known.attempts <= 1  # the last one, counted before it was made


async def test_what_stays_too_early_is_parked(plant: Any, asker: Any, clock: Any, eventually: Any) -> None:
    """An hour later a person should look at it."""

    async def wait(event: TrainingRequested, work: UnitOfWork) -> None:
        raise NotYet("the model is not declared yet", timedelta(milliseconds=20))

    asked = await asker.ask()
    async with plant(wait, clock=clock) as running:
        await eventually(lambda: known_to(running, asked.id))
        clock.advance(timedelta(hours=2))
        await eventually(lambda: has_dead_letters(running))

        assert "still too early" in (await running.dead_letter())[0].reason


async def known_to(running: Any, message_id: str) -> bool:
    """Whether the inbox knows a message."""
    return await running.inbox(message_id) is not None


async def test_a_handler_that_never_ends_is_parked(plant: Any, asker: Any, handlers: Any, eventually: Any) -> None:
    """It has its time, as often as it may be tried; what comes after it is done."""

    async def hang(event: TrainingRequested, work: UnitOfWork) -> None:
        if event.model == POISON:
            await asyncio.sleep(3600)
        await handlers.leave_effect(event, work)

    await asker.ask(POISON)
    good = await asker.ask()
    retry_policy = RetryPolicy(2, timedelta(milliseconds=20), longest=timedelta(milliseconds=100))
    async with plant(hang, retry_policy=retry_policy) as running:
        await eventually(lambda: has_dead_letters(running))
        await eventually(lambda: has_effects(running, 1))

        assert "TimeoutError" in (await running.dead_letter())[0].reason
        assert await running.effects() == [good.id]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), FileNotFoundError("no such file"), ConnectionError("x")])
async def test_an_error_that_looks_like_something_else_is_still_the_handlers(
    error: BaseException, plant: Any, asker: Any, eventually: Any
) -> None:
    """Neither does it stop the loop, nor is it taken for an outage of the database and tried for ever."""

    async def fail(event: TrainingRequested, work: UnitOfWork) -> None:
        raise error

    await asker.ask()
    async with plant(fail, retry_policy=RetryPolicy(2, timedelta(milliseconds=20))) as running:
        await eventually(lambda: has_dead_letters(running))

        assert (await running.dead_letter())[0].attempts == 2
        assert running.processor.problem is None


async def test_a_zombie_that_wakes_changes_nothing(plant: Any, asker: Any, handlers: Any, eventually: Any) -> None:
    """Stopped past the ack wait with a message in hand; another process is given it too."""
    entered, wake = asyncio.Event(), asyncio.Event()

    async def stop(event: TrainingRequested, work: UnitOfWork) -> None:
        await handlers.leave_effect(event, work)
        entered.set()
        await wake.wait()

    asked = await asker.ask()
    async with plant(stop) as zombie:
        await entered.wait()
        for _ in range(3):
            await asker.ask(id=asked.id)  # delivered to somebody else meanwhile
        async with plant() as other:
            await asyncio.sleep(0.3)
            wake.set()
            last = await asker.ask()
            await eventually(lambda: has_effects(other, 2))

            assert await zombie.effects() == sorted([asked.id, last.id])


async def test_a_parked_message_said_again_keeps_its_chain_and_is_done_once(
    plant: Any, asker: Any, handlers: Any, eventually: Any
) -> None:
    """It is handled under a new id whose cause is the old one; the replay carries nothing of its content."""
    mended = asyncio.Event()

    async def handler(event: TrainingRequested, work: UnitOfWork) -> None:
        if not mended.is_set():
            raise Refused("not mended yet")
        await handlers.leave_effect(event, work)

    asked = await asker.ask()
    async with plant(handler) as running:
        await eventually(lambda: has_dead_letters(running))
        mended.set()
        async with running.store.write() as session:
            row = (await listed(session))[0]
            new_id = await replay(a_work(session, running), row)
        await eventually(lambda: has_effects(running, 1))

        said = {row.subject: decode(row.body) for row in await running.outbox()}

    replayed = said["headrace.from.trainer.message.replayed.trainer"]
    caused = said["headrace.training.started.flights"]
    assert await running.effects() == [new_id] == [replayed.id]
    assert replayed.authid == "key:ann"  # who replayed it
    assert isinstance(replayed.data, MessageReplayed)
    assert (replayed.data.stream, replayed.data.message_id) == ("REQUESTS", asked.id)
    assert (caused.causationid, caused.correlationid, caused.authid) == (new_id, asked.correlationid, "service:monitor")


async def test_a_replayed_message_that_cannot_be_read_is_parked_as_it_came(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """Again and again, until it can; each time the row holds the message, not the wish to replay it."""
    await asker.say("headrace.request.training.flights", b"{")
    async with plant() as running:
        for count in (1, 2, 3):
            await eventually(lambda count=count: has_dead_letters(running, count))
            async with running.store.write() as session:
                (row,) = await listed(session)
                await replay(a_work(session, running, f"root-{count}"), row)
        rows = await running.dead_letter()

    assert {row.body for row in rows} == {b"{"}
    assert {row.subject for row in rows} == {"headrace.from.outsider.request.training.flights"}


@pytest.mark.parametrize("change", [{"dead_letter": "nothing"}, {"seq": 99}, {"stream": "EVENTS"}])
async def test_a_replay_of_what_is_not_parked_here_does_nothing(
    change: dict[str, Any], plant: Any, asker: Any, handlers: Any, eventually: Any
) -> None:
    """Whoever gets hold of the trainer's key alone cannot have it handle what its database does not know."""
    await asker.say("headrace.request.training.flights", b"{")
    async with plant() as running:
        await eventually(lambda: has_dead_letters(running))
        (row,) = await running.dead_letter()
        names = {name: getattr(row, name) for name in ("stream", "seq", "message_id", "subject")}
        event = MessageReplayed(service="trainer", dead_letter=row.id, **names)
        forged = wrap(event.model_copy(update=change), source="headrace/trainer", id="forged", time=row.set_aside_at)
        await asker.say(forged.nats_subject, encode(forged))
        await eventually(lambda: has_dead_letters(running, 2))

        assert await running.effects() == []
        assert any("there are no dead letters here" in each.reason for each in await running.dead_letter())


async def test_what_a_batch_subscription_set_aside_goes_back_to_it_when_it_is_replayed(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """It reads its stream whole, and has no handler for a single message."""
    heard: list[RawMessage] = []

    async def batch_handler(messages: Sequence[RawMessage], _work: UnitOfWork) -> None:
        heard.extend(messages)

    event = a(PredictionLogged, model="flights")
    said = wrap(event, source="headrace/inference", id="p1", time=datetime(2026, 1, 5, tzinfo=UTC), authid="key:ann")
    message = RawMessage("PREDICTIONS", 7, said.nats_subject, {}, encode(said), said.time)
    async with plant(batch_subscriptions={"PREDICTIONS": batch_handler}) as running:
        async with running.store.write() as session:
            row = set_aside_message(a_work(session, running), message, "p1", "no place for it", 3)
            await replay(a_work(session, running, "again"), row)
        await eventually(lambda: heard)
        rows = await running.dead_letter()

    assert [(each.stream, each.seq, each.data) for each in heard] == [("PREDICTIONS", 7, message.data)]
    assert len(rows) == 1


async def test_who_only_records_replays_nothing(plant: Any) -> None:
    """Nobody would hear it, and its outbox would keep it for ever."""
    async with plant() as running, running.store.read() as session:
        work = UnitOfWork(session, "audit", "key:ann", running._clock(), "root")
        message = RawMessage("EVENTS", 1, "headrace.alias.moved.m", {}, b"{", running._clock())
        with pytest.raises(Refused, match="handles no message again"):
            await replay(work, set_aside_message(work, message, "e1", "x", 1))


def a_work(session: Any, running: Any, root: str = "root") -> UnitOfWork:
    """A person's unit of work."""
    return UnitOfWork(session, "trainer", "key:ann", running._clock(), root)


async def test_a_dropped_message_is_listed_no_more_and_its_record_stays(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """Its row says when it was given up."""
    await asker.say("headrace.request.training.flights", b"{")
    async with plant() as running:
        await eventually(lambda: has_dead_letters(running))
        async with running.store.write() as session:
            row = (await listed(session))[0]
            assert "replay" in shown(row)["advice"]
            drop(a_work(session, running), row)

        async with running.store.read() as session:
            assert await listed(session) == []
        assert isinstance((await running.dead_letter())[0], DeadLetter)


async def test_every_reader_derives_the_same_envelope_from_a_bare_request() -> None:
    """Its id is its place in the stream."""
    from headrace.bus import utc_now

    now = utc_now()
    reads = [
        decode_message("headrace.request.training.f", {}, b'{"reason":"x"}', stream="REQUESTS", seq=7, timestamp=now)
        for _ in range(2)
    ]

    assert reads[0] == reads[1]
    assert reads[0].id == "outsider:REQUESTS-7"
