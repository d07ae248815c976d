"""A model registry's three commonest works, each durable: register a version, move an alias, read by alias.

Ours: the registry service as its own process, on a real broker with SQLite (FULL). Versions are registered by event,
aliases are moved and read over HTTP. MLflow: its server on SQLite, all over HTTP.
"""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from uuid import uuid4

import httpx
from harness import Bench, Target, peer, process, service

from headrace.bus import Connection, Follower, Publisher, connect
from headrace.contracts import (
    EvaluationCompleted,
    EvaluationMetrics,
    EvaluationRequested,
    Event,
    TrainingCompleted,
    VersionApproved,
    VersionRegistered,
    wrap,
)
from headrace.testkit.broker import Broker, serving
from headrace.testkit.builders import a
from headrace.testkit.ports import free_ports

E = TypeVar("E", bound=Event)
COUNT, MODEL = 500, "bench"
REGISTER, MOVE, READ = "register a version", "move an alias", "read by alias"
PROGRAM = Path(__file__).with_name("registry_peer.py")


def run() -> Bench:
    """Measure."""
    bench = Bench("registry", targets=[Target(work, "MLflow", 20) for work in (REGISTER, MOVE, READ)])
    with TemporaryDirectory() as folder:
        asyncio.run(_ours(bench, Path(folder)))
        python = peer(bench, "mlflow", "mlflow<4")
        if python is not None:
            _mlflow(bench, python, Path(folder))
    return bench


async def _ours(bench: Bench, folder: Path) -> None:
    """The service is a process of its own, as it always is."""
    async with serving(folder / "nats", sync_always=True) as broker:
        with (
            service("headrace.registry", broker, folder, {}) as (url, _),
            httpx.Client(base_url=url, trust_env=False) as http,
        ):
            neighbour = await Neighbour.of(broker)
            await asyncio.to_thread(_declare, http)
            await _two_approved(neighbour)
            bench.add(REGISTER, "headrace", "/s", [await _registered(neighbour)])
            bench.add(MOVE, "headrace", "/s", [_rate(partial(_move, http))])
            bench.add(READ, "headrace", "/s", [_rate(partial(_read, http))])
            await neighbour.close()


class Neighbour:
    """Says what the trainer says, and hears what the registry says."""

    def __init__(self, trainer: Connection, listener: Connection, follower: Follower) -> None:
        self._publisher, self._connections, self._follower = Publisher(trainer), (trainer, listener), follower

    @classmethod
    async def of(cls, broker: Broker) -> "Neighbour":
        """Connected with the trainer's key, and listening with the administrator's."""
        trainer, listener = [await connect(broker.settings(who), name="bench") for who in ("trainer", "provisioner")]
        follower = Follower(listener, "EVENTS", "headrace.>", start="all")
        await follower.__aenter__()
        return cls(trainer, listener, follower)

    async def say(self, *events: Event) -> None:
        """Publish, and wait until the broker has them."""
        now = datetime.now(UTC)
        await self._publisher.publish_window(
            [wrap(each, source="headrace/trainer", id=uuid4().hex, time=now) for each in events]
        )

    async def heard(self, kind: type[E]) -> E:
        """The next event of a type."""
        async for message in self._follower:
            event = message.envelope().data
            if isinstance(event, kind):
                return event
        raise AssertionError("the stream ended")

    async def close(self) -> None:
        """Let go of the broker."""
        await self._follower.__aexit__(None, None, None)
        for connection in self._connections:
            await connection.close()


def _declare(http: httpx.Client) -> None:
    declared = {"name": MODEL, "data": {"dataset": "flights", "target": "late"}, "evaluation": {"metrics": ["roc_auc"]}}
    http.put(f"/models/{MODEL}", json=declared).raise_for_status()


async def _two_approved(neighbour: Neighbour) -> None:
    """Versions 1 and 2, between which the alias moves."""
    for version in (1, 2):
        await neighbour.say(_trained(f"first-{version}"))
        await neighbour.say(_judged(await neighbour.heard(EvaluationRequested)))
        await neighbour.heard(VersionApproved)


async def _registered(neighbour: Neighbour) -> float:
    """Versions a second: from the first training that completed to the last registration that is said."""
    runs = [_trained(f"run-{at}") for at in range(COUNT)]
    start = time.perf_counter()
    await neighbour.say(*runs)
    for _ in runs:
        await neighbour.heard(VersionRegistered)
    return COUNT / (time.perf_counter() - start)


def _move(http: httpx.Client) -> None:
    for at in range(COUNT):
        wish = {"version": 1 + at % 2, "reason": "bench"}
        http.put(f"/models/{MODEL}/aliases/candidate", json=wish).raise_for_status()


def _read(http: httpx.Client) -> None:
    for _ in range(COUNT):
        http.get(f"/models/{MODEL}/aliases/candidate").raise_for_status()


def _rate(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return COUNT / (time.perf_counter() - start)


def _trained(run: str) -> TrainingCompleted:
    digest = run.encode().hex().ljust(64, "0")[:64]
    artifact = a(TrainingCompleted).artifact.model_copy(update={"digest": digest})
    return a(TrainingCompleted, run=run, model=MODEL, artifact=artifact)


def _judged(asked: EvaluationRequested) -> EvaluationCompleted:
    rivals = {"roc_auc": 0.9} if asked.champion else None
    return a(
        EvaluationCompleted,
        evaluation=asked.evaluation,
        model=MODEL,
        candidate=asked.candidate.version,
        champion=asked.champion.version if asked.champion else None,
        dataset=asked.dataset,
        metrics=EvaluationMetrics(candidate={"roc_auc": 0.9}, champion=rivals),
        comparisons=[],
    )


def _mlflow(bench: Bench, python: Path, folder: Path) -> None:
    with _server(python, folder) as url:
        done = subprocess.run([python, PROGRAM, url, str(COUNT)], capture_output=True, text=True, check=False)
    if done.returncode:
        bench.skipped.append(f"MLflow: {done.stderr.strip().splitlines()[-1]}")
        return
    for line in done.stdout.splitlines():
        work, _, rate = line.partition("\t")
        if work in (REGISTER, MOVE, READ):
            bench.add(work, "MLflow", "/s", [float(rate)])


@contextmanager
def _server(python: Path, folder: Path) -> Iterator[str]:
    """MLflow's own server, one worker, on SQLite."""
    (port,) = free_ports(1)
    command = [str(python.parent / "mlflow"), "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with process(command, folder / "mlflow.log", port, {}):
        yield f"http://127.0.0.1:{port}"
