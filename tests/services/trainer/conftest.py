"""A small Ray for the session, a dataset that a model can learn, and the trainer in the harness."""

import asyncio
import io
import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import psutil
import pytest

from headrace.contracts import Column, DatasetIngested, Declaration, ModelDeclared, Part
from headrace.local.programs import RAY_ALONE
from headrace.tasks import parse_declaration
from headrace.testkit import Harness, a
from headrace.testkit.datasets import a_version
from headrace.testkit.ports import free_ports, wait_until
from headrace.testkit.s3 import S3
from headrace.trainer.driver_process import Driver, DriverProcess, Streams
from headrace.trainer.service import build
from headrace.trainer.settings import TrainerSettings

Open = Callable[..., Harness]

COLUMNS = [
    Column(name="at", type="timestamp", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="carrier", type="string", nullable=False),
    Column(name="late", type="integer", nullable=False),
]


STARTED = b"Ray runtime started"


class RayHead:
    """A Ray head of its own process group, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, self._dashboard = free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        self.token_file = folder / "token"
        self.token_file.write_text(secrets.token_hex(32))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that everything of Ray lies below."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until all of its node runs: its port opens long before.

        Once more where that fails: Ray's node gives up on its own agents after 15 s, on a busy machine too.
        """
        try:
            self._start()
        except RuntimeError:
            self.kill()
            self._start()

    def environment(self) -> dict[str, str]:
        """What every process of Ray's must be told."""
        return {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
            "RAY_prestart_worker_first_driver": "0",
            "RAY_raylet_start_wait_time_s": "60",  # of 30: a stack may start on the same two cores
        }

    def _start(self) -> None:
        command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={self.port}"]
        # the GPU is one by word alone: enough to see who is given it
        size = ["--num-cpus=2", "--num-gpus=1", "--object-store-memory=100000000"]
        ports = [f"--dashboard-agent-listen-port={self._dashboard}"]
        place = ["--node-ip-address=127.0.0.1", *RAY_ALONE]
        log = self._folder / "ray.log"
        started = log.read_bytes().count(STARTED) if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*command, *size, *ports, *place],
                stdout=out,
                stderr=out,
                start_new_session=True,
                env=self.environment(),
            )
        wait_until(lambda: log.read_bytes().count(STARTED) > started, self._process, log, within=90)

    @contextmanager
    def another_node(self, cpus: int, resources: str = "{}") -> Iterator[None]:
        """One more node of the cluster, for a while."""
        place = ["--node-ip-address=127.0.0.2", "--disable-usage-stats", "--object-store-memory=80000000"]
        command = [str(Path(sys.executable).parent / "ray"), "start", "--block", f"--address={self.address}"]
        with (self._folder / "node.log").open("ab") as out:
            node = subprocess.Popen(
                [*command, *place, f"--num-cpus={cpus}", f"--resources={resources}"],
                stdout=out,
                stderr=out,
                start_new_session=True,
                env=self.environment(),
            )
        try:
            yield
        finally:
            below = children(node.pid)
            for each in (*below, node):
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    each.kill()
            node.wait(10)

    def kill(self) -> None:
        """Kill -9 the head and everything below it, workers too."""
        process, self._process = self._process, None
        if process is not None:
            below = children(process.pid)
            for each in (*below, process):
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    each.kill()
            process.wait(10)
            psutil.wait_procs(below, 10)


def children(pid: int) -> list[psutil.Process]:
    """Every process below one; none where that has ended."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def workers(ray_head: RayHead) -> list[psutil.Process]:
    """The processes of Ray actors below a head."""
    return [each for each in children(ray_head.pid) if "ray::Actor" in name_of(each)]


def name_of(process: psutil.Process) -> str:
    """The command line of a process; of one that is gone, nothing."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="session")
def ray_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """One Ray for all tests."""
    head = RayHead(tmp_path_factory.mktemp("ray"))
    head.start()
    yield head
    head.kill()


class KeptDrivers:
    """Ray drivers, one for each configuration, that outlive the trainers of single tests: to start one takes longer
    than most runs here. A trainer gets streams of its own to it, and leaves it without an answer that is on its way.
    """

    def __init__(self) -> None:
        self._kept: dict[str, KeptDriver] = {}

    async def launch(self, config: str, environment: Mapping[str, str]) -> Driver:
        """As `DriverProcess.launch`; where one with this configuration is at hand, at once."""
        if config not in self._kept or not self._kept[config].alive:
            self._kept[config] = await asyncio.to_thread(KeptDriver, config, environment)
        return await Borrowed.of(self._kept[config])

    @property
    def pids(self) -> set[int]:
        """The processes of all of them."""
        return {driver.process.pid for driver in self._kept.values()}

    def end(self) -> None:
        """End them all, as when a trainer hangs up."""
        while self._kept:
            _, driver = self._kept.popitem()
            driver.end()


class KeptDriver:
    """One Ray driver, between two trainers."""

    def __init__(self, config: str, environment: Mapping[str, str]) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(120)
        self._numbers = itertools.count(1)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "headrace.trainer.ray_driver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.socket.sendall(config.encode() + b"\n")
        self._until(0)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def settle(self) -> None:
        """Read what is left of answers to a trainer that is gone; who does not answer any more is ended."""
        asked = f"kept-{next(self._numbers)}"
        try:
            self.socket.sendall(json.dumps({"id": asked, "call": "ping", "with": {}}).encode() + b"\n")
            self._until(asked)
        except OSError:
            self.process.kill()

    def end(self) -> None:
        """Hang up, and wait for its end."""
        self.socket.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _until(self, number: int | str) -> None:
        """Read up to the answer with a number; half a line was another reader's."""
        line = b""
        while True:
            read = self.socket.recv(1)
            if not read:
                raise ConnectionError("the Ray driver is gone")
            line += read
            if read == b"\n":
                with suppress(json.JSONDecodeError):
                    if json.loads(line).get("id") == number:
                        return
                line = b""


class Borrowed:
    """A kept driver while one trainer has it."""

    def __init__(self, kept: KeptDriver, streams: Streams) -> None:
        self._kept = kept
        self.reader, self.writer = streams

    @classmethod
    async def of(cls, kept: KeptDriver) -> Self:
        """Streams of their own on the same socket."""
        return cls(kept, await asyncio.open_connection(sock=kept.socket.dup(), limit=1 << 26))

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._kept.alive

    def kill(self) -> None:
        """End the process, as a trainer does that gets no answer."""
        self._kept.process.kill()
        self.writer.close()

    async def ended(self) -> None:
        """Wait until the process has ended."""
        await asyncio.to_thread(self._kept.process.wait)

    async def hang_up(self) -> None:
        """Give it back."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()
        if self.alive:
            await asyncio.to_thread(self._kept.settle)


@pytest.fixture(scope="session")
def kept_drivers(ray_head: RayHead) -> Iterator[KeptDrivers]:
    """The Ray drivers that all tests share whose subject is not how a driver starts and ends."""
    kept = KeptDrivers()
    yield kept
    kept.end()


@pytest.fixture(scope="session")
def buckets(s3_server: S3) -> S3:
    """The same buckets for all tests of the trainer, so that workers stay warm between them."""
    return s3_server.fresh("trainer-")


@pytest.fixture
def trainer(harness: Any, sqlite_url: str, ray_head: RayHead, kept_drivers: KeptDrivers, buckets: S3) -> Open:
    """The trainer in the harness; keywords are settings. With `own_driver` it starts its Ray driver itself.

    Workers belong to the namespace of their drivers: two drivers would give jobs to the same worker.
    """

    def opened(*, own_driver: bool = False, **settings: Any) -> Harness:
        told = {"database_url": sqlite_url, "objects": buckets.settings, "ray_address": ray_head.address}
        told |= {"ray_token_file": ray_head.token_file, "ray_namespace": "own" if own_driver else "kept"}
        launch = DriverProcess.launch if own_driver else kept_drivers.launch
        return harness(partial(build, launch=launch), TrainerSettings, **{**told, "run_memory_mb": 1500, **settings})

    return opened


@pytest.fixture
async def on(trainer: Open) -> AsyncIterator[Harness]:
    """The trainer with its usual settings."""
    async with trainer() as harness:
        yield harness


@pytest.fixture
async def alone(trainer: Open) -> AsyncIterator[Harness]:
    """The same, with a Ray driver that starts and ends with it."""
    async with trainer(own_driver=True) as harness:
        yield harness


def flights(rows: int = 600, seed: int = 1, **columns: Any) -> pd.DataFrame:
    """Rows in time order whose lateness depends on wind and carrier."""
    rng = np.random.default_rng(seed)
    wind, carrier = rng.gamma(2.0, 8.0, rows), rng.choice(["AA", "DL", "UA"], rows)
    start = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(days=30 * seed)
    frame = pd.DataFrame(
        {
            "at": pd.date_range(start, periods=rows, freq="h"),
            "wind": wind,
            "carrier": carrier,
            "late": ((wind + 10 * (carrier == "UA") + rng.normal(0, 5, rows)) > 20).astype(int),
        }
    )
    return frame.assign(**columns)


def part(buckets: S3, frame: pd.DataFrame) -> Part:
    """The rows as ingest would have put them."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    ref = buckets.sync.put("datasets", buffer.getvalue())
    return Part(object=ref, rows=len(frame), source=ref, profile=ref, ingested_at=datetime.now(UTC))


def ingested(buckets: S3, *frames: pd.DataFrame, version: int = 1, **fields: Any) -> DatasetIngested:
    """A dataset version of one part a frame."""
    told = {"dataset": "flights", "version": version, "columns": COLUMNS}
    return a_version(buckets.sync, [part(buckets, frame) for frame in frames], **{**told, **fields})


def declaration(unchecked: Mapping[str, Any] | None = None, **parts: Any) -> Declaration:
    """The model `delay` of the dataset `flights`, which trains only when asked.

    `unchecked` goes into its training as it is: a registry of another version, with another catalogue, may say it.
    """
    training = {"estimator": "sklearn.linear_model.LogisticRegression", "on": [], **parts.pop("training", {})}
    data = {"dataset": "flights", "target": "late", "time": "at", **parts.pop("data", {})}
    told = parse_declaration({"name": "delay", "data": data, "training": training, **parts})
    return told.model_copy(update={"training": told.training.model_copy(update=unchecked or {})})


def declared(revision: int = 1, **parts: Any) -> ModelDeclared:
    """The declaration as the registry says it."""
    told = declaration(**parts)
    return a(ModelDeclared, name=told.name, revision=revision, declaration=told)


@dataclass(frozen=True)
class World:
    """What other services would say."""

    buckets: S3

    def flights(self, rows: int = 600, seed: int = 1, **columns: Any) -> pd.DataFrame:
        """Rows of one month, by number."""
        return flights(rows, seed, **columns)

    def ingested(self, *frames: pd.DataFrame, version: int = 1, **fields: Any) -> DatasetIngested:
        """A dataset version of one part a frame."""
        return ingested(self.buckets, *frames, version=version, **fields)

    def declared(self, revision: int = 1, **parts: Any) -> ModelDeclared:
        """The model `delay`."""
        return declared(revision, **parts)


@pytest.fixture
def world(buckets: S3) -> World:
    """What other services would say."""
    return World(buckets)


@pytest.fixture(scope="session")
def known(s3_server: S3) -> tuple[S3, DatasetIngested]:
    """A store with one dataset version."""
    buckets = s3_server.fresh("formats-")
    return buckets, World(buckets).ingested(flights())
