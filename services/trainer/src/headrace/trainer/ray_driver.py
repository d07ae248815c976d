"""The only process that speaks with Ray: `python -m headrace.trainer.ray_driver <fd>`, a child of the trainer.

Ray's driver may end its process when the head goes away, and blocks while it looks for it. So it lives here: when
Ray or this process dies the trainer starts another, which finds the workers again by their names. Calls come as JSON
lines over a socket, one at a time: {"id", "call", "with"} answered by
{"id", "result"}; an error ends the process.
"""

import atexit
import json
import os
import select
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from headrace.trainer.node import join
from headrace.trainer.worker.actor import Actor

_REPORT_WITHIN = 0.25  # seconds given to all workers together to report; who is late is asked for again next time
_ADOPT_WITHIN = 30  # seconds: a worker that still starts answers after 5, and giving one up would lose its run
_END_WITHIN = 10  # seconds to end in order, a Ray of its own too, once the trainer has hung up
_RAYS_OWN = frozenset({"CPU", "GPU", "memory", "object_store_memory"})
_LOW_MEMORY = "running low on memory"  # the words of Ray's memory monitor about an actor that it has killed


@dataclass(frozen=True)
class Config:
    """What the trainer tells its Ray driver once, at the start."""

    namespace: str
    address: str | None
    join: bool
    local_cpus: int
    objects: str
    job_bytes: int
    recycle_bytes: int
    warm: int
    warm_cpus: float
    warm_up: bool
    fingerprint: str


@dataclass
class WorkerHandle:
    """A worker as the Ray driver knows it."""

    name: str
    actor: Any
    job: str | None = None
    dedicated: bool = False
    asked: Any = None
    report: dict[str, Any] = field(default_factory=dict)


class RayDriver:
    """Workers on Ray: warm ones for small jobs, one of its own for a job that asks for more than one CPU or a GPU."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._workers: dict[str, WorkerHandle] = {}
        _connect(config)
        self._find_again()
        self.warm()

    def ping(self) -> int:
        """How many workers there are; fails where Ray is away."""
        ray.get_runtime_context().get_node_id()
        ray.util.list_named_actors()
        return len(self._workers)

    def nodes(self) -> list[dict[str, Any]]:
        """What every node that is there has, whether it is free or not: {"cpus", "gpus", "custom"}."""
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return [{"cpus": node.get("CPU", 0.0), "gpus": node.get("GPU", 0.0), "custom": _named(node)} for node in alive]

    def jobs(self) -> dict[str, dict[str, Any]]:
        """A report for every job that a worker has: {"job", "steps", "outcome"} or {"job", "lost", "memory"}."""
        busy = [worker for worker in self._workers.values() if worker.job is not None and "lost" not in worker.report]
        for worker in busy:
            worker.asked = worker.asked or worker.actor.report.remote()
        if busy:
            ready, _ = ray.wait([worker.asked for worker in busy], num_returns=len(busy), timeout=_REPORT_WITHIN)
            for worker in (worker for worker in busy if worker.asked in ready):
                self._hear(worker)
        return {worker.job: {"job": worker.job, **worker.report} for worker in self._workers.values() if worker.job}

    def begin(self, job: str, spec: str, cpus: float, gpus: float, custom: dict[str, float]) -> None:
        """Give a job to a worker. A job that some worker has already is left alone."""
        if any(worker.job == job for worker in self._workers.values()):
            return
        own = cpus > 1 or gpus > 0 or custom
        worker = self._own(job, cpus, gpus, custom) if own else self._idle() or self._new_warm()
        worker.job, worker.report, worker.asked = job, {}, None
        worker.actor.begin.remote(job, spec)

    def ask(self, job: str, checkpoint: bool) -> None:
        """Ask what runs for a job to make a checkpoint soon, or no longer; a worker of older code cannot be asked."""
        worker = next((each for each in self._workers.values() if each.job == job), None)
        if worker is not None and hasattr(worker.actor, "ask"):
            worker.actor.ask.remote(job, checkpoint)

    def release(self, job: str) -> None:
        """Let a job go: a finished one is forgotten, one that still runs is killed with its worker."""
        worker = next((s for s in self._workers.values() if s.job == job), None)
        if worker is None:
            return
        if worker.dedicated or not worker.report.get("outcome") or self._fat(worker):
            self._drop(worker)
        worker.job, worker.report, worker.asked = None, {}, None
        self.warm()

    def warm(self) -> None:
        """Have enough idle workers for the next small jobs to start at once."""
        idle = sum(1 for worker in self._workers.values() if worker.job is None)
        for _ in range(self._config.warm - idle):
            self._new_warm()

    def stop(self) -> None:
        """Kill every worker: for tests and for taking a stack down."""
        for worker in list(self._workers.values()):
            self._drop(worker)

    def _hear(self, worker: WorkerHandle) -> None:
        asked, worker.asked = worker.asked, None
        try:
            said = ray.get(asked)
        except RayActorError as error:
            words = str(error)
            worker.report = {"lost": _first_line(words), "memory": _LOW_MEMORY in words}
            return
        found = json.loads(said) if said else {}
        worker.report = (
            found if found.get("job") == worker.job else {"lost": "the worker has no such job", "memory": False}
        )

    def _idle(self) -> WorkerHandle | None:
        """A worker that is free and alive; one that died while idle is forgotten."""
        for worker in [worker for worker in self._workers.values() if worker.job is None]:
            if self._lives(worker):
                return worker
            self._drop(worker)
        return None

    def _lives(self, worker: WorkerHandle) -> bool:
        try:
            ray.get(worker.actor.report.remote(), timeout=_REPORT_WITHIN)
        except GetTimeoutError:
            return True  # it still starts
        except RayActorError:
            return False
        return True

    def _new_warm(self) -> WorkerHandle:
        name = f"worker-{self._config.fingerprint}-{uuid4().hex[:8]}"
        return self._create(name, threads=1, warm=self._config.warm_up, num_cpus=self._config.warm_cpus)

    def _own(self, job: str, cpus: float, gpus: float, custom: dict[str, float]) -> WorkerHandle:
        asked = {"num_cpus": cpus, "num_gpus": gpus, "resources": custom}
        worker = self._create(f"run-{job}", threads=max(1, int(cpus)), warm=False, **asked)
        worker.dedicated = True
        return worker

    def _create(self, name: str, threads: int, warm: bool, **resources: Any) -> WorkerHandle:
        options = {"name": name, "lifetime": "detached", "max_restarts": 0, "get_if_exists": True}
        actor = (
            ray.remote(Actor)
            .options(**options, **resources)
            .remote(self._config.objects, self._config.job_bytes, threads, warm)
        )
        self._workers[name] = WorkerHandle(name, actor)
        return self._workers[name]

    def _drop(self, worker: WorkerHandle) -> None:
        self._workers.pop(worker.name, None)
        try:
            ray.kill(worker.actor, no_restart=True)
        except RayError:
            return  # it is dead already, which is what was wanted

    def _fat(self, worker: WorkerHandle) -> bool:
        try:
            return bool(ray.get(worker.actor.forget.remote(), timeout=2) > self._config.recycle_bytes)
        except RayError:
            return True

    def _find_again(self) -> None:
        for name in ray.util.list_named_actors():
            if name.startswith(("worker-", "run-")):
                self._adopt(name)

    def _adopt(self, name: str) -> None:
        """Take over a worker of an earlier Ray driver; one of other code or settings only until its job is done."""
        try:
            worker = WorkerHandle(name, ray.get_actor(name), dedicated=name.startswith("run-"))
            said = ray.get(worker.actor.report.remote(), timeout=_ADOPT_WITHIN)
        except GetTimeoutError:
            self._drop(worker)  # left alone it would work for ever, with nobody to hear it
            return
        except (RayError, ValueError):
            return
        worker.job = json.loads(said)["job"] if said else None
        foreign = not worker.dedicated and not name.startswith(f"worker-{self._config.fingerprint}-")
        worker.dedicated = worker.dedicated or foreign
        self._workers[name] = worker
        if worker.dedicated and worker.job is None:
            self._drop(worker)


def serve(gateway: RayDriver, connection: socket.socket, lines: Iterable[bytes]) -> None:
    """Answer calls until the trainer hangs up. An error of Ray itself ends the process: the next one connects anew."""
    calls: Mapping[str, Callable[..., Any]] = {
        name: getattr(gateway, name) for name in ("ping", "nodes", "jobs", "begin", "ask", "release", "warm", "stop")
    }
    for line in lines:
        asked = json.loads(line)
        _answer(connection, asked["id"], calls[asked["call"]](**asked["with"]))


def _answer(connection: socket.socket, number: int, result: Any) -> None:
    connection.sendall(json.dumps({"id": number, "result": result}).encode() + b"\n")


def _connect(config: Config) -> None:
    common: dict[str, Any] = {"namespace": config.namespace, "log_to_driver": False, "logging_level": "ERROR"}
    if config.address:
        here: dict[str, Any] = {"_node_ip_address": join(config.address)} if config.join else {}
        ray.init(address=config.address, **here, **common)
    else:
        own: dict[str, Any] = {
            "num_cpus": config.local_cpus,
            "include_dashboard": False,
            "object_store_memory": 100 << 20,
        }
        ray.init(_temp_dir=str(_private_folder() / "ray"), **own, **common)


def _private_folder() -> Path:
    """Where a Ray of our own keeps sockets and logs: Ray opens its folder to everybody, the one above it is closed."""
    folder = tempfile.mkdtemp(prefix="headrace-ray-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _end_with_trainer(connection: int, connected: threading.Event) -> None:
    """End when the trainer is gone, also in the midst of a call of Ray's: it may look for its head for ever."""
    hung_up = select.poll()
    hung_up.register(connection, 0)  # of all that can happen on it, a hang-up alone
    hung_up.poll()
    if connected.is_set():
        time.sleep(_END_WITHIN)
    os._exit(1)


def _named(resources: Mapping[str, float]) -> dict[str, float]:
    """What somebody gave a name on a node: not what Ray knows itself, nor the names that it makes of addresses."""
    return {name: amount for name, amount in resources.items() if name not in _RAYS_OWN and ":" not in name}


def _first_line(words: str) -> str:
    return next((line.strip() for line in words.splitlines() if line.strip()), "the worker is gone")


def main() -> None:
    """Serve the socket whose file descriptor is the first argument; its first line is the configuration."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    lines = connection.makefile("rb")
    connected = threading.Event()
    threading.Thread(target=_end_with_trainer, args=(connection.fileno(), connected), daemon=True).start()
    gateway = RayDriver(Config(**json.loads(lines.readline())))
    connected.set()
    _answer(connection, 0, "ready")
    serve(gateway, connection, lines)


if __name__ == "__main__":
    main()
