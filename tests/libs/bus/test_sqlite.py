"""SQLite under an engine: as aiosqlite, with fewer visits to its thread."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from headrace.bus import sqlite

MAKE = "CREATE TABLE note (id INTEGER PRIMARY KEY, words TEXT UNIQUE)"
ADD = text("INSERT INTO note (words) VALUES (:words)")


class Counting(sqlite.Connection):
    """Counts its visits."""

    visits = 0

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        Counting.visits += 1
        return await super()._execute(fn, *args, **kwargs)


@pytest.fixture
async def engine(tmp_path: Path):  # type: ignore[no-untyped-def]
    """With one table."""
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/x.db", connect_args={"async_creator_fn": counting})
    async with made.begin() as connection:
        await connection.execute(text(MAKE))
    yield made
    await made.dispose()


def counting(database: str, **told: Any) -> sqlite.Connection:
    """A connection that counts."""
    found = sqlite.connect(database, **told)
    found.__class__ = Counting
    return found


async def test_a_statement_is_one_visit(engine: AsyncEngine) -> None:
    """With its rows, however many."""
    async with engine.begin() as connection:
        await connection.execute(ADD, [{"words": f"word {n}"} for n in range(500)])
        before = Counting.visits

        rows = (await connection.execute(text("SELECT words FROM note ORDER BY id"))).scalars().all()

        assert Counting.visits - before == 1
        assert rows[0] == "word 0"
        assert len(rows) == 500


async def test_counts_keys_and_returned_rows_are_sqlites_own(engine: AsyncEngine) -> None:
    """What SQLAlchemy reads from a cursor after the statement."""
    async with engine.begin() as connection:
        added = await connection.execute(text("INSERT INTO note (words) VALUES ('a'), ('b') RETURNING id"))
        changed = await connection.execute(text("UPDATE note SET words = words || '!'"))
        one = (await connection.execute(text("SELECT words FROM note WHERE id = 2"))).one()
        none = (await connection.execute(text("SELECT words FROM note WHERE id = 9"))).first()

    assert added.scalars().all() == [1, 2]
    assert changed.rowcount == 2
    assert one.words == "b!"
    assert none is None


async def test_an_error_is_told_and_nothing_is_kept(engine: AsyncEngine) -> None:
    """And the connection goes on."""
    with pytest.raises(IntegrityError):
        async with engine.begin() as connection:
            await connection.execute(ADD, [{"words": "same"}, {"words": "same"}])

    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM note"))).scalar_one() == 0


async def test_rows_may_be_read_one_by_one(engine: AsyncEngine) -> None:
    """A stream of rows ends."""
    async with engine.begin() as connection:
        await connection.execute(ADD, [{"words": f"{n}"} for n in range(7)])
        found = [row.words async for row in await connection.stream(text("SELECT words FROM note ORDER BY id"))]

    assert found == [f"{n}" for n in range(7)]


def add_two(database: sqlite3.Connection) -> int:
    """Two statements, and what they have left."""
    database.execute("INSERT INTO note (words) VALUES ('a')")
    database.execute("INSERT INTO note (words) VALUES ('b')")
    found: int = database.execute("SELECT count(*) FROM note").fetchone()[0]
    return found


async def test_several_statements_are_one_visit_of_one_transaction(engine: AsyncEngine) -> None:
    """Rolled back together."""
    async with engine.connect() as connection:
        before = Counting.visits
        assert await sqlite.visit(connection, add_two) == 2
        assert Counting.visits - before == 1
        await connection.rollback()
        assert (await connection.execute(text("SELECT count(*) FROM note"))).scalar_one() == 0


async def test_what_must_come_soon_makes_no_visit(engine: AsyncEngine) -> None:
    """And belongs to the transaction all the same."""
    async with engine.connect() as connection:
        before = Counting.visits
        assert await sqlite.soon(connection, add_two) == 2
        assert Counting.visits == before
        await connection.rollback()
        assert await sqlite.soon(connection, add_two) == 2
        await connection.commit()

    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM note"))).scalar_one() == 2


async def test_what_must_come_soon_does_not_hold_up_the_loop_for_a_lock(engine: AsyncEngine, tmp_path: Path) -> None:
    """Another process has the file locked: the connection's thread waits for it, and sees what it has written."""
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO note (words) VALUES ('theirs')")
    async with engine.connect() as connection:
        waiting = asyncio.create_task(sqlite.soon(connection, add_two))
        while not waiting.done():
            await asyncio.sleep(0.01)  # the loop goes round
            if other.in_transaction:
                assert not waiting.done()
                other.execute("COMMIT")
        assert await waiting == 3
        await connection.commit()
    other.close()


async def test_an_error_of_what_must_come_soon_leaves_no_transaction(engine: AsyncEngine) -> None:
    """A wrong statement is no lock."""
    async with engine.connect() as connection:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await sqlite.soon(connection, lambda database: database.execute("INSERT INTO absent VALUES (1)"))
        there = (await connection.get_raw_connection()).driver_connection
        assert not there.in_transaction
        assert await sqlite.soon(connection, add_two) == 2
