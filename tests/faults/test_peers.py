"""The same load and the same faults for us, for nats-py used as its examples use it, and for FastStream's defaults.

Each of 600 events must have one effect (a row) and be followed by one event. Of ten events one fails at its first
try. Five times the consumer is killed, twice the broker; then all is given time until nothing is left to deliver.
"""

import asyncio
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headrace.bus import BrokerAway, Connection, Follower, Publisher, connect
from headrace.contracts import AliasMoved, wrap
from headrace.testkit.broker import Broker, started
from headrace.testkit.builders import a

pytestmark = pytest.mark.faults
EVENTS, WAVES = 600, 8
PEERS = Path(__file__).with_name("peers")
TIMEOUT_S = 240.0


@dataclass
class Consumer:
    """A program that handles the events, and the durable that it reads."""

    program: str
    identity: str
    durable: str
    needs: tuple[str, ...] = ()


CONSUMERS = {
    "ours": Consumer("ours.py", "deployer", "deployer"),
    "nats-py, fetch and ack": Consumer("naive.py", "provisioner", "deployer"),
    "FastStream's defaults": Consumer(
        "faststream_defaults.py", "provisioner", "faststream", ("faststream[nats]>=0.6", "nkeys")
    ),
}


@dataclass
class Race:
    """One consumer on one broker, both in the hand of the test."""

    broker: Broker
    consumer: Consumer
    python: str
    folder: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def database(self) -> Path:
        """Where the effects are."""
        return self.folder / "effects.db"

    def start(self) -> None:
        """Start the consumer."""
        program = [self.python, str(PEERS / self.consumer.program), self.broker.url]
        program += [str(self.broker.seed_file(self.consumer.identity)), str(self.database)]
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(program, stdout=out, stderr=out, cwd=self.folder)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def effects(self) -> Counter[str]:
        """How often each event has had its effect."""
        try:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as found:
                return Counter(name for (name,) in found.execute("SELECT name FROM effect"))
        except sqlite3.OperationalError:
            return Counter()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", CONSUMERS)
async def test_the_same_load_and_faults(who: str, tmp_path: Path, row: Callable[[str], Any]) -> None:
    """We lose nothing and do nothing twice; what the others lose and do twice is in the table."""
    consumer = CONSUMERS[who]
    race = Race(await started(tmp_path / "nats", sync_always=True), consumer, interpreter(consumer), tmp_path)
    try:
        race.start()
        await disturbed(race, random.Random(1))
        await settled(race)
        effects, follow = race.effects(), await said(race)
    finally:
        race.kill()
        await asyncio.to_thread(race.broker.remove)

    line = row(f"the same load with consumer and broker killed: {who}")
    line.trials, line.events = 7, EVENTS
    names = [f"e{number}" for number in range(EVENTS)]
    no_effect, not_said = (sum(name not in there for name in names) for there in (effects, follow))
    twice, said_twice = (sum(there[name] > 1 for name in names) for there in (effects, follow))
    line.lost, line.doubled = no_effect + not_said, twice + said_twice
    line.note = f"{no_effect} without effect, {not_said} not followed; {twice} done twice, {said_twice} said twice"
    assert sum(effects.values()) > EVENTS / 2, "it hardly worked at all"
    if who == "ours":
        assert (line.lost, line.doubled) == (0, 0), line.note


def interpreter(consumer: Consumer) -> str:
    """One that has what the program needs: this one, or the peer's own environment, made on first use."""
    if not consumer.needs:
        return sys.executable
    folder = Path(".headrace/bench/venvs/faststream-faults").absolute()
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        uv = shutil.which("uv") or ".tools/bin/uv"
        for step in (["venv", "-q", "--clear", str(folder)], ["pip", "install", "-q", "--python", str(python)]):
            packages = consumer.needs if step[0] == "pip" else ()
            done = subprocess.run([uv, *step, *packages], check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"{consumer.needs} cannot be had: {done.stderr.strip()[-200:]}")
        (folder / ".ready").touch()
    return str(python)


async def disturbed(race: Race, chance: random.Random) -> None:
    """Publish in waves; somebody is killed in each but the first."""
    connection = await connect(race.broker.settings("registry"), name="load")
    for wave in range(WAVES):
        said = [move(number) for number in range(wave * EVENTS // WAVES, (wave + 1) * EVENTS // WAVES)]
        await wait_until_good(lambda said=said: Publisher(connection).publish_window(said))
        before = sum(race.effects().values())
        await until(lambda before=before: sum(race.effects().values()) >= before + chance.randint(3, 25))
        if wave in {3, 6}:
            await asyncio.to_thread(race.broker.restart)
        elif wave:
            race.kill()
            race.start()
    await connection.close()


def move(number: int) -> Any:
    """One event of the load."""
    event = a(AliasMoved, model=f"e{number}", alias="champion")
    return wrap(event, source="headrace/registry", id=f"race-{number}", time=datetime.now(UTC))


async def settled(race: Race) -> None:
    """Until nothing is left to deliver; a consumer that ended by itself is started again."""
    admin = await connect(race.broker.settings("provisioner"), name="looker")

    async def left(connection: Connection) -> int:
        info = await connection.request(f"CONSUMER.INFO.EVENTS.{race.consumer.durable}")
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    calm, end = 0, time.monotonic() + TIMEOUT_S
    while calm < 20 and time.monotonic() < end:
        if race.process is not None and race.process.poll() is not None:
            race.start()
        calm = calm + 1 if await left(admin) == 0 else 0
        await asyncio.sleep(0.1)
    await admin.close()


async def said(race: Race) -> Counter[str]:
    """How often each event was followed."""
    connection = await connect(race.broker.settings("provisioner"), name="reader")
    last = int((await connection.request("STREAM.INFO.EVENTS"))["state"]["last_seq"])
    found: Counter[str] = Counter()
    async with Follower(connection, "EVENTS", ">", 1) as follower:
        async for message in follower:
            if message.subject.startswith("headrace.rollout.completed."):
                found[message.subject.rpartition(".")[2]] += 1
            if message.seq >= last:
                break
    await connection.close()
    return found


async def wait_until_good(do: Callable[[], Any]) -> None:
    """Until the broker takes it; ids make a second try harmless."""
    while True:
        try:
            await do()
            return
        except (BrokerAway, TimeoutError):
            await asyncio.sleep(0.1)


async def until(fact: Callable[[], bool], wait: float = 30.0) -> None:
    """Wait for a fact, but not for ever: a consumer that has stopped working is a finding too."""
    end = time.monotonic() + wait
    while not fact() and time.monotonic() < end:  # noqa: ASYNC110 (what is waited for is in a file)
        await asyncio.sleep(0.01)
