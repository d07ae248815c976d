"""Ingest on an object store that hangs: uploads are answered in time, readiness says so, jobs wait and come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.contracts import DatasetIngested, DatasetRejected, IngestRequested, ObjectPlace
from headrace.ingest.service import build
from headrace.ingest.settings import IngestSettings
from headrace.testkit import Harness, a, eventually
from headrace.testkit.s3 import S3, Seaweed

pytestmark = pytest.mark.resilience

JAN = b"carrier,delay\nAA,1\nUA,2.5\n"
SILENCE_S = 5.0  # a busy machine may take longer than a moment for an answer that does come


@pytest.fixture
async def hanging(harness: Any, sqlite_url: str, own_s3: tuple[Seaweed, S3], tmp_path: Path) -> AsyncIterator[Any]:
    """A running ingest, the server of its store, and the buckets."""
    server, buckets = own_s3
    objects = buckets.settings.model_copy(update={"read_timeout_s": SILENCE_S, "probe_timeout_s": 3.0})
    settings = {"database_url": sqlite_url, "objects": objects, "ingest_spool": tmp_path / "spool"}
    async with harness(build, IngestSettings, **settings) as on:
        yield on, server, buckets
        server.resume()
    assert not [*(tmp_path / "spool").glob("*/*")], "every file is removed behind its work"


async def becomes(on: Harness, status: int) -> None:
    """Wait until readiness has a status; the store is named where it is the reason."""

    async def is_so() -> bool:
        answer = await on.http.get("/ready")
        return answer.status_code == status and (status == 503) == ("objects" in answer.json()["problems"])

    await eventually(is_so)


async def upload(on: Harness, dataset: str = "flights") -> Any:
    """Send a file."""
    return await on.http.post(f"/datasets/{dataset}/files", content=JAN, headers={"content-type": "text/csv"})


async def test_an_upload_to_a_store_that_hangs_is_answered_in_time(hanging: Any) -> None:
    """503 with what to do, soon; at once when it is known; nothing was taken, and the next upload is."""
    on, server, _ = hanging
    await becomes(on, 200)
    server.suspend()

    started = time.monotonic()
    answers = await asyncio.gather(*(upload(on, f"d{number}") for number in range(6)))
    assert time.monotonic() - started < 4 * SILENCE_S + 4
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "try again" in answer.json()["detail"]
        assert "127.0.0.1" not in answer.text

    await becomes(on, 503)
    started = time.monotonic()
    assert (await upload(on)).status_code == 503
    assert time.monotonic() - started < SILENCE_S

    server.resume()
    await becomes(on, 200)
    assert (await upload(on)).status_code == 201
    assert [each.data.version for each in on.all(DatasetIngested)] == [1]


async def test_a_job_waits_for_a_store_that_hangs_and_is_done_once(hanging: Any) -> None:
    """It is no fault of the file: nothing is rejected, however long it takes."""
    on, server, buckets = hanging
    ref = await buckets.store.put("uploads", JAN)
    place = ObjectPlace(bucket=ref.bucket, key=ref.key)
    server.suspend()
    await on.say(a(IngestRequested, dataset="flights", object=place), as_="operator")

    async def waits() -> bool:
        degraded = (await on.http.get("/ready")).json()["degraded"]
        return any(name.startswith("jobs/") for name in degraded)

    await eventually(waits)
    assert not on.all(DatasetRejected)

    server.resume()
    await on.heard(DatasetIngested, "flights")
    await on.quiet()
    assert [each.data.version for each in on.all(DatasetIngested)] == [1]
    assert not on.all(DatasetRejected)
