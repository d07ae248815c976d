"""Every connection over TLS, by settings alone: who shows a certificate of our CA is believed, and nobody else is."""

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from headrace.bus import BusSettings, connect
from headrace.chassis import Service, ServiceSettings
from headrace.chassis.database import create_engine
from headrace.chassis.http import make_app
from headrace.chassis.run import http_server
from headrace.client import Unreachable, find_stack
from headrace.client.http import Http
from headrace.inference.server import Replica
from headrace.inference.server import http_server as replica_server
from headrace.inference.settings import InferenceSettings
from headrace.objects import StoreAway, SyncObjectStore, sync_object_store
from headrace.testkit.broker import Broker
from headrace.testkit.databases import Postgres
from headrace.testkit.ports import free_ports
from headrace.testkit.s3 import S3, Seaweed
from headrace.testkit.tls import Authority, postgres_door
from headrace.testkit.waiting import eventually


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA that everybody here is told to believe."""
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another one, of the same name."""
    return Authority(tmp_path_factory.mktemp("theirs"))


# the bus


@pytest.fixture
def broker(ours: Authority, tmp_path: Path) -> Iterator[Broker]:
    """A broker that asks its clients for certificates of our CA."""
    server = Broker(tmp_path / "nats", tls=ours.leaf("nats"), clients_ca=ours.ca)
    server.prepare()
    server.start()
    yield server
    server.remove()


def as_operator(broker: Broker, ca: Authority | None, shown: Authority | None) -> BusSettings:
    """An identity with its key, whom it believes, and whose certificate it shows."""
    leaf = shown.leaf("operator") if shown else None
    tls = {"tls_ca": ca and ca.ca, "tls_cert": leaf and leaf.cert, "tls_key": leaf and leaf.key}
    return dataclasses.replace(broker.settings("operator"), **tls)


async def test_the_bus_is_spoken_over_tls(broker: Broker, ours: Authority) -> None:
    """Both sides show certificates, beside the identity's own key."""
    connection = await asyncio.wait_for(connect(as_operator(broker, ours, ours), name="test-tls"), 10)

    assert (await connection.request("INFO"))["type"].endswith("account_info_response")
    await connection.close()


@pytest.mark.parametrize(
    ("ca", "shown", "why"),
    [
        ("theirs", "ours", "certificate verify failed"),
        (None, None, "certificate verify failed|tls"),
        ("ours", None, "certificate required|handshake|unknown ca|bad certificate|EOF|eof|reset|closed|broken pipe"),
        ("ours", "theirs", "unknown ca|bad certificate|decrypt error|handshake|EOF|eof|reset|closed|broken pipe"),
    ],
)
async def test_the_bus_is_not_spoken_to_or_by_others(
    ca: str | None, shown: str | None, why: str, broker: Broker, ours: Authority, theirs: Authority
) -> None:
    """A broker of another CA is not given a word; a client of another CA is not let in. Both go on trying."""
    known = {"ours": ours, "theirs": theirs, None: None}
    with structlog.testing.capture_logs() as lines:
        connection = await connect(as_operator(broker, known[ca], known[shown]), name="test-tls", wait=False)
        told = await eventually(lambda: [line["error"] for line in lines if line["event"] == "broker_error"])

        assert not connection.connected
        await connection.close()
    assert told
    assert any(word.lower() in " ".join(told).lower() for word in why.split("|")), told


# HTTP


@asynccontextmanager
async def served(kind: str, settings: dict[str, Any]) -> AsyncIterator[str]:
    """A service's HTTP port, or a replica's, over TLS; yields the address of something that is open to all."""
    port = free_ports(1)[0]
    if kind == "replica":
        replica = Replica(InferenceSettings(http_port=port, **settings))
        server, path = replica_server(replica), "/v2/health/live"
    else:
        told = ServiceSettings(http_port=port, **{key: value for key, value in settings.items() if key != "cache_dir"})
        app = make_app(Service("registry", told, {}), [])
        server, path = http_server(app, told), "/openapi.json"
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"https://127.0.0.1:{port}{path}"
    server.leave()
    await serving


@pytest.mark.parametrize("kind", ["service", "replica"])
async def test_http_is_spoken_over_tls(kind: str, ours: Authority, theirs: Authority, tmp_path: Path) -> None:
    """Whoever believes our CA gets an answer that says to stay with TLS; others do not even ask."""
    leaf = ours.leaf(f"{kind}-http")
    settings = {"http_tls_cert": leaf.cert, "http_tls_key": leaf.key, "cache_dir": tmp_path}
    async with served(kind, settings) as url:
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(ours.ca))) as http:
            answer = await http.get(url)
        for context in (ssl.create_default_context(cafile=str(theirs.ca)), ssl.create_default_context()):
            async with httpx.AsyncClient(verify=context) as http:
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    await http.get(url)
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.TransportError):
                await http.get(url.replace("https:", "http:"))

    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_the_command_line_believes_the_ca_that_it_is_told(
    ours: Authority, theirs: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEADRACE_TLS_CA, for every service."""
    leaf = ours.leaf("cli-http")
    async with served("service", {"http_tls_cert": leaf.cert, "http_tls_key": leaf.key}) as url:

        def page(ca: Path) -> Any:
            monkeypatch.setenv("HEADRACE_TLS_CA", str(ca))
            monkeypatch.setenv("HEADRACE_REGISTRY_URL", url.removesuffix("/openapi.json"))
            return Http(find_stack("https://127.0.0.1", "hr_k")).json("GET", "registry", "/openapi.json")

        assert (await asyncio.to_thread(page, ours.ca))["info"]["title"] == "headrace-registry"
        with pytest.raises(Unreachable):
            await asyncio.to_thread(page, theirs.ca)


# PostgreSQL


@pytest.fixture
async def door(postgres: Postgres, ours: Authority) -> AsyncIterator[tuple[str, list[str]]]:
    """A database behind TLS, by a certificate for 127.0.0.1 alone; its URL, and the sessions that were had."""
    at = free_ports(1)[0]
    async with postgres_door(postgres.port, ours.leaf("postgres", ("127.0.0.1",)), at) as sessions:
        yield postgres.new_database().replace(f":{postgres.port}/", f":{at}/"), sessions


async def answers(url: str) -> bool:
    """Whether the database answers; raises what the driver raises."""
    engine = create_engine(url)
    try:
        async with engine.connect() as connection:
            return bool((await connection.execute(text("SELECT 1"))).scalar_one())
    finally:
        await engine.dispose()


@pytest.mark.postgres
async def test_postgresql_is_spoken_to_over_tls_in_libpqs_words(
    door: tuple[str, list[str]], ours: Authority, theirs: Authority
) -> None:
    """verify-full and verify-ca believe our CA alone; require encrypts, whoever it is."""
    url, sessions = door

    assert await answers(f"{url}?sslmode=verify-full&sslrootcert={ours.ca}")
    assert await answers(f"{url}?sslrootcert={ours.ca}")
    assert await answers(f"{url}?sslmode=require")
    assert len(sessions) == 3
    for mode in ("verify-full", "verify-ca"):
        with pytest.raises(ssl.SSLCertVerificationError):
            await answers(f"{url}?sslmode={mode}&sslrootcert={theirs.ca}")
    with pytest.raises(ssl.SSLCertVerificationError):
        await answers(f"{url}?sslmode=verify-full")
    with pytest.raises(DBAPIError, match="closed"):
        await answers(f"{url}?sslmode=disable")


@pytest.mark.postgres
async def test_postgresqls_name_is_compared_where_that_is_asked(door: tuple[str, list[str]], ours: Authority) -> None:
    """The certificate is for 127.0.0.1: another name of the same machine is another server."""
    url = door[0].replace("127.0.0.1", "localhost")

    assert await answers(f"{url}?sslmode=verify-ca&sslrootcert={ours.ca}")
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        await answers(f"{url}?sslmode=verify-full&sslrootcert={ours.ca}")


# the object store


@pytest.fixture(scope="module")
def s3_tls(ours: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An object store that is asked over HTTPS."""
    server = Seaweed(tmp_path_factory.mktemp("s3"), ours.leaf("s3"), ours.ca)
    yield server.start().fresh("tls-")
    server.stop()


def test_objects_are_kept_over_tls(s3_tls: S3, theirs: Authority) -> None:
    """Written, read and signed for over HTTPS; a store of another CA is given nothing."""
    ref = s3_tls.sync.put("models", b"kept")

    assert _believing(s3_tls, s3_tls.settings.tls_ca).get(ref) == b"kept"
    assert s3_tls.sync.presign(ref).startswith("https://")
    for other in (theirs.ca, None):
        with pytest.raises(StoreAway, match="certificate verify failed"):
            _believing(s3_tls, other).get(ref)


def _believing(server: S3, ca: Path | None) -> SyncObjectStore:
    return sync_object_store(server.settings.model_copy(update={"tls_ca": ca, "retries": 0}))
