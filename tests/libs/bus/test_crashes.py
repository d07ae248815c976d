"""A process that dies between any two steps loses nothing and does nothing twice."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.bus import PublishRefused
from headrace.testkit.broker import Broker

MESSAGES = 40
VICTIM = Path(__file__).with_name("victim.py")


async def run_victim(point: str, nth: int, broker: Broker, database_url: str, messages: int = MESSAGES) -> int:
    """Run it to its end; minus nine is the death that was asked for."""
    seed = str(broker.seed_file("trainer"))
    arguments = [str(VICTIM), point, str(nth), broker.url, seed, database_url, str(messages)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(process.wait(), 60)


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("before_handling", 11),
        ("before_commit", 12),
        ("after_commit", 1),
        ("after_commit", 3),
        ("after_publish", 1),
        ("after_mark", 1),
    ],
)
async def test_a_crash_anywhere_loses_nothing_and_does_nothing_twice(
    point: str, nth: int, nats_server: Broker, database_url: str, asker: Any, ledger: Any
) -> None:
    """Killed at the point, started again: one effect and one event for every message."""
    await ledger.prepare(database_url)
    for number in range(MESSAGES):
        await asker.ask(f"m{number % 5}", id=f"ask-{number}")

    killed = await run_victim(point, nth, nats_server, database_url)
    finished = await run_victim("never", 0, nats_server, database_url)

    assert (killed, finished) == (-signal.SIGKILL, os.EX_OK)
    assert await ledger.counted(database_url) == {
        "effects": MESSAGES,
        "messages": MESSAGES,
        "said": MESSAGES,
        "unsent": 0,
    }
    assert await asker.count("EVENTS") == MESSAGES


async def test_process_and_broker_killed_together(
    nats_server: Broker, database_url: str, asker: Any, ledger: Any
) -> None:
    """The broker forgets the last acknowledgements, the process its memory; the inbox forgets nothing."""
    await ledger.prepare(database_url)
    for number in range(MESSAGES):
        await asker.ask(id=f"ask-{number}")

    killed = await run_victim("after_mark", 1, nats_server, database_url)
    nats_server.restart()
    for number in range(MESSAGES):  # the same again, as if every acknowledgement had been lost
        await _ask_again(asker, f"ask-{number}")
    finished = await run_victim("never", 0, nats_server, database_url)

    assert (killed, finished) == (-signal.SIGKILL, os.EX_OK)
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


async def test_a_message_whose_handling_ends_the_process_is_parked(
    nats_server: Broker, sqlite_url: str, asker: Any, ledger: Any
) -> None:
    """It is counted before it is tried once it came back often enough, and its neighbours are done once each."""
    await ledger.prepare(sqlite_url)
    await asker.ask("deadly", id="poison")
    for number in range(5):
        await asker.ask(f"m{number}", id=f"ask-{number}")

    ends = [await run_victim("never", 0, nats_server, sqlite_url, 5) for _ in range(3)]
    while ends[-1] != os.EX_OK and len(ends) < 9:
        ends.append(await run_victim("never", 0, nats_server, sqlite_url, 5))

    assert ends[-1] == os.EX_OK
    assert (await ledger.counted(sqlite_url))["effects"] == 5
