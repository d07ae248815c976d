"""The parts that other tests stand on."""

from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine as sync_engine
from sqlalchemy import insert, text, update
from sqlmodel import SQLModel

from headrace.bus import BrokerAway, Outbox, PublishRefused, connect
from headrace.chassis.database import create_engine, migrate
from headrace.contracts import EVENTS, ObjectRef, TrainingRequested, decode, encode, wrap
from headrace.testkit import Broker, FakeClock, a
from headrace.testkit.clock import START
from headrace.testkit.databases import all_said, copy_migrated
from headrace.testkit.s3 import S3

MIGRATIONS = Path(str(files("headrace.registry") / "migrations"))


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_can_be_built(kind: str) -> None:
    """A built event is valid on the wire."""
    event = a(EVENTS[kind])

    said = wrap(event, source="headrace/test", id="1", time=START, correlationid="1")

    assert decode(encode(said)).data == event


def test_a_builder_takes_the_fields_that_matter() -> None:
    """The rest is made up."""
    assert a(TrainingRequested, model="delay", seed=3).seed == 3


async def test_a_copied_database_is_what_the_migrations_make(tmp_path: Path, sqlite_url: str) -> None:
    """The file is copied whole; one that is there already, with what a service has written, stays."""
    made = f"sqlite:///{tmp_path}/made.db"
    engine = create_engine(made.replace("sqlite:", "sqlite+aiosqlite:"))
    await migrate(engine, MIGRATIONS)
    await engine.dispose()

    await copy_migrated(sqlite_url, MIGRATIONS)

    copied = sqlite_url.replace("+aiosqlite", "")
    assert schema(copied) == schema(made) != []
    with sync_engine(copied).begin() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER)"))
    await copy_migrated(sqlite_url, MIGRATIONS)
    assert len(schema(copied)) == len(schema(made)) + 1


def schema(url: str) -> list[Any]:
    """Every statement that made the database, and the revision that it is at."""
    with sync_engine(url).connect() as connection:
        made = connection.execute(text("SELECT sql FROM sqlite_master ORDER BY name")).all()
        return [*made, *connection.execute(text("SELECT version_num FROM alembic_version")).all()]


async def test_the_broker_refuses_what_is_not_ones_own(nats_server: Broker) -> None:
    """Permissions are the topology's, also in tests."""
    connection = await connect(nats_server.settings("outsider"), name="test")

    ack = await connection.publish_and_wait("headrace.request.training.delay", b"{}")

    assert ack.stream == "REQUESTS"
    with pytest.raises(PublishRefused):
        await connection.publish_and_wait("headrace.training.completed.delay", b"{}")
    await connection.close()


async def test_a_killed_broker_comes_back_with_what_it_had(nats_server: Broker, eventually) -> None:  # type: ignore[no-untyped-def]
    """Storage outlives the process."""
    connection = await connect(nats_server.settings("outsider"), name="test")
    await connection.publish_and_wait("headrace.request.training.delay", b"{}")

    nats_server.kill()
    await eventually(lambda: not connection.connected)
    with pytest.raises(BrokerAway):
        await connection.publish("headrace.request.training.delay", b"{}")
    nats_server.start()

    await eventually(lambda: connection.connected)
    assert (await connection.publish_and_wait("headrace.request.training.delay", b"{}")).seq == 2
    await connection.close()


def test_every_test_has_buckets_of_its_own(s3: S3) -> None:
    """What is put comes back."""
    ref: ObjectRef = s3.sync.put("models", b"hello")

    assert s3.sync.get(ref) == b"hello"
    assert [found.key for found in s3.sync.list("models", "")] == [ref.key]


async def test_databases_are_empty_and_work(database_url: str) -> None:
    """On both kinds."""
    from sqlalchemy import text

    engine = create_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE one (x INTEGER)"))
        await connection.execute(text("INSERT INTO one VALUES (1)"))
        assert (await connection.execute(text("SELECT x FROM one"))).scalar() == 1
    await engine.dispose()


async def test_eventually_says_what_it_saw_last(eventually) -> None:  # type: ignore[no-untyped-def]
    """A fact that never comes is an error with the last answer."""
    assert await eventually(lambda: "yes") == "yes"
    with pytest.raises(AssertionError, match="the last answer was 0"):
        await eventually(lambda: 0, timeout=0.05)


def test_the_clock_moves_when_told(clock: FakeClock) -> None:
    """And not before."""
    assert clock() == clock() == START
    assert clock.advance(timedelta(hours=1)) - START == timedelta(hours=1)


async def test_all_is_said_when_nothing_waits_in_the_outbox(database_url: str) -> None:
    """Not while one event waits, however many were published."""
    engine = create_engine(database_url)
    fields = {"subject": "headrace.dataset.ingested.d", "body": b"{}", "created_at": START}
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all, tables=[SQLModel.metadata.tables["outbox"]])
        await connection.execute(insert(Outbox).values(event_id="sent", sent_at=START, headers={}, **fields))
        await connection.execute(insert(Outbox).values(event_id="waits", headers={}, **fields))
    assert not await all_said(database_url)

    async with engine.begin() as connection:
        await connection.execute(update(Outbox).values(sent_at=START))
    await engine.dispose()

    assert await all_said(database_url)
