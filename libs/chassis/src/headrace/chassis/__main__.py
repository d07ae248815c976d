"""`python -m headrace.chassis migrate headrace.registry`: a service's migrations apart from its start.

A service migrates its own database when it starts. Where copies of it are rolled out, that is better done once,
before them, by a job of its own: `migrate` does it, and `await-migration` is what the copies wait with.
"""

import argparse
import asyncio
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from headrace.chassis.database import create_engine, is_migrated, migrate, stopping_at_a_newer_schema
from headrace.chassis.logs import configure_logs
from headrace.chassis.settings import ServiceSettings

log = structlog.get_logger()

EVERY_S = 0.5
AWAY = (SQLAlchemyError, OSError)  # a database that is still starting


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says; the database is the service's own, by HEADRACE_DATABASE_URL."""
    parser = argparse.ArgumentParser(prog="python -m headrace.chassis", description=__doc__)
    parser.add_argument("command", choices=("migrate", "await-migration"))
    parser.add_argument("package", help="the service's package, such as headrace.registry")
    told = parser.parse_args(arguments)
    settings = ServiceSettings()
    configure_logs(told.package.rpartition(".")[2], settings)
    with stopping_at_a_newer_schema():
        asyncio.run(_run(told.command, settings.database_url, Path(str(files(told.package) / "migrations"))))


async def _run(command: str, url: str, folder: Path) -> None:
    engine = create_engine(url)
    try:
        await _reached(engine, folder)
        if command == "migrate":
            await migrate(engine, folder)
            log.info("migrated")
        else:
            await _await_migration(engine, folder)
    finally:
        await engine.dispose()


async def _reached(engine: AsyncEngine, folder: Path) -> bool:
    """Whether the schema is the newest, as soon as the database can be asked."""
    told = False
    while True:
        try:
            return await is_migrated(engine, folder)
        except AWAY as error:
            if not told:
                log.info("database_away", error=f"{type(error).__name__}: {error}".splitlines()[0])
            told = True
        await asyncio.sleep(EVERY_S)


async def _await_migration(engine: AsyncEngine, folder: Path) -> None:
    told = False
    while True:
        if await _reached(engine, folder):
            return
        if not told:
            log.info("waiting_for_migration")
        told = True
        await asyncio.sleep(EVERY_S)


if __name__ == "__main__":
    main()
