"""Fixtures for every test; loaded by pytest through the entry point `headrace`."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog

from headrace.chassis import Service, ServiceSettings
from headrace.testkit.broker import Broker, serving
from headrace.testkit.clock import FakeClock
from headrace.testkit.cluster import Cluster
from headrace.testkit.databases import Postgres
from headrace.testkit.harness import Harness
from headrace.testkit.s3 import S3, Seaweed, given
from headrace.testkit.waiting import eventually as _eventually

S = TypeVar("S", bound=ServiceSettings)
Staging = Callable[..., Harness]

_PREFIXES = count()


def pytest_configure() -> None:
    """What a test's own process logs goes to standard error, with plain tracebacks.

    Standard output is for what is tested, also while a service of another fixture goes on in a thread; drawing
    tracebacks with every local variable takes seconds.
    """
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    processors = [*structlog.get_config()["processors"][:-1], renderer]
    structlog.configure(processors=processors, logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[Broker]:
    """A fresh broker with the topology's streams, durables and users."""
    async with serving(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The endpoint that HEADRACE_S3_ENDPOINT names, else a SeaweedFS of this session."""
    known = given()
    if known is not None:
        yield known
        return
    server = Seaweed(tmp_path_factory.mktemp("s3"))
    yield server.start()
    server.stop()


@pytest.fixture
def s3(s3_server: S3) -> S3:
    """Fresh buckets: `.settings`, and stores that may do everything, `.store` (async) and `.sync`."""
    return s3_server.fresh(f"test{next(_PREFIXES)}-")


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[tuple[Seaweed, S3]]:
    """A server that a test may suspend and resume, and fresh buckets on it."""
    server = Seaweed(tmp_path / "own-s3")
    yield server, server.start().fresh("own-")
    server.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, s3_server: S3) -> Iterator[Cluster]:
    """Every service over HTTP, with a key of each role and an identity provider."""
    with Cluster(tmp_path_factory.mktemp("town"), s3_server.fresh("town-")) as every:
        yield every


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for the session."""
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; every test that asks for it runs on both kinds."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite+aiosqlite:///{tmp_path}/test.db"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty SQLite database, for tests whose subject is not the database."""
    return f"sqlite+aiosqlite:///{tmp_path}/test.db"


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands until it is moved."""
    return FakeClock()


@pytest.fixture
def eventually() -> Any:
    """Waiting for a fact, not for seconds."""
    return _eventually


@pytest.fixture
def harness(nats_server: Broker) -> Staging:
    """Put a service on the broker; see the README for an example.

    `build` makes the Service from settings, which get the broker's address and key from here; `clock=` replaces the
    service's clock, every other keyword is a setting.
    """

    def staged(
        build: Callable[[S], Service], settings: type[S], *, clock: FakeClock | None = None, **overrides: Any
    ) -> Harness:
        def make() -> Service:
            name = overrides.get("identity") or settings.__module__.split(".")[1]
            seed = nats_server.seed_file(name)
            told = {k: v for k, v in overrides.items() if k != "identity"}
            service = build(settings(nats_url=nats_server.url, nats_nkey_seed_file=seed, http_host="127.0.0.1", **told))
            return service if clock is None else replace(service, clock=clock)

        return Harness(nats_server, make, clock)

    return staged
