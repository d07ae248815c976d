"""2,000 files of 20 rows, appended to one dataset over HTTP: what the last hundred cost beside the first.

Our own figures alone: the service as its own process, uploads one after the other. Then everything that they left is
read as a training reads it, and the service's answers about the dataset are timed.
"""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import psutil
from harness import Bench, Target, service
from ingest import _store, _told

from headrace.bus import Follower, connect
from headrace.contracts import DatasetIngested, decode
from headrace.objects.manifest import version_parts
from headrace.testkit.broker import Broker, serving
from headrace.testkit.s3 import S3
from headrace.trainer.worker.jobs import Data
from headrace.trainer.worker.reading import read_rows

FILES, ROWS, HUNDRED = 2_000, 20, 100
TIME, EVENT, MEMORY = "time of an append", "size of its event", "memory of the service"
FIRST, LAST = "first hundred", "headrace"  # the last hundred are ours to be judged


def run() -> Bench:
    """Measure; the last hundred should cost what the first did."""
    bench = Bench("append", targets=[Target(work, FIRST, 0.9) for work in (TIME, EVENT, MEMORY)])
    with TemporaryDirectory() as name:
        asyncio.run(_all(bench, Path(name)))
    return bench


async def _all(bench: Bench, folder: Path) -> None:
    async with serving(folder / "nats", sync_always=True) as broker:
        with (
            _store(folder) as (store, kind),
            service("headrace.ingest", broker, folder, _told(store, folder)) as (url, running),
        ):
            await asyncio.to_thread(_appends, bench, url, running, kind)
            newest = await _events(bench, broker)
            await asyncio.to_thread(_reads, bench, url, store, newest)
        size = sum(file.stat().st_size for file in (folder / "nats").rglob("*.blk"))
        bench.add("all events on the broker's disk", "headrace", "MB", [size / 1e6])


def _appends(bench: Bench, url: str, running: psutil.Process, kind: str) -> None:
    taken, resident = list[float](), list[float]()
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        for number in range(FILES):
            body, start = _file(number), time.perf_counter()
            http.post("/datasets/bench/files", content=body, headers={"Content-Type": "text/csv"}).raise_for_status()
            taken.append((time.perf_counter() - start) * 1e3)
            resident.append(running.memory_info().rss / 1e6)
    for who, those in ((FIRST, slice(HUNDRED)), (LAST, slice(-HUNDRED, None))):
        bench.add(TIME, who, "ms", taken[those], p90=float(np.percentile(taken[those], 90)))
        bench.add(MEMORY, who, "MB", resident[those])
    bench.skipped.append(f"object store: {kind}")


def _file(number: int) -> bytes:
    rng = np.random.default_rng(number)
    lines = [f"{number}-{row},{rng.normal():.4f},{rng.normal():.4f},{'abc'[row % 3]},{row % 2}" for row in range(ROWS)]
    return ("id,x,z,kind,y\n" + "\n".join(lines) + "\n").encode()


async def _events(bench: Bench, broker: Broker) -> DatasetIngested:
    sizes, newest = list[float](), None
    connection = await connect(broker.settings("provisioner"), name="bench")
    async with Follower(connection, "EVENTS", ">", "all") as follower:
        async for message in follower.until_caught_up():
            sizes.append(len(message.data) / 1e6)
            newest = decode(message.data).data
    await connection.close()
    for who, those in ((FIRST, slice(HUNDRED)), (LAST, slice(-HUNDRED, None))):
        bench.add(EVENT, who, "MB", sizes[those])
    assert isinstance(newest, DatasetIngested)
    assert newest.rows == FILES * ROWS
    return newest


def _reads(bench: Bench, url: str, store: S3, newest: DatasetIngested) -> None:
    start = time.perf_counter()
    parts = sum(1 for _ in version_parts(store.sync, "bench", newest.digest, newest.manifest))
    bench.add("the list of 2,000 parts read", "headrace", "s", [time.perf_counter() - start])
    assert parts == FILES
    data = Data(dataset="bench", digest=newest.digest, manifest=newest.manifest, parts=newest.parts)
    start = time.perf_counter()
    rows = read_rows(store.sync, data, ["x", "z", "kind"], "y", lambda _: None)
    bench.add("all rows read for a training", "headrace", "s", [time.perf_counter() - start])
    assert len(rows.frame) == FILES * ROWS
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        for path in ("/datasets", "/datasets/bench", "/datasets/bench/versions/2000/profile"):
            start = time.perf_counter()
            answer = http.get(path).raise_for_status()
            bench.add(
                f"GET {path}", "headrace", "ms", [(time.perf_counter() - start) * 1e3], kb=len(answer.content) / 1e3
            )
