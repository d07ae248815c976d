"""SQLite under an engine: as aiosqlite, with fewer visits to its thread."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from headrace.chassis import sqlite

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
