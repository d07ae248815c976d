"""CSV of 361 MB (2,000,000 rows x 21 columns) to validated Parquet.

Ours: an upload over HTTP to the ingest service as its own process; done when it answers that the version exists:
received, checked against its contract, profiled, digested, written to the object store, said as an event. The peers
read a local file and write one, with checks (Pandera) or without.
"""

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pandas as pd
import psutil
from harness import Bench, Target, peer, process, service

from headrace.local.minio import find_minio
from headrace.objects import ObjectSettings
from headrace.testkit.broker import Broker, serving
from headrace.testkit.ports import free_ports
from headrace.testkit.s3 import ACCESS_KEY, S3, SECRET_KEY, Seaweed

ROWS, ROUNDS = 2_000_000, 3
WORK, MEMORY = "CSV to validated Parquet", "memory at most"
PROGRAM = Path(__file__).with_name("ingest_peers.py")
PEERS = {
    "pandas": ("pandas", "pyarrow"),
    "pandas + Pandera": ("pandas", "pyarrow", "pandera"),
    "polars, no checks": ("polars",),
}


def run() -> Bench:
    """Measure; the bounds of our own are 120 MB/s and 512 MB."""
    bench = Bench("ingest", targets=[Target(WORK, "pandas + Pandera", 1.5), Target(WORK, "polars, no checks", 0.73)])
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = _write(folder)
        asyncio.run(_ours(bench, folder, file))
        for who, packages in PEERS.items():
            python = peer(bench, who.split(",")[0].replace(" + ", "-").lower(), *packages)
            if python is not None:
                _peer(bench, who, python, file)
    return bench


def _write(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"n{at}": rng.normal(0, 1, ROWS).round(6) for at in range(18)})
    frame["id"], frame["label"] = np.arange(ROWS), rng.integers(0, 2, ROWS)
    frame["cat"] = rng.choice(["a", "b", "c", "d"], ROWS)
    file = folder / "rows.csv"
    frame.to_csv(file, index=False)
    return file


async def _ours(bench: Bench, folder: Path, file: Path) -> None:
    async with serving(folder / "nats", sync_always=True) as broker:
        await asyncio.to_thread(_uploads, bench, broker, folder, file)


def _uploads(bench: Bench, broker: Broker, folder: Path, file: Path) -> None:
    size = file.stat().st_size / 1e6
    with (
        _store(folder) as (store, kind),
        service("headrace.ingest", broker, folder, _told(store, folder)) as (url, running),
    ):
        rates, peak = [], Peak(running)
        for turn in range(ROUNDS):
            start = time.perf_counter()
            with file.open("rb") as body:
                answer = httpx.post(
                    f"{url}/datasets/bench{turn}/files",
                    content=iter(lambda body=body: body.read(1 << 20), b""),
                    headers={"Content-Type": "text/csv"},
                    timeout=300,
                    trust_env=False,
                )
            answer.raise_for_status()
            assert answer.json()["rows"] == ROWS
            rates.append(size / (time.perf_counter() - start))
        bench.add(WORK, "headrace", "MB/s", rates)
        bench.add(f"object store: {kind}", "headrace", "MB/s", rates)
        bench.add(MEMORY, "headrace", "MB", [peak.stop()])


class Peak:
    """The most memory that a process had resident, in MB, looked at every 50 ms."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._most, self._over = process, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self._most = max(self._most, self._process.memory_info().rss / 1e6)

    def stop(self) -> float:
        """Stop looking; the peak."""
        self._over.set()
        self._thread.join()
        return self._most


@contextmanager
def _store(folder: Path) -> Iterator[tuple[S3, str]]:
    minio = find_minio()
    if minio is None:
        seaweed = Seaweed(folder / "s3")
        yield seaweed.start().fresh("bench-"), "SeaweedFS"
        seaweed.stop()
        return
    (port,) = free_ports(1)
    secrets = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_UPDATE": "off"}
    command = [str(minio), "server", str(folder / "minio"), "--address", f"127.0.0.1:{port}", "--quiet"]
    with process(command, folder / "minio.log", port, secrets):
        settings = ObjectSettings(endpoint=f"http://127.0.0.1:{port}", access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        yield S3(settings).fresh("bench-"), "MinIO"


def _told(store: S3, folder: Path) -> dict[str, str]:
    return {
        "HEADRACE_INGEST_SPOOL": str(folder / "spool"),
        "HEADRACE_S3_ENDPOINT": str(store.settings.endpoint),
        "HEADRACE_S3_ACCESS_KEY": ACCESS_KEY,
        "HEADRACE_S3_SECRET_KEY": SECRET_KEY,
        "HEADRACE_S3_BUCKET_PREFIX": store.settings.bucket_prefix,
        "MALLOC_ARENA_MAX": "2",
    }


def _peer(bench: Bench, who: str, python: Path, file: Path) -> None:
    rates, peaks = [], []
    for _ in range(ROUNDS):
        done = subprocess.run([python, PROGRAM, who, file], capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            bench.skipped.append(f"{who}: {done.stderr.strip().splitlines()[-1]}")
            return
        rate, peak = map(float, done.stdout.split())
        rates.append(rate)
        peaks.append(peak)
    bench.add(WORK, who, "MB/s", rates)
    bench.add(MEMORY, who, "MB", peaks)
