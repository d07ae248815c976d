"""Predictions a second: a replica with every prediction logged, beside bare Starlette with ONNX Runtime, and MLServer.

One row of 30 columns a request, a logistic regression pipeline and a forest of 100 trees,
16 connections and one. All servers stay up, and are asked in turn. The works in a process are the models that MLServer
serves, with scikit-learn itself in the runtime `process`.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Bench, Target, peer, rounds
from serving_models import Fitted, in_processes, make_models

from headrace.bus import connect
from headrace.contracts import CONTENT_TYPE, Route, RouteChanged, encode, wrap
from headrace.testkit.broker import Broker, started
from headrace.testkit.ports import free_ports

HERE = Path(__file__).parent
MODELS = {"lr": "logistic regression pipeline", "rf": "forest of 100"}
WORKS = [("lr", 16), ("rf", 16), ("lr", 1)]
IN_PROCESS = "-process"  # behind the name of a model that answers in one
ROUNDS, SECONDS = 3, 3.0
CEILING = "Starlette+ONNX, no log"


def run() -> Bench:
    """Measure, and say how ours compares."""
    bench = Bench(
        "serving",
        targets=[
            Target(_work("lr", 16), "MLServer", 12),
            Target(_work("rf", 16), "MLServer", 50),
            Target(_work("lr", 1), "MLServer", 3.5),
            Target(_work(f"lr{IN_PROCESS}", 16), "MLServer", 1),
            Target(_work(f"rf{IN_PROCESS}", 16), "MLServer", 1),
        ],
    )
    with TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        models = make_models(root / "models")
        (root / "body.json").write_text(json.dumps(models["lr"].request))
        ports = {
            "headrace": stack.enter_context(_replica(root, {**models, **_apart(root, models)})),
            CEILING: stack.enter_context(_ceiling(root, models)),
        }
        if python := peer(bench, "mlserver", "mlserver", "mlserver-sklearn", "scikit-learn", "setuptools<81"):
            ports["MLServer"] = stack.enter_context(_mlserver(root, python))
        _measure(bench, ports, root / "body.json", WORKS)
        del ports[CEILING]
        _measure(bench, ports, root / "body.json", [(f"{model}{IN_PROCESS}", 16) for model in MODELS])
    return bench


def _apart(root: Path, models: dict[str, Fitted]) -> dict[str, Fitted]:
    return {f"{model}{IN_PROCESS}": fitted for model, fitted in in_processes(root / "processes", models).items()}


def _measure(bench: Bench, ports: dict[str, int], body: Path, works: Sequence[tuple[str, int]]) -> None:
    for model, connections in works:
        samples: dict[str, list[dict[str, float]]] = {who: [] for who in ports}
        names = {who: model if who == "headrace" else model.removesuffix(IN_PROCESS) for who in ports}

        def ask(who: str, connections: int = connections) -> None:
            samples[who].append(_load(ports[who], names[who], body, connections, SECONDS))  # noqa: B023  of this turn

        for who in ports:
            _load(ports[who], names[who], body, connections, 0.5)
        rounds(ROUNDS, *(lambda who=who: ask(who) for who in ports))  # type: ignore[misc]
        for who, runs in samples.items():
            notes = {name: sorted(run[name] for run in runs)[len(runs) // 2] for name in ("p50_ms", "p99_ms", "errors")}
            bench.add(_work(model, connections), who, "/s", [run["requests"] / run["seconds"] for run in runs], **notes)


def _work(model: str, connections: int) -> str:
    apart = " in a process" if model.endswith(IN_PROCESS) else ""
    return f"{MODELS[model.removesuffix(IN_PROCESS)]}{apart}, {connections} connection{'s' if connections > 1 else ''}"


def _load(port: int, model: str, body: Path, connections: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, str(HERE / "load.py"), "127.0.0.1", str(port), f"/v2/models/{model}/infer", str(body)]
    done = subprocess.run([*command, str(connections), str(seconds)], capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


@contextlib.contextmanager
def _replica(root: Path, models: dict[str, Fitted]) -> Iterator[int]:
    """Our server as it runs in a stack: a broker that syncs its disk, nkeys, and the spool."""
    (port,) = free_ports(1)
    broker = asyncio.run(started(root / "nats", sync_always=True))
    asyncio.run(_route(broker, root / "cache", models))
    told = {
        "HEADRACE_NATS_URL": broker.url,
        "HEADRACE_NATS_NKEY_SEED_FILE": str(broker.seed_file("inference")),
        "HEADRACE_HTTP_PORT": str(port),
        "HEADRACE_CACHE_DIR": str(root / "cache"),
    }
    with _process([sys.executable, "-m", "headrace.inference"], root / "replica.log", told):
        for model in models:
            _wait(f"http://127.0.0.1:{port}/v2/models/{model}/ready")
        yield port
    broker.remove()


async def _route(broker: Broker, cache: Path, models: dict[str, Fitted]) -> None:
    """Say the route tables; the models lie in the replica's cache already, so no object store is needed."""
    connection = await connect(broker.settings("deployer"), name="bench")
    for model, fitted in models.items():
        place = cache / "models" / fitted.artifact.digest
        await asyncio.to_thread(shutil.copytree, fitted.folder, place)
        route = Route(
            role="champion",
            version=1,
            digest=fitted.artifact.digest,
            artifact=fitted.artifact,
            signature=fitted.signature,
            percent=100,
        )
        event = RouteChanged(model=model, revision=1, routes=[route])
        said = wrap(event, source="headrace/deployer", id=f"bench-{model}", time=datetime.now(UTC))
        headers = {"Nats-Msg-Id": said.id, "Content-Type": CONTENT_TYPE}
        await connection.publish_and_wait(said.nats_subject, encode(said), headers)
    await connection.close()


@contextlib.contextmanager
def _ceiling(root: Path, models: dict[str, Fitted]) -> Iterator[int]:
    """The least that a Python server can do: no checks, no record, no keys."""
    (port,) = free_ports(1)
    command = [sys.executable, str(HERE / "ceiling.py"), str(root / "cache" / "models"), str(port)]
    command += [f"{model}={fitted.artifact.digest}" for model, fitted in models.items()]
    with _process(command, root / "ceiling.log"):
        _wait(f"http://127.0.0.1:{port}/ready")
        yield port


@contextlib.contextmanager
def _mlserver(root: Path, python: Path) -> Iterator[int]:
    """MLServer with scikit-learn's own models, fitted in its environment."""
    ports = free_ports(3)
    folder = root / "mlserver"
    folder.mkdir()
    subprocess.run([python, HERE / "mlserver_models.py", folder, *map(str, ports)], check=True, capture_output=True)
    with _process([str(python.parent / "mlserver"), "start", str(folder)], root / "mlserver.log"):
        for model in MODELS:
            _wait(f"http://127.0.0.1:{ports[0]}/v2/models/{model}/ready", 60)
        yield ports[0]


@contextlib.contextmanager
def _process(command: list[str], log: Path, told: dict[str, str] | None = None) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(told or {})})
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def _wait(url: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
