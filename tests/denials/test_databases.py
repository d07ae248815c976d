"""Each service's role at PostgreSQL: its own database, and nothing beside it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from headrace.contracts import load_topology
from headrace.provision.databases import make_databases
from headrace.testkit.databases import Postgres

from .tally import Tally

pytestmark = pytest.mark.postgres
SERVICES = [name for name, kind in load_topology().identities.items() if kind == "service"]
PASSWORDS = {name: f"of-{name}" for name in SERVICES}
SHARED = ("postgres", "template1", "template0")
OVERREACH = (
    "CREATE ROLE eve LOGIN SUPERUSER",
    "CREATE DATABASE eve",
    "ALTER ROLE {own} SUPERUSER",
    "ALTER ROLE {own} CREATEROLE",
    "ALTER ROLE {other} PASSWORD 'stolen'",
    "GRANT {other} TO {own}",
    "SET ROLE {other}",
    "SET ROLE headrace",
    "SET SESSION AUTHORIZATION {other}",
    "DROP DATABASE {other}",
    "ALTER DATABASE {other} OWNER TO {own}",
    "GRANT CONNECT ON DATABASE {other} TO {own}",
    "REASSIGN OWNED BY {other} TO {own}",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT pg_reload_conf()",
    "SELECT rolpassword FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    "SELECT pg_read_file('pg_hba.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "COPY (SELECT 1) TO '/tmp/headrace-denied'",
    "CREATE TEMP TABLE t (line text); COPY t FROM '/etc/passwd'",
    "CREATE TEMP TABLE t (line text); COPY t FROM PROGRAM 'id'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'getpid'",
    "CREATE EXTENSION file_fdw",
    "CREATE EXTENSION dblink",
    "SELECT pg_create_logical_replication_slot('eve', 'pgoutput')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'headrace'",
)
REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidAuthorizationSpecificationError)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server on which everybody needs a password, with a database and a role of each service."""
    running = Postgres(password="of-the-administrator")
    running.start()
    asyncio.run(make_databases(running.admin_url, PASSWORDS))
    yield running
    running.stop()


async def denied(url: str, statement: str | None = None) -> bool:
    """Whether connecting, or what is asked then, is refused for want of a right."""
    try:
        connection = await asyncpg.connect(url, timeout=20)
    except REFUSED:
        return True
    except asyncpg.ObjectNotInPrerequisiteStateError:
        return True  # template0 takes no connections at all
    try:
        if statement is not None:
            await connection.execute(statement)
    except REFUSED:
        return True
    finally:
        await connection.close()
    return False


async def test_each_role_has_its_own_database_and_nothing_beside_it(server: Postgres) -> None:
    """Neighbours, the server's files and programs, other roles, more rights."""
    wrong: list[str] = []
    tried = refused = 0

    async def expect(what: str, url: str, statement: str | None = None, *, refusal: bool = True) -> None:
        nonlocal tried, refused
        was = await denied(url, statement)
        tried, refused = tried + 1, refused + was
        if was is not refusal:
            wrong.append(what)

    async with _holding(server):
        for own, other in zip(SERVICES, [*SERVICES[1:], SERVICES[0]], strict=True):
            home = server.url(own, PASSWORDS[own], own)
            await expect(f"{own} at home", home, "CREATE TABLE mine (id int)", refusal=False)
            for database in (*SERVICES, *SHARED):
                if database != own:
                    await expect(f"{own} in {database}", server.url(own, PASSWORDS[own], database))
            for password in (None, "", "guess", PASSWORDS[own]):
                await expect(f"{own} as {other} with {password!r}", server.url(other, password, other))
            for statement in OVERREACH:
                told = statement.format(own=own, other=other)
                await expect(f"{own}: {told}", home, told)
    resources = len(SERVICES) + len(SHARED) + 4 + len(OVERREACH)
    Tally("databases", len(SERVICES), resources, tried, refused, len(wrong)).write()

    assert wrong == []


class _holding:  # noqa: N801  # reads as a verb
    """An administrator's connection that somebody might want to end."""

    def __init__(self, server: Postgres) -> None:
        self._server = server

    async def __aenter__(self) -> None:
        self._connection: Any = await asyncpg.connect(self._server.admin_url)

    async def __aexit__(self, *_: object) -> None:
        assert await self._connection.fetchval("SELECT 1") == 1
        await self._connection.close()
