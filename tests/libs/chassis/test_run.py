"""Starting, running and stopping, as a process and in this one."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import inspect

from headrace.bus import utc_now
from headrace.chassis.database import create_engine, migrate
from headrace.contracts import TrainingRequested
from headrace.testkit import a
from headrace.testkit.broker import Broker
from headrace.testkit.ports import free_ports
from headrace.testkit.preloaded import Preloaded

PROGRAM = Path(__file__).with_name("program.py")
MIGRATIONS = Path(__file__).with_name("migrations")


class Running:
    """The service as a process of its own."""

    def __init__(self, program: Preloaded, broker: Broker, database_url: str, log: Path) -> None:
        (self.port,) = free_ports(1)
        self._program, self._log = program, log
        self._environment = {
            "HEADRACE_NATS_URL": broker.url,
            "HEADRACE_NATS_NKEY_SEED_FILE": str(broker.seed_file("trainer")),
            "HEADRACE_DATABASE_URL": database_url,
            "HEADRACE_HTTP_PORT": str(self.port),
        }
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}")

    async def start(self, **environment: str) -> None:
        """Start it."""
        self._log.unlink(missing_ok=True)
        self.process = await self._program.start(out=self._log, **(self._environment | environment))

    async def status(self, path: str) -> int:
        """The status of a path; 0 where nobody listens."""
        try:
            return (await self.http.get(path)).status_code
        except httpx.TransportError:
            return 0

    async def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and how long it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await self.process.wait(20)
        return code, time.monotonic() - started

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@pytest.fixture(scope="module")
def loaded() -> Iterator[Preloaded]:
    """The program of which the service's processes are made."""
    with Preloaded(PROGRAM) as program:
        yield program


@pytest.fixture
async def running(loaded: Preloaded, nats_server: Broker, sqlite_url: str, tmp_path: Path) -> Any:
    """The service, not started yet; nothing of it is left at the end."""
    service = Running(loaded, nats_server, sqlite_url, tmp_path / "log")
    yield service
    await service.http.aclose()
    if service.process.returncode is None:
        service.process.kill()
        await service.process.wait()


async def test_a_process_drains_on_sigterm_and_logs_one_json_line_a_request(running: Running, eventually: Any) -> None:
    """Exit code 0, well within five seconds; every line is JSON with service and trace."""
    await running.start()
    await eventually(lambda: ready(running), timeout=30)
    await running.http.post("/notes", json={"id": "one"})

    code, seconds = await running.stop()

    requests = [line for line in running.lines() if line["event"] == "request"]
    assert (code, seconds < 5) == (0, True)
    assert [(line["path"], line["status"], line["service"]) for line in requests] == [("/notes", 200, "trainer")]
    assert len(requests[0]["trace_id"]) == 32
    assert running.lines()[-1]["event"] == "stopped"


async def ready(running: Running) -> bool:
    """Whether the process is ready."""
    return await running.status("/ready") == 200


async def test_a_process_starts_and_answers_while_the_broker_is_away(
    running: Running, nats_server: Broker, eventually: Any
) -> None:
    """Alive, reading, not ready; and ready when the broker is there."""
    await asyncio.to_thread(nats_server.kill)
    await running.start()
    await eventually(lambda: answers(running, "/live", 200), timeout=30)
    assert await running.status("/ready") == 503
    assert await running.status("/notes") == 200

    await asyncio.to_thread(nats_server.start)

    await eventually(lambda: ready(running))
    assert (await running.stop())[0] == 0


async def answers(running: Running, path: str, status: int) -> bool:
    """Whether a path answers so."""
    return await running.status(path) == status


async def test_a_failing_background_loop_is_told_and_started_again(
    on_harness: Any, program: Any, eventually: Any
) -> None:
    """Not ready while it is down, and with patience, not in a tight loop."""
    program.LOOPS.clear()
    async with on_harness() as on:
        await eventually(lambda: len(program.LOOPS) == 2)

        await eventually(lambda: is_well(on))


async def is_well(on: Any) -> bool:
    """Whether the loop is no problem any more."""
    return "restless" not in (await on.http.get("/ready")).json()["problems"]


async def test_an_item_that_ends_the_process_is_set_aside_and_the_others_are_handled(
    running: Running, eventually: Any
) -> None:
    """Each try is counted before it is made; after three deaths the item is tried no more, and named."""
    told = {"PLANS": "before,deadly,behind", "HEADRACE_DEAD_LETTER_AFTER_ATTEMPTS": "3"}
    for _ in range(3):
        await running.start(**told)
        assert await running.process.wait(30) == 9

    await running.start(**told)
    await eventually(lambda: answers(running, "/dead-letters", 200), timeout=30)

    async def told_of() -> bool:
        items = (await running.http.get("/dead-letters")).json()["items"]
        notes = (await running.http.get("/notes")).json()
        return [each["key"] for each in items] == ["deadly"] and {"before", "behind"} <= set(notes)

    await eventually(told_of)
    assert running.process.returncode is None


async def test_messages_are_handled_after_a_restart_as_before(on_harness: Any, eventually: Any) -> None:
    """What is said while the service is down waits for it; what was handled is not handled again."""
    async with on_harness() as on:
        first = await on.say(a(TrainingRequested, model="one"))
        await eventually(lambda: notes(on, 1))
        await on.stop()
        second = await on.say(a(TrainingRequested, model="two"))
        await on.restart()
        await eventually(lambda: notes(on, 2))

        assert sorted((await on.http.get("/notes")).json()) == sorted([first.id, second.id])


async def notes(on: Any, count: int) -> bool:
    """Whether so many notes are there."""
    return len((await on.http.get("/notes")).json()) == count


async def test_copies_that_start_at_once_migrate_once(database_url: str) -> None:
    """One after the other, under a lock."""
    engines = [create_engine(database_url) for _ in range(3)]

    await asyncio.gather(*(migrate(engine, MIGRATIONS) for engine in engines))

    async with engines[0].connect() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert {"note", "inbox", "outbox", "dead_letter", "alembic_version"} <= set(tables)
    for engine in engines:
        await engine.dispose()


async def test_commits_of_sqlite_reach_the_disk(sqlite_url: str) -> None:
    """WAL, synchronous=FULL, and patience with a locked file."""
    engine = create_engine(sqlite_url)
    async with engine.connect() as connection:
        found = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    await engine.dispose()

    assert found == ["wal", 2, 1, 10_000]
    assert utc_now().tzinfo is not None
