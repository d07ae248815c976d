"""Every server that speaks S3 and is at hand; the conformance suite runs on each."""

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from headrace.local.minio import find_minio
from headrace.objects import ObjectSettings
from headrace.testkit.ports import free_ports, listens, wait_until
from headrace.testkit.s3 import S3, Seaweed, given

_PREFIXES = count()
MINIO = pytest.mark.skipif(find_minio() is None, reason="no MinIO: `make minio` builds it where Go is installed")
GIVEN = pytest.mark.skipif(not os.environ.get("HEADRACE_S3_ENDPOINT"), reason="HEADRACE_S3_ENDPOINT names no server")


@pytest.fixture(
    scope="session",
    params=[
        "seaweedfs",
        pytest.param("minio", marks=[pytest.mark.minio, MINIO]),
        pytest.param("given", marks=GIVEN),
    ],
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A server of each kind, for the session."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "given":
        known = given()
        assert known is not None
        yield known
    elif request.param == "minio":
        yield from minio(folder)
    else:
        seaweed = Seaweed(folder)
        yield seaweed.start()
        seaweed.stop()


@pytest.fixture
def objects(server: S3) -> S3:
    """Fresh buckets on the server."""
    return server.fresh(f"conform{os.getpid()}-{next(_PREFIXES)}-")


def minio(folder: Path) -> Iterator[S3]:
    """The real server, on a port of its own."""
    port, log = free_ports(1)[0], folder / "minio.log"
    environment = {**os.environ, "MINIO_ROOT_USER": "testkit", "MINIO_ROOT_PASSWORD": "testkit-secret"}
    command = [str(find_minio()), "server", str(folder / "data"), "--address", f"127.0.0.1:{port}", "--quiet"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    wait_until(lambda: _healthy(port), process, log)
    yield S3(ObjectSettings(endpoint=f"http://127.0.0.1:{port}", access_key="testkit", secret_key="testkit-secret"))
    process.kill()
    process.wait(10)


def _healthy(port: int) -> bool:
    """The port opens a moment before the server is ready, and it then asks callers to come back in a minute."""
    if not listens(port):
        return False
    try:
        return httpx.get(f"http://127.0.0.1:{port}/minio/health/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False
