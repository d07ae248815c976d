"""What every benchmark needs: samples, peers in environments of their own, the machine, a table, a JSON file."""

import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import uvloop

from headrace.testkit.broker import Broker
from headrace.testkit.ports import free_ports, listens, wait_until

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".headrace" / "bench"
LESS_IS_BETTER = {"s", "ms", "MB"}
WITH_PEERS = os.environ.get("PEERS", "1") != "0"


@dataclass
class Figure:
    """One measured thing: samples of one unit, by whom, on which work."""

    work: str
    who: str
    unit: str
    samples: list[float]
    notes: dict[str, float] = field(default_factory=dict)
    """Further figures of the same run, such as percentiles."""

    @property
    def value(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Target:
    """What ours must be: a factor of a peer's figure, or a bound of its own."""

    work: str
    peer: str
    factor: float


@dataclass
class Bench:
    """One benchmark's results."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    targets: Sequence[Target] = ()
    skipped: list[str] = field(default_factory=list)

    def add(self, work: str, who: str, unit: str, samples: list[float], **notes: float) -> None:
        """Keep a figure."""
        self.figures.append(Figure(work, who, unit, samples, notes))

    def ratio(self, target: Target) -> float | None:
        """How many times as good ours is as the peer's; None where one of them was not measured."""
        found = {f.who: f for f in self.figures if f.work == target.work}
        if not {"headrace", target.peer} <= found.keys():
            return None
        ours, theirs = found["headrace"], found[target.peer]
        return theirs.value / ours.value if ours.unit in LESS_IS_BETTER else ours.value / theirs.value

    def write(self) -> Path:
        """Keep raw samples, versions and machine."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{self.name}.json"
        document = {
            "name": self.name,
            "at": datetime.now(UTC).isoformat(),
            "machine": machine(),
            "figures": [{**asdict(figure), "median": figure.value} for figure in self.figures],
            "ratios": [{**asdict(t), "measured": self.ratio(t)} for t in self.targets],
            "skipped": self.skipped,
        }
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path

    def table(self) -> str:
        """For people."""
        lines = [f"\n{self.name}", "-" * len(self.name)]
        for figure in self.figures:
            notes = ", ".join(f"{name} {value:.3g}" for name, value in figure.notes.items())
            lines.append(f"{figure.work:<44} {figure.who:<22} {figure.value:>12,.4g} {figure.unit:<8} {notes}")
        for target in self.targets:
            if (ratio := self.ratio(target)) is not None:
                lines.append(f"{target.work:<44} {ratio:.2f} x {target.peer} (wanted: {target.factor:g})")
        return "\n".join(lines + [f"skipped: {why}" for why in self.skipped])


def machine() -> dict[str, object]:
    """Where the figures were measured, and how busy it was."""
    packages = ("nats-py", "onnxruntime", "numpy", "uvicorn", "uvloop", "scikit-learn", "polars", "starlette")
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": found,
    }


def peer(bench: Bench, name: str, *packages: str) -> Path | None:
    """The interpreter of a peer's own environment, made on first use; None where peers are off or cannot be had."""
    if not WITH_PEERS:
        bench.skipped.append(f"{name} (PEERS=0)")
        return None
    folder = FOLDER / "venvs" / name
    python = folder / "bin" / "python"
    mark = folder / ".ready"
    if mark.is_file() and mark.read_text() == " ".join(packages):
        return python
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    steps = [[uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)]]
    steps.append([uv, "pip", "install", "-q", "--python", str(python), *packages])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            bench.skipped.append(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
            return None
    mark.write_text(" ".join(packages))
    return python


@contextmanager
def process(command: list[str], log: Path, port: int, environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A server as its own process, from the moment that its port accepts; killed with its children at the end."""
    with log.open("wb") as out:
        running = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=log.parent, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        wait_until(lambda: listens(port), running, log, 120)
        yield psutil.Process(running.pid)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextmanager
def service(
    module: str, broker: Broker, folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[str, psutil.Process]]:
    """One of our services, ready, with its own key and an SQLite database; its address and its process."""
    (port,) = free_ports(1)
    name = module.removeprefix("headrace.")
    told = {
        "HEADRACE_NATS_URL": broker.url,
        "HEADRACE_NATS_NKEY_SEED_FILE": str(broker.seed_file(name)),
        "HEADRACE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/{name}.db",
        "HEADRACE_HTTP_HOST": "127.0.0.1",
        "HEADRACE_HTTP_PORT": str(port),
        **environment,
    }
    url = f"http://127.0.0.1:{port}"
    with process([sys.executable, "-m", module], folder / f"{name}.log", port, told) as running:
        while not httpx.get(f"{url}/ready", trust_env=False).is_success:
            time.sleep(0.1)
        yield url, running


def measured(bench: Bench, work: Callable[[Bench, Path], Coroutine[None, None, None]]) -> Bench:
    """A benchmark with a folder of its own, on the event loop of our services."""
    with TemporaryDirectory() as folder:
        uvloop.run(work(bench, Path(folder)))
    return bench


async def rate(count: int, work: Callable[[], Awaitable[None]]) -> float:
    """How many a second, where `work` does `count`."""
    started_at = time.perf_counter()
    await work()
    return count / (time.perf_counter() - started_at)


def rounds(times: int, *works: Callable[[], None]) -> None:
    """Run each work in turn, several times: what disturbs the machine then disturbs all of them alike."""
    for _ in range(times):
        for work in works:
            work()
