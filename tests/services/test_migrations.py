"""Every service's tables, as its migrations make them."""

from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect
from sqlmodel import SQLModel

from headrace.chassis.database import create_engine, migrate

SERVICES = sorted(file.parent.name for file in Path(__file__).parents[2].glob("services/*/src/headrace/*/tables.py"))


def folder(service: str) -> Path:
    """Where a service keeps its migrations."""
    return Path(str(import_module(f"headrace.{service}").__file__)).parent / "migrations"


def expected(service: str) -> MetaData:
    """The tables that a service's code, the bus and the chassis know, and no other service's."""
    import_module(f"headrace.{service}.tables")
    import_module("headrace.chassis.key_use")
    ours = MetaData()
    for mapper in SQLModel._sa_registry.mappers:
        if mapper.class_.__module__.startswith((f"headrace.{service}.", "headrace.bus.", "headrace.chassis.")):
            mapper.local_table.to_metadata(ours)
    return ours


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_make_the_tables_that_the_code_expects(service: str, database_url: str) -> None:
    """A table or a column that only one of them knows would fail at the worst moment."""
    engine = create_engine(database_url)

    await migrate(engine, folder(service))

    async with engine.connect() as connection:
        told = await connection.run_sync(lambda it: compare_metadata(MigrationContext.configure(it), expected(service)))
    await engine.dispose()
    assert told == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_downgrade_leaves_nothing_behind(service: str, database_url: str) -> None:
    """What was made is taken back, whole."""
    engine = create_engine(database_url)
    await migrate(engine, folder(service))

    async with engine.begin() as connection:
        await connection.run_sync(_downgrade, folder(service))

    async with engine.connect() as connection:
        left = await connection.run_sync(lambda it: inspect(it).get_table_names())
    await engine.dispose()
    assert set(left) <= {"alembic_version"}


def _downgrade(connection: Connection, scripts: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")
