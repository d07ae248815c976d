"""PostgreSQL: a database and a role for each service, which sees no other's."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

AGAIN_S = 0.2
ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"


async def make_databases(admin_url: str, passwords: Mapping[str, str], *, wait: float = 60.0) -> None:
    """Make what is missing, and set each role's password; nobody else may connect to a service's database."""
    async with _patient_connection(admin_url, wait) as connection:
        for name, password in passwords.items():
            await _make_role(connection, name, password)
            await _make_database(connection, name)
        for shared in ("postgres", "template1"):
            await _run(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", shared)


async def _make_role(connection: asyncpg.Connection, name: str, password: str) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
    await _run(connection, f"{'ALTER' if known else 'CREATE'} ROLE %I {ATTRIBUTES} PASSWORD %L", name, password)


async def _make_database(connection: asyncpg.Connection, name: str) -> None:
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        await _run(connection, "CREATE DATABASE %I OWNER %I", name, name)
    await _run(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)


async def _run(connection: asyncpg.Connection, statement: str, *names: str) -> None:
    """Statements that define things take no parameters: the server itself quotes what goes in."""
    slots = ", ".join(f"${at}::text" for at in range(2, len(names) + 2))
    await connection.execute(await connection.fetchval(f"SELECT format($1, {slots})", statement, *names))


@asynccontextmanager
async def _patient_connection(url: str, wait: float) -> AsyncIterator[asyncpg.Connection]:
    deadline = time.monotonic() + wait
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5)
            break
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(AGAIN_S)
    try:
        yield connection
    finally:
        await connection.close()
