"""Ingest killed in the midst of a file: started again, it makes the version, once."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace.bus import connect
from headrace.contracts import ObjectRef
from headrace.ingest.manifest import FAN
from headrace.objects.manifest import version_parts
from headrace.testkit import eventually
from headrace.testkit.broker import Broker
from headrace.testkit.databases import all_said
from headrace.testkit.ports import free_ports
from headrace.testkit.preloaded import Child, Preloaded
from headrace.testkit.s3 import S3

pytestmark = pytest.mark.resilience

ROWS = 600_000
TIMEOUT_S = 120  # a busy machine


def database_url(folder: Path) -> str:
    """Where ingest keeps its jobs and its outbox."""
    return f"sqlite+aiosqlite:///{folder / 'ingest.db'}"


@asynccontextmanager
async def ingest(
    loaded: Preloaded, folder: Path, broker: Broker, s3: S3, port: int, **told: str
) -> AsyncIterator[Child]:
    """Ingest as a process of its own; FAULT_AT is where it dies."""
    settings = {
        "NATS_URL": broker.url,
        "NATS_NKEY_SEED_FILE": str(broker.seed_file("ingest")),
        "DATABASE_URL": database_url(folder),
        "HTTP_PORT": str(port),
        "INGEST_SPOOL": str(folder / "spool"),
        "INGEST_LEASE": "PT1S",
        "S3_ENDPOINT": s3.settings.endpoint,
        "S3_ACCESS_KEY": s3.settings.access_key,
        "S3_SECRET_KEY": s3.settings.secret_key,
        "S3_BUCKET_PREFIX": s3.settings.bucket_prefix,
    }
    environment = {f"HEADRACE_{name}": value for name, value in settings.items()} | told
    process = await loaded.start(out=folder / "log", **environment)
    try:
        yield process
    finally:
        process.kill()
        await process.wait(10)


async def test_a_kill_in_the_midst_of_a_file_changes_nothing(
    loaded: Preloaded, nats_server: Broker, s3: S3, tmp_path: Path
) -> None:
    """The job is taken up again when its lease has run out; one version comes of it, and one event."""
    data = b"n,x,t\n" + b"".join(b"%d,%d.5,text number %d\n" % (n, n, n) for n in range(ROWS))
    s3.sync.client.put_object(s3.sync.bucket("uploads"), "big.csv", io.BytesIO(data), len(data))
    (port,) = free_ports(1)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def job() -> Any:
            try:
                return (await http.get("/jobs/outsider:REQUESTS-1")).json().get("state")
            except httpx.TransportError:
                return None

        async def state_is(*wanted: str) -> Any:
            return await job() in wanted

        outsider = await connect(nats_server.settings("outsider"), name="outsider")
        async with ingest(loaded, tmp_path, nats_server, s3, port) as process:
            await eventually(lambda: _answers(http), timeout=TIMEOUT_S)
            body = b'{"object": {"bucket": "uploads", "key": "big.csv"}}'
            await outsider.publish_and_wait("headrace.request.ingest.big", body)
            await eventually(lambda: state_is("running"), timeout=TIMEOUT_S)
            process.send_signal(signal.SIGKILL)
        async with ingest(loaded, tmp_path, nats_server, s3, port):
            await eventually(lambda: _answers(http), timeout=TIMEOUT_S)
            await eventually(lambda: state_is("done"), timeout=TIMEOUT_S)
            version = (await http.get("/datasets/big")).json()
            # the job is done before the relay has spoken
            await eventually(lambda: all_said(database_url(tmp_path)), timeout=TIMEOUT_S)
        await outsider.close()

    assert (version["version"], version["rows"], version["parts"]) == (1, ROWS, 1)
    assert await _said(nats_server) == 1


SEALED = "ingest.sealed:1"  # twice: the node is full again after the first death
DEATHS = ("ingest.stored:2", "store.before_commit:9", SEALED, SEALED)
APPENDS = FAN + 3


async def test_a_kill_at_any_point_of_an_append_loses_and_doubles_nothing(
    loaded: Preloaded, nats_server: Broker, s3: S3, tmp_path: Path
) -> None:
    """Between objects and commit, and behind a node that is full: each file is one part, one version, one event."""
    (port,) = free_ports(1)
    outsider = await connect(nats_server.settings("outsider"), name="outsider")
    for number in range(APPENDS):
        data = b"n,t\n%d,text\n" % number
        s3.sync.client.put_object(s3.sync.bucket("uploads"), f"{number}.csv", io.BytesIO(data), len(data))
        body = json.dumps({"object": {"bucket": "uploads", "key": f"{number}.csv"}}).encode()
        await outsider.publish_and_wait("headrace.request.ingest.many", body)
    await outsider.close()

    for death in DEATHS:
        async with ingest(loaded, tmp_path, nats_server, s3, port, FAULT_AT=death) as process:
            assert await process.wait(TIMEOUT_S) == -signal.SIGKILL
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def all_there() -> bool:
            try:
                return bool((await http.get("/datasets/many")).json().get("version", 0) == APPENDS)
            except httpx.TransportError:
                return False

        async with ingest(loaded, tmp_path, nats_server, s3, port):
            await eventually(all_there, timeout=TIMEOUT_S)
            newest = (await http.get("/datasets/many")).json()
            await eventually(lambda: all_said(database_url(tmp_path)), timeout=TIMEOUT_S)

    parts = list(version_parts(s3.sync, "many", newest["digest"], ObjectRef(**newest["manifest"])))
    assert (newest["parts"], len({part.source.sha256 for part in parts})) == (APPENDS, APPENDS)
    assert await _said(nats_server) == APPENDS


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/live")).status_code == 200
    except httpx.TransportError:
        return False


async def _said(broker: Broker) -> int:
    """How many events the stream holds; ingest alone has spoken."""
    reader = await connect(broker.settings("provisioner"), name="reader")
    messages: int = (await reader.request("STREAM.INFO.EVENTS"))["state"]["messages"]
    await reader.close()
    return messages
