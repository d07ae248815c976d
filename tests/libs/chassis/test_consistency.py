"""What a caller was told is what its next request sees, at this service and at the next."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import ServiceSettings
from headrace.chassis.auth import new_key, new_keys, write_keys
from headrace.contracts import DatasetIngested, RequestRefused, TrainingQueued, TrainingRequested
from headrace.testkit import a

SLOW = timedelta(milliseconds=300)


@pytest.fixture
def listener(harness: Any, database_url: str, program: Any) -> Any:
    """The small service, which hears facts slowly, and grants requests only about what it has heard of."""

    async def on_dataset(event: DatasetIngested, work: UnitOfWork) -> None:
        await asyncio.sleep(SLOW.total_seconds())
        await program.keep(work, event.dataset)

    async def on_request(event: TrainingRequested, work: UnitOfWork) -> None:
        if event.model not in await program.read(work.session):
            raise Refused(f"no model named {event.model}")
        await program.keep(work, f"run of {event.model}")

    def build(settings: ServiceSettings) -> Any:
        heard = {DatasetIngested: on_dataset, TrainingRequested: on_request}
        return replace(program.build(settings), subscriptions=heard, background=[])

    return harness(build, ServiceSettings, identity="trainer", database_url=database_url)


async def test_a_write_is_answered_when_what_it_said_is_published(listener: Any) -> None:
    """Whoever asks the stream right after the answer finds it."""
    async with listener as on:
        admin = await on._speaker("provisioner")
        for number in range(20):
            answer = await on.http.post("/notes", json={"id": f"n{number}"})
            state = (await admin.request("STREAM.INFO.EVENTS"))["state"]

            assert answer.status_code == 200
            assert state["messages"] == number + 1


async def test_a_write_that_cannot_be_published_is_answered_all_the_same(
    listener: Any, nats_server: Any, eventually: Any
) -> None:
    """While the broker is away; it is published later."""
    async with listener as on:
        await asyncio.to_thread(nats_server.kill)
        started = time.monotonic()
        answer = await on.http.post("/notes", json={"id": "kept"})
        assert answer.status_code == 200
        assert time.monotonic() - started < 10

        await asyncio.to_thread(nats_server.start)
        assert (await on.heard(TrainingQueued)).data.run == "kept"


async def test_a_read_that_would_not_find_waits_for_what_was_said_before_it(listener: Any, program: Any) -> None:
    """404 only where it is not known after all facts were handled."""
    async with listener as on:
        await on.say(a(DatasetIngested, dataset="new"))

        assert (await on.http.get("/notes/new")).status_code == 200
        assert (await on.http.get("/notes/unheard")).status_code == 404


async def test_a_write_comes_after_the_facts_that_were_there_before_it(listener: Any) -> None:
    """It acts on the newest state that its caller can have been told of."""
    async with listener as on:
        await on.say(a(DatasetIngested, dataset="new"))
        await on.http.post("/notes", json={"id": "after"})

        assert (await on.http.get("/notes")).json() == ["after", "new"]
        assert await order(on) == ["new", "after"]


async def order(on: Any) -> list[str]:
    """The notes as they were written."""
    async with on.app.state.runtime.session() as session:
        rows = (await (await session.connection()).execute(text("SELECT id FROM note ORDER BY number"))).all()
        return [row.id for row in rows]


async def test_a_request_by_event_comes_after_the_facts_that_were_there_before_it(
    listener: Any, eventually: Any
) -> None:
    """It is refused only where what it names is not known after they were handled."""
    async with listener as on:
        await on.say(a(DatasetIngested, dataset="new"))
        await on.publish("headrace.request.training.new", json.dumps({"reason": "r"}).encode())
        await on.publish("headrace.request.training.unheard", json.dumps({"reason": "r"}).encode())

        refused = (await on.heard(RequestRefused)).data
        await on.quiet()
        assert refused.about == "unheard"
        assert "run of new" in await order(on)
        assert len(on.all(RequestRefused)) == 1


async def test_facts_that_wait_for_others_keep_no_request_waiting(listener: Any, program: Any, eventually: Any) -> None:
    """An early or failing fact that was sent back does not count as unhandled."""
    async with listener as on:
        processor = on.app.state.runtime.processor
        processor._handlers[DatasetIngested.TYPE] = fails
        await on.say(a(DatasetIngested, dataset="bad"))
        await eventually(lambda: processor.sent_back("EVENTS"))

        started = time.monotonic()
        assert await on.app.state.runtime.catch_up()
        assert time.monotonic() - started < 2


async def fails(_event: DatasetIngested, _work: UnitOfWork) -> None:
    """A handler with a mistake."""
    raise KeyError("a mistake")


async def test_who_may_not_write_is_told_so_at_once_while_the_service_is_behind(
    harness: Any, sqlite_url: str, program: Any, tmp_path: Path
) -> None:
    """The caller's key and its scopes are judged before anything is waited for."""
    may_go = asyncio.Event()

    async def on_dataset(_event: DatasetIngested, _work: UnitOfWork) -> None:
        await may_go.wait()

    def build(settings: ServiceSettings) -> Any:
        return replace(program.build(settings), subscriptions={DatasetIngested: on_dataset}, background=[])

    writer, keys = new_key(new_keys(), "writer", ["trainer:write"])
    reader, keys = new_key(keys, "reader", ["trainer:read"])
    write_keys(tmp_path / "keys.json", keys)
    settings = {"database_url": sqlite_url, "api_keys_file": tmp_path / "keys.json"}
    async with harness(build, ServiceSettings, identity="trainer", **settings) as on:
        await on.say(a(DatasetIngested, dataset="slow"))

        started = time.monotonic()
        assert [await posted(on, key) for key in ("", "hr_nobody", reader)] == [401, 401, 403]
        assert time.monotonic() - started < 1

        allowed = asyncio.create_task(posted(on, writer))
        assert not (await asyncio.wait([allowed], timeout=0.3))[0]
        may_go.set()
        assert await allowed == 200


async def posted(on: Any, key: str) -> int:
    """The status that a write gets with a key."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    status: int = (await on.http.post("/notes", json={"id": "n"}, headers=headers)).status_code
    return status
