"""A process that dies between any two steps loses nothing and does nothing twice."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.bus import PublishRefused
from headrace.testkit.broker import Broker
from headrace.testkit.preloaded import Preloaded

pytestmark = pytest.mark.resilience

RunVictim = Callable[..., Awaitable[int]]
MESSAGES = 40
VICTIM = Path(__file__).with_name("victim.py")


# every point that this little service passes, at a passing of its first batches
POINTS = [
    "processor.claimed:2",
    "processor.handled:2",
    "processor.committed:2",
    "processor.acknowledged:1",
    "store.before_commit:3",
    "store.committed:3",
    "relay.read:2",
    "relay.batch_sent:1",
    "relay.stored:1",
    "relay.marking:1",
]


@pytest.fixture(scope="session")
def victims() -> Iterator[Preloaded]:
    """The program whose processes die."""
    with Preloaded(VICTIM) as program:
        yield program


@pytest.fixture
def run_victim(victims: Preloaded, nats_server: Broker, tmp_path: Path) -> Callable[..., Awaitable[int]]:
    """Run one to its end, and return its exit code: minus nine is the death that was asked for."""

    async def run(database_url: str, messages: int = MESSAGES, fault: str = "", batch: int = 8) -> int:
        told = (nats_server.url, str(nats_server.seed_file("trainer")), database_url, str(messages), str(batch))
        return await (await victims.start(*told, out=tmp_path / "victim.log", FAULT_AT=fault)).wait()

    return run


async def crash_and_finish(
    point: str, broker: Broker, database_url: str, asker: Any, ledger: Any, run_victim: RunVictim
) -> None:
    """Killed at the point, started again: one effect and one event for every message."""
    await ledger.prepare(database_url)
    for number in range(MESSAGES):
        await asker.ask(f"m{number % 5}", id=f"ask-{number}")

    killed = await run_victim(database_url, fault=point)
    await ledger.finish(broker, database_url, MESSAGES)

    assert killed == -signal.SIGKILL
    expected = {"effects": MESSAGES, "messages": MESSAGES, "said": MESSAGES, "unsent": 0}
    assert await ledger.counted(database_url) == expected
    assert await asker.count("EVENTS") == MESSAGES


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_anywhere_loses_nothing_and_does_nothing_twice(
    point: str, nats_server: Broker, sqlite_url: str, asker: Any, ledger: Any, run_victim: RunVictim
) -> None:
    """On SQLite, at every point."""
    await crash_and_finish(point, nats_server, sqlite_url, asker, ledger, run_victim)


@pytest.mark.postgres
@pytest.mark.parametrize("point", ["processor.handled:2", "processor.committed:2", "relay.stored:1"])
async def test_a_crash_anywhere_changes_nothing_on_postgresql_either(
    point: str, nats_server: Broker, postgres: Any, asker: Any, ledger: Any, run_victim: RunVictim
) -> None:
    """Before a commit, after it, and between the broker's word and its mark."""
    await crash_and_finish(point, nats_server, postgres.new_database(), asker, ledger, run_victim)


async def test_process_and_broker_killed_together(
    nats_server: Broker, database_url: str, asker: Any, ledger: Any, run_victim: RunVictim
) -> None:
    """The broker forgets the last acknowledgements, the process its memory; the inbox forgets nothing."""
    await ledger.prepare(database_url)
    for number in range(MESSAGES):
        await asker.ask(id=f"ask-{number}")

    killed = await run_victim(database_url, fault="relay.stored:2")
    nats_server.restart()
    for number in range(MESSAGES):  # the same again, as if every acknowledgement had been lost
        await _ask_again(asker, f"ask-{number}")
    await ledger.finish(nats_server, database_url, MESSAGES)

    assert killed == -signal.SIGKILL
    assert (await ledger.counted(database_url))["effects"] == MESSAGES
    assert await asker.count("EVENTS") == MESSAGES


async def _ask_again(asker: Any, message_id: str) -> None:
    while True:
        try:
            await asker.ask(id=message_id)
            return
        except PublishRefused:
            raise
        except Exception:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("before", "batch"), [(0, 8), (3, 1)])
async def test_a_message_whose_handling_ends_the_process_is_parked(
    sqlite_url: str, asker: Any, ledger: Any, run_victim: RunVictim, before: int, batch: int
) -> None:
    """It is counted before it is tried once it may have killed, and its neighbours are done once each.

    Also where the messages before it are none of this service's: an acknowledgement cannot be told from those then.
    """
    await ledger.prepare(sqlite_url)
    await asker.ask("early", id="early")
    for _ in range(before):
        await asker.say("headrace.request.declaration.m", b"{}")
    await asker.ask("deadly", id="poison")
    for number in range(5):
        await asker.ask(f"m{number}", id=f"ask-{number}")

    ends = [await run_victim(sqlite_url, 6, batch=batch) for _ in range(3)]
    while ends[-1] != os.EX_OK and len(ends) < 9:
        ends.append(await run_victim(sqlite_url, 6, batch=batch))

    assert ends[-1] == os.EX_OK
    assert (await ledger.counted(sqlite_url))["effects"] == 6
