"""Messages of a newer version wait for the upgrade; the rest goes on, and the order of a subject stays."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from headrace.bus import BatchProcessor, DeadLetter, RawMessage, RetryPolicy, UnitOfWork
from headrace.bus.deferred import CHUNK
from headrace.contracts import EVENTS, TrainingRequested, encode, wrap
from headrace.contracts import event_versions as versions
from headrace.testkit.builders import MOMENT

SUBJECT = "headrace.from.monitor.request.training"
NEWER = "headrace.request.training.v2"
MANY = 2_200  # more than a durable may have unacknowledged


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let this program know the second version, which looks like the first."""

    def known() -> None:
        monkeypatch.setitem(EVENTS, NEWER, TrainingRequested)
        forget()

    yield known
    monkeypatch.undo()
    forget()


def forget() -> None:
    """What was known of versions before."""
    versions._numbers.cache_clear()
    versions.newer_than.cache_clear()


async def say(asker: Any, id_: str, model: str = "m", *, newer: bool = True) -> None:
    """A request of the monitor's, in the second version or the first."""
    body = encode(wrap(TrainingRequested(model=model), source="headrace/monitor", id=id_, time=MOMENT))
    await asker.say(f"{SUBJECT}.{model}", body.replace(b".training.v1", b".training.v2") if newer else body)


async def waits(running: Any, count: int) -> bool:
    """Whether so many messages wait for the upgrade."""
    await running.processor.deferred.refresh()
    return sum(running.processor.deferred._waiting.newer.values()) == count


async def released(running: Any) -> None:
    """Hand on all that can be read."""
    while await running.processor.deferred.release(lambda _: running.processor):
        pass


async def test_a_newer_message_waits_and_says_so_while_the_rest_goes_on(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """Neither set aside nor passed over: another subject is handled, and readiness names event and version."""
    async with plant() as running:
        await say(asker, "newer")
        await eventually(lambda: waits(running, 1))
        await say(asker, "other", "n", newer=False)
        await eventually(running.effects)

        assert await running.effects() == ["other"]
        assert await running.dead_letter() == []
        assert list(running.processor.deferred.problems) == [f"upgrade:{NEWER}"]
        assert "version 1 is known here" in running.processor.deferred.problems[f"upgrade:{NEWER}"]


async def test_what_comes_after_it_on_its_subject_waits_behind_it(
    plant: Any, asker: Any, eventually: Any, upgrade: Callable[[], None]
) -> None:
    """Also in another process; after the upgrade all are handled, in their order."""
    handled: list[str] = []

    async def note(event: TrainingRequested, work: UnitOfWork) -> None:
        assert work.cause is not None
        handled.append(work.cause.id)

    async with plant(note) as running:
        await say(asker, "1", newer=False)
        await eventually(lambda: handled == ["1"])
        await say(asker, "2")
        await eventually(lambda: waits(running, 1))
        await say(asker, "3", newer=False)
        await say(asker, "other", "n", newer=False)
        await eventually(lambda: handled == ["1", "other"])
    async with plant(note) as running:
        await running.processor.deferred.refresh()
        await say(asker, "4", newer=False)
        await say(asker, "more", "n", newer=False)
        await eventually(lambda: handled == ["1", "other", "more"])

        upgrade()
        await released(running)

        assert handled == ["1", "other", "more", "2", "3", "4"]
        assert running.processor.deferred.problems == {}
        await say(asker, "5", newer=False)
        await eventually(lambda: handled[-1] == "5")


async def test_more_newer_messages_than_a_durable_may_hold_stop_nobody(
    plant: Any, asker: Any, eventually: Any, upgrade: Callable[[], None]
) -> None:
    """They are acknowledged, so that the durable goes on; each is handled once in the end."""
    async with plant() as running:
        await asyncio.gather(*(say(asker, f"newer-{n:04}", f"m{n % 7}") for n in range(MANY)))
        await say(asker, "other", "n", newer=False)
        await eventually(running.effects, timeout=60)
        await eventually(lambda: waits(running, MANY))
        assert await running.effects() == ["other"]

        upgrade()
        await released(running)

        assert MANY > 10 * CHUNK
        assert await running.effects() == [*(f"newer-{n:04}" for n in range(MANY)), "other"]
        assert await running.dead_letter() == []


async def test_poison_among_what_waited_is_parked_and_its_neighbours_are_handled(
    plant: Any, asker: Any, handlers: Any, eventually: Any, upgrade: Callable[[], None]
) -> None:
    """A message that waited is tried as often as any other."""

    async def picky(event: TrainingRequested, work: UnitOfWork) -> None:
        await handlers.leave_effect(event, work)
        if event.model == "poison":
            raise ValueError("this one never works")

    async with plant(picky, retry_policy=RetryPolicy(attempts=2)) as running:
        for id_, model in (("1", "m"), ("2", "poison"), ("3", "n")):
            await say(asker, id_, model)
        await eventually(lambda: waits(running, 3))
        upgrade()

        async def dead_letter() -> bool:
            await released(running)
            return bool(await running.dead_letter())

        await eventually(dead_letter)

        assert await running.effects() == ["1", "3"]
        assert [row.message_id for row in await running.dead_letter()] == ["2"]
        assert running.processor.deferred.problems == {}


async def test_a_request_waits_for_a_fact_about_its_key_that_cannot_be_read_yet(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """It may need what the fact says; a request about anything else does not wait."""
    async with plant() as running:
        fact = encode(wrap(TrainingRequested(model="m"), source="headrace/registry", id="fact", time=MOMENT))
        fact = fact.replace(b"request.training.v1", b"model.declared.v9")
        await asker.say("headrace.model.declared.m", fact)
        await eventually(lambda: kinds(running, {"headrace.model.declared.v9": 1}))

        await say(asker, "same", newer=False)
        await say(asker, "other", "n", newer=False)
        await eventually(running.effects)

        assert await running.effects() == ["other"]
        assert await running.dead_letter() == []


async def kinds(running: Any, wanted: dict[str, int]) -> bool:
    """Whether these wait for the upgrade, and no others."""
    await running.processor.deferred.refresh()
    return dict(running.processor.deferred._waiting.newer) == wanted


async def test_an_outsiders_newer_version_is_refused_and_holds_up_nobody(
    plant: Any, asker: Any, eventually: Any
) -> None:
    """Whether a service is ready is not for outsiders to say."""
    async with plant() as running:
        headers = {"ce-type": "headrace.request.training.v9", "ce-id": "x"}
        await asker.say("headrace.request.training.m", b"{}", headers)
        await eventually(running.dead_letter)

        assert running.processor.deferred.problems == {}
        assert "version 1 is the newest" in (await running.dead_letter())[0].reason


async def test_a_batch_subscription_leaves_what_it_cannot_read_yet_and_takes_the_rest(
    plant: Any, asker: Any, admin: Any, upgrade: Callable[[], None]
) -> None:
    """In one batch; what waits is handed to the batch subscription after the upgrade."""
    taken: list[int] = []

    async def batch_handler(messages: Sequence[RawMessage], work: UnitOfWork) -> None:
        for message in messages:
            message.envelope()
        taken.extend(message.seq for message in messages)

    async with plant() as running:
        processor = BatchProcessor("monitor", running.store, admin, batch_handler, clock=running._clock)
        batch = [raw(seq, newer=seq in (2, 3)) for seq in range(1, 6)]

        await processor.process(batch)
        assert taken == [1, 4, 5]
        await processor.deferred.refresh()
        assert processor.deferred._waiting.newer == {NEWER: 2}

        upgrade()
        await processor.deferred.release(lambda _: processor)

        assert taken == [1, 4, 5, 2, 3]
        assert processor.deferred._waiting.ready == 0
        assert await running.rows(DeadLetter) == []


def raw(seq: int, *, newer: bool) -> RawMessage:
    """A message as it lies in a stream."""
    body = encode(wrap(TrainingRequested(model="m"), source="headrace/monitor", id=f"id-{seq}", time=MOMENT))
    body = body.replace(b".training.v1", b".training.v2") if newer else body
    return RawMessage("REQUESTS", seq, f"{SUBJECT}.m", {}, body, MOMENT, 1, f"reply.{seq}")
