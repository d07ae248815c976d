"""Every server that speaks S3 and is at hand; the conformance suite runs on each."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from headrace.local.minio import find_minio
from headrace.testkit.s3 import S3, Seaweed, given, minio

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
