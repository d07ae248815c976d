"""A service's own database: SQLite or PostgreSQL by its URL, brought to the newest schema at the start."""

import asyncio
import fcntl
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from headrace.bus import sqlite

log = structlog.get_logger()

MIGRATION_LOCK = 0x4845_4144_4D49  # "HEADMI": copies of a service that start at once migrate one after the other
TLS_WORDS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


class NewerSchema(Exception):
    """The database was migrated by a newer version of the service."""


def create_engine(url: str) -> AsyncEngine:
    """An engine whose commits are on the disk when they return."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            parsed, pool_size=8, max_overflow=8, connect_args={"async_creator_fn": sqlite.connect}
        )
        event.listen(engine.sync_engine, "connect", _on_sqlite_connect)
        return engine
    plain, tls = _tls(parsed)
    told = {"ssl": tls} if tls is not None else {}
    return create_async_engine(plain, pool_size=8, max_overflow=8, pool_pre_ping=True, connect_args=told)


def _tls(url: URL) -> tuple[URL, ssl.SSLContext | bool | None]:
    """PostgreSQL's TLS in libpq's own words: sslmode, sslrootcert, sslcert and sslkey of the URL."""
    told = {name: str(url.query[name]) for name in TLS_WORDS if name in url.query}
    mode = told.get("sslmode", "verify-full" if told else None)
    if mode is None or mode == "disable":
        return url.difference_update_query(TLS_WORDS), None if mode is None else False
    context = ssl.create_default_context(cafile=told.get("sslrootcert"))
    context.check_hostname = mode == "verify-full"
    if mode not in ("verify-ca", "verify-full"):
        context.verify_mode = ssl.CERT_NONE  # encrypted, but with whom is not asked: libpq's meaning of `require`
    if "sslcert" in told:
        context.load_cert_chain(told["sslcert"], told.get("sslkey"))
    return url.difference_update_query(TLS_WORDS), context


def _on_sqlite_connect(connection: Any, _record: object) -> None:
    """Acknowledgements follow commits, so commits must reach the disk: synchronous=FULL."""
    for pragma in (f"busy_timeout={sqlite.BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def stopping_at_a_newer_schema() -> Iterator[None]:
    """End the process with one readable line, rather than a traceback, where its version is older than its data."""
    try:
        yield
    except NewerSchema as error:
        log.error("database_is_newer", error=str(error))
        sys.exit(1)


async def migrate(engine: AsyncEngine, folder: Path) -> None:
    """Bring the schema to the newest revision; safe when several processes start at once. Raises NewerSchema."""
    async with _file_lock(engine), engine.connect() as connection:
        await connection.run_sync(_upgrade, folder)
        await connection.commit()


async def is_migrated(engine: AsyncEngine, folder: Path) -> bool:
    """Whether the schema is at the newest revision that `folder` knows; raises NewerSchema where it is beyond."""
    async with engine.connect() as connection:
        return await connection.run_sync(_is_newest, folder)


def _upgrade(connection: Connection, folder: Path) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    if _is_newest(connection, folder):
        return
    config = _alembic(folder)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_newest(connection: Connection, folder: Path) -> bool:
    there = set(MigrationContext.configure(connection).get_current_heads())
    scripts = _scripts(folder)
    if unknown := there - {script.revision for script in scripts.walk_revisions()}:
        raise NewerSchema(
            f"the database is at revision {', '.join(sorted(unknown))}, which this version does not know: "
            "migrations do not go back; start the newer version again, or restore the database that this one left"
        )
    return there == set(scripts.get_heads())


@cache
def _scripts(folder: Path) -> ScriptDirectory:
    """The revisions of a folder, which a process reads once."""
    return ScriptDirectory.from_config(_alembic(folder))


def _alembic(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _file_lock(engine: AsyncEngine) -> AbstractAsyncContextManager[None]:
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:":
        return nullcontext()
    return _locked(Path(f"{database}.migrate"))


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
