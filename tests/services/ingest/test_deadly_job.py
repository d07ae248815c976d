"""A job that ends the process each time it is tried: it is counted, set aside and rejected, and others go on."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path

import httpx
import pytest

from headrace.bus import connect
from headrace.testkit import eventually
from headrace.testkit.broker import Broker
from headrace.testkit.ports import free_ports
from headrace.testkit.preloaded import Preloaded
from headrace.testkit.s3 import S3

from .test_kill import ingest

pytestmark = pytest.mark.resilience

ATTEMPTS = 2
TIMEOUT_S = 120  # a busy machine


async def test_a_job_that_ends_the_process_each_time_is_set_aside(
    loaded: Preloaded, nats_server: Broker, s3: S3, tmp_path: Path
) -> None:
    """Its tries are counted before they are made; the reason says what it did, and jobs of others are done."""
    told = {"HEADRACE_DEAD_LETTER_AFTER_ATTEMPTS": str(ATTEMPTS)}
    (port,) = free_ports(1)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for turn in range(ATTEMPTS):
            async with ingest(
                loaded, tmp_path, nats_server, s3, port, FAULT_AT="ingest.converted:1", **told
            ) as process:
                if turn == 0:
                    await eventually(lambda: _answers(http, "/live"), timeout=TIMEOUT_S)
                    await _ask(nats_server, s3, "deadly")
                assert await process.wait(TIMEOUT_S) == -signal.SIGKILL
        async with ingest(loaded, tmp_path, nats_server, s3, port, **told):
            await eventually(lambda: _answers(http, "/jobs/outsider:REQUESTS-1", state="rejected"), timeout=TIMEOUT_S)
            await _ask(nats_server, s3, "other")
            await eventually(lambda: _answers(http, "/jobs/outsider:REQUESTS-2", state="done"), timeout=TIMEOUT_S)
            (dead_letter,) = (await http.get("/dead-letters")).json()["items"]
            (rejection,) = (await http.get("/datasets/deadly/rejections")).json()["items"]

    assert f"ended the process, or was cut off, {ATTEMPTS} times" in dead_letter["reason"]
    assert rejection["reason"] == dead_letter["reason"]


async def _ask(broker: Broker, s3: S3, dataset: str) -> None:
    """An outsider has a file of its own ingested."""
    data = b"n,x\n1,2.5\n"
    s3.sync.client.put_object(s3.sync.bucket("uploads"), f"{dataset}.csv", io.BytesIO(data), len(data))
    outsider = await connect(broker.settings("outsider"), name="outsider")
    place = json.dumps({"object": {"bucket": "uploads", "key": f"{dataset}.csv"}})
    await outsider.publish_and_wait(f"headrace.request.ingest.{dataset}", place.encode())
    await outsider.close()


async def _answers(http: httpx.AsyncClient, path: str, **fields: str) -> bool:
    """Whether the service answers a path, with these fields."""
    try:
        answer = await http.get(path)
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and all(answer.json().get(name) == value for name, value in fields.items())
