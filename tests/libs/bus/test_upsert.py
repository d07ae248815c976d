"""Putting rows that may be there already, on both databases."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlmodel import Field, SQLModel, select

from headrace.bus import Store
from headrace.bus.upsert import put_row, put_rows
from headrace.chassis.database import create_engine


class Reading(SQLModel, table=True):
    """A made-up row with a key of two columns."""

    __tablename__ = "upsert_test_reading"

    place: str = Field(primary_key=True)
    hour: int = Field(primary_key=True)
    value: float | None = None
    seen: int = 0


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A database with the table and one row."""
    engine = create_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Reading.__table__.create)  # type: ignore[attr-defined]
    made = Store(engine)
    async with made.write() as session:
        await put_row(session, Reading(place="a", hour=1, value=10.0, seen=5))
    yield made
    await engine.dispose()


async def rows(store: Store) -> dict[tuple[str, int], tuple[float | None, int]]:
    """What the table holds."""
    async with store.read() as session:
        found = (await session.exec(select(Reading))).all()
    return {(row.place, row.hour): (row.value, row.seen) for row in found}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, (10.0, 5)),
        ({"replace": ("value",)}, (7.0, 5)),
        ({"replace": ("value", "seen")}, (7.0, 4)),
        ({"highest": ("value", "seen")}, (10.0, 5)),
        ({"replace": ("value",), "newer": "seen"}, (10.0, 5)),
    ],
)
async def test_a_row_that_is_there_changes_as_it_is_said(
    store: Store, how: Mapping[str, Any], expected: tuple[float, int]
) -> None:
    """Nothing, some columns, the higher value, or only where the new row is newer; a new row is put beside it."""
    new = [{"place": "a", "hour": 1, "value": 7.0, "seen": 4}, {"place": "a", "hour": 2, "value": 1.0, "seen": 1}]

    async with store.write() as session:
        await put_rows(session, Reading, new, **how)

    assert await rows(store) == {("a", 1): expected, ("a", 2): (1.0, 1)}


async def test_the_newer_row_takes_the_place_of_the_older_one(store: Store) -> None:
    """Of several rows with one key the last counts, as of several statements."""
    new = [{"place": "a", "hour": 1, "value": value, "seen": seen} for value, seen in ((1.0, 5), (2.0, 9), (3.0, 8))]

    async with store.write() as session:
        await put_rows(session, Reading, new, replace=("value", "seen"), newer="seen")

    assert await rows(store) == {("a", 1): (2.0, 9)}


async def test_a_whole_row_replaces_what_was_there_also_by_nothing(store: Store) -> None:
    """A column that is None in the new row is None afterwards; no rows are no statement."""
    async with store.write() as session:
        await put_row(session, Reading(place="a", hour=1))
        await put_rows(session, Reading, [])

    assert await rows(store) == {("a", 1): (None, 0)}
