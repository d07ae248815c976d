"""An event gets a new version: readers and writers of two releases side by side, upgraded in both orders under load.

The next release is made of this one by the generator itself: a copy of the schemas with a made-up second version of
`evaluation.requested`, the line of topology, and the function that upcasts the first. Old and new run as processes.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace.contracts.generate.lock import check_released
from headrace.contracts.generate.sources import Sources, find_sources
from headrace.contracts.generate.versions import version_problems
from headrace.testkit.broker import Broker
from headrace.testkit.ports import free_ports
from headrace.testkit.preloaded import Child, Preloaded
from headrace.testkit.waiting import eventually

pytestmark = pytest.mark.resilience

HERE = Path(__file__).with_name("upgrade")
KIND = "headrace.evaluation.requested"
PACKAGE = "libs/contracts/src/headrace/contracts"
EARLY, LATE = ("a", "b"), ("c", "d")  # models; writers of the later ones are upgraded first
UPCASTER = '''

def evaluation_requested_v1(old: EvaluationRequestedV1) -> EvaluationRequested:
    """The confidence became a percentage."""
    known = old.model_dump(exclude={"confidence"}, exclude_none=True)
    return EvaluationRequested.model_validate({**known, "confidence_percent": round(100 * old.confidence)})


UPCASTERS = {"headrace.evaluation.requested.v1": evaluation_requested_v1}
'''


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator of the release that lies under `root`."""
    command = [sys.executable, "-m", "headrace.contracts.generate", *arguments]
    environment = os.environ | {"PYTHONPATH": str(root / "libs/contracts/src")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next release, whose `evaluation.requested` has two versions."""
    root, ours = tmp_path_factory.mktemp("release"), find_sources()
    shutil.copytree(ours.schemas, root / "schemas")
    shutil.copytree(ours.package, root / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    first = json.loads((root / "schemas/events/evaluation/requested.v1.json").read_text())
    second = {**first, "x-type": f"{KIND}.v2", "$id": first["$id"].replace(".v1.", ".v2.")}
    second["properties"] = {name: each for name, each in first["properties"].items() if name != "confidence"}
    second["properties"]["confidence_percent"] = {"type": "integer", "description": "Confidence of the interval, %."}
    second["required"] = [*(name for name in first["required"] if name != "confidence"), "confidence_percent"]
    (root / "schemas/events/evaluation/requested.v2.json").write_text(json.dumps(second, indent=2))
    topology = root / "schemas/topology.yaml"
    topology.write_text(topology.read_text().replace("evaluation.requested.v1:", "evaluation.requested.v2:"))
    return root


@pytest.fixture(scope="module")
def upgraded_release(release: Path) -> Mapping[str, str]:
    """The environment of programs of the next release, whose upcaster is written as schemas/README.md says."""
    made = generate(release)
    assert made.returncode == 0, made.stderr
    assert "upcasters.py has no function that makes headrace.evaluation.requested.v2" in made.stderr

    upcasters = release / PACKAGE / "upcasters.py"
    imported = "from headrace.contracts.generated.models import EvaluationRequested, EvaluationRequestedV1\n"
    text = upcasters.read_text().replace("from headrace.contracts.base", f"{imported}from headrace.contracts.base")
    upcasters.write_text(text + UPCASTER)

    checked = generate(release, "--check")
    assert checked.returncode == 0, checked.stderr
    return {"PYTHONPATH": str(release / "libs/contracts/src")}


def test_both_versions_lie_side_by_side_in_all_that_is_generated(release: Path, upgraded_release: object) -> None:
    """Classes, catalogue, AsyncAPI and table have both; who says and hears it is said once."""
    models = (release / PACKAGE / "generated/models.py").read_text()
    asyncapi = (release / "schemas/asyncapi.yaml").read_text()
    table = (release / "schemas/README.md").read_text()

    assert f'    "{KIND}.v1": EvaluationRequestedV1,\n    "{KIND}.v2": EvaluationRequested,\n' in models
    assert "name: headrace.evaluation.requested.v1" in asyncapi
    assert "name: headrace.evaluation.requested.v2" in asyncapi
    assert asyncapi.count("address: headrace.evaluation.requested.{key}") == 1
    assert "(events/evaluation/requested.v2.json) ([v1](events/evaluation/requested.v1.json))" in table


SECOND, TOPOLOGY = "schemas/events/evaluation/requested.v2.json", "schemas/topology.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("schemas/events/evaluation/requested.v1.json", None, "", "the schema is gone"),
        (TOPOLOGY, "requested.v2:", "requested.v1:", "topology.yaml lists it, but it is no newest version"),
        (SECOND, '"x-key": "model"', '"x-key": "target"', "the subject's key stays"),
        (
            "schemas/events/training/queued.v1.json",
            '"reason"',
            '"why"',
            "training/queued.v1.json: properties.reason is gone",
        ),
    ],
    ids=["removed", "topology", "key", "changed"],
)
def test_what_no_reader_would_bear_is_refused(
    release: Path, upgraded_release: object, tmp_path: Path, file: str, old: str | None, new: str, says: str
) -> None:
    """An older version stays, writers say the newest alone, and its subjects stay."""
    root = tmp_path / "changed"
    shutil.copytree(release / "schemas", root / "schemas")
    path = root / file
    if old is None:
        path.unlink()
    else:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    problems = [*check_released(Sources(root)), *version_problems(Sources(root))]

    assert any(says in each for each in problems), problems


class Release:
    """The programs of one release, loaded when they are needed for the first time."""

    def __init__(self, environment: Mapping[str, str], loaded: ExitStack) -> None:
        self._environment, self._loaded = environment, loaded
        self._programs: dict[str, Preloaded] = {}

    async def start(self, program: str, *arguments: str, out: Path, **environment: str) -> Child:
        """A process of a program."""
        if program not in self._programs:
            made = Preloaded(HERE / program, self._environment)
            self._programs[program] = self._loaded.enter_context(made)
        told = environment | self._environment
        return await self._programs[program].start(*arguments, out=out, **told)


@pytest.fixture(scope="module")
def old() -> Iterator[Release]:
    """The release of today."""
    with ExitStack() as loaded:
        yield Release({}, loaded)


@pytest.fixture(scope="module")
def upgraded(upgraded_release: Mapping[str, str]) -> Iterator[Release]:
    """The next one."""
    with ExitStack() as loaded:
        yield Release(upgraded_release, loaded)


class Reader:
    """A trainer of one release or the other, as a process, on one database."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.database, self._log = folder / "trainer.db", folder / "log"
        self._environment = {
            "HEADRACE_NATS_URL": broker.url,
            "HEADRACE_NATS_NKEY_SEED_FILE": str(broker.seed_file("trainer")),
            "HEADRACE_DATABASE_URL": f"sqlite+aiosqlite:///{self.database}",
            "HEADRACE_HTTP_PORT": str(self.port),
        }
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}")
        self.process: Child | None = None

    async def start(self, release: Release) -> None:
        """Start it, and wait until it takes messages in."""
        self.process = await release.start("reader.py", out=self._log, **self._environment)
        await eventually(self.ready, timeout=60)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, politely or not."""
        if self.process is not None:
            self.process.send_signal(number)
            await self.process.wait(30)

    async def ready(self) -> Any:
        """What it says of itself; None while it does not listen."""
        try:
            answer = await self.http.get("/ready")
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    async def well(self) -> bool:
        """Whether it is ready and has nothing to tell."""
        found = await self.ready()
        return found is not None and found["status"] == "ready"

    async def waits(self) -> Any:
        """What it says that it must be upgraded for."""
        found = await self.ready()
        return found and found["degraded"].get(f"upgrade:{KIND}.v2")

    def notes(self) -> list[str]:
        """What was handled, in that order."""
        return self._column("SELECT id FROM note ORDER BY number")

    def dead_letter(self) -> list[str]:
        """What could not be."""
        return self._column("SELECT reason FROM dead_letter")

    def deferred(self) -> list[str]:
        """What waits."""
        return self._column("SELECT subject FROM deferred")

    def _column(self, query: str) -> list[str]:
        connection = sqlite3.connect(self.database)
        try:
            return [row[0] for row in connection.execute(query)]
        finally:
            connection.close()


class Writer:
    """Says evaluations and trainings of some models without a pause."""

    def __init__(self, broker: Broker, models: tuple[str, ...], out: Path) -> None:
        self._broker, self.models, self.next = broker, models, 0
        self._out = out
        self.process: Child | None = None

    async def start(self, release: Release) -> None:
        """Go on where the one before has ended, in this release."""
        keys = self._broker.seed_file("registry").parent
        arguments = (self._broker.url, str(keys), ",".join(self.models), str(self.next))
        self._out.write_text("")
        self.process = await release.start("writer.py", *arguments, out=self._out)
        await eventually(lambda: self._out.read_text() == "started\n", timeout=60)

    async def end(self) -> None:
        """End it; what it has said is stored."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait(30)
            self.next = int(self._out.read_text().split()[1])

    @property
    def said(self) -> set[str]:
        """What a reader must have noted of it in the end."""
        numbers = [(model, number) for model in self.models for number in range(self.next)]
        return {f"evaluation/{m}/{n}/95" for m, n in numbers} | {f"training/{m}/{n}" for m, n in numbers}


@pytest.fixture
async def reader(nats_server: Broker, tmp_path: Path) -> AsyncIterator[Reader]:
    """A trainer that is not started yet; nothing of it is left."""
    reader = Reader(nats_server, tmp_path)
    yield reader
    await reader.end(signal.SIGKILL)
    await reader.http.aclose()


@asynccontextmanager
async def writing(broker: Broker, folder: Path) -> AsyncIterator[tuple[Writer, Writer]]:
    """Two writers that are not started yet, of different models."""
    writers = Writer(broker, EARLY, folder / "early"), Writer(broker, LATE, folder / "late")
    try:
        yield writers
    finally:
        for writer in writers:
            await writer.end()


def grows(count: Callable[[], int], by: int = 20) -> Callable[[], Awaitable[bool]]:
    """Whether there are so many more than now."""
    before = count()

    async def more() -> bool:
        return count() >= before + by

    return more


def noted(reader: Reader, what: str, *models: str) -> Callable[[], int]:
    """How many notes there are of a sort, of some models."""
    return lambda: sum(note.startswith(tuple(f"{what}/{model}/" for model in models)) for note in reader.notes())


async def all_noted(reader: Reader, *writers: Writer) -> None:
    """Every message that was said had its effect, once; there are no dead letters, and nothing waits."""
    said = set().union(*(writer.said for writer in writers))

    async def whole() -> bool:
        return len(reader.notes()) >= len(said) and not reader.deferred()

    await eventually(whole, timeout=90)
    notes = reader.notes()
    assert len(notes) == len(set(notes))
    assert set(notes) == said
    assert reader.dead_letter() == []


async def test_a_writer_is_upgraded_first(
    nats_server: Broker, reader: Reader, old: Release, upgraded: Release, tmp_path: Path
) -> None:
    """The old reader leaves what it cannot read yet, says so, and goes on with the rest; also after a restart."""
    async with writing(nats_server, tmp_path) as (early, late):
        await reader.start(old)
        await early.start(old)
        await late.start(old)
        await eventually(grows(noted(reader, "evaluation", *LATE)), timeout=60)

        await late.end()
        before = late.said
        await late.start(upgraded)

        told = await eventually(reader.waits, timeout=60)
        assert "version 1 is known here" in told
        await eventually(grows(noted(reader, "evaluation", *EARLY)), timeout=60)
        await eventually(grows(noted(reader, "training", *EARLY)), timeout=60)
        await reader.end(signal.SIGKILL)
        await reader.start(old)
        assert await eventually(reader.waits, timeout=60)
        await eventually(grows(noted(reader, "evaluation", *EARLY)), timeout=60)
        assert {note for note in reader.notes() if note.split("/")[1] in LATE} <= before
        assert reader.dead_letter() == []

        await early.end()
        await early.start(upgraded)
        await eventually(grows(lambda: len(reader.deferred())), timeout=60)
        await reader.end()
        await reader.start(upgraded)
        await eventually(grows(noted(reader, "evaluation", *EARLY, *LATE)), timeout=60)
        await early.end()
        await late.end()

        await all_noted(reader, early, late)
        await eventually(reader.well)


async def test_a_reader_is_upgraded_first(
    nats_server: Broker, reader: Reader, old: Release, upgraded: Release, tmp_path: Path
) -> None:
    """The new reader upcasts what the old writers say, and never waits for anything."""
    async with writing(nats_server, tmp_path) as (early, late):
        await reader.start(old)
        await early.start(old)
        await late.start(old)
        await eventually(grows(noted(reader, "evaluation", *EARLY)), timeout=60)

        await reader.end()
        await reader.start(upgraded)
        await eventually(grows(noted(reader, "evaluation", *EARLY, *LATE)), timeout=60)
        await late.end()
        await late.start(upgraded)
        await eventually(grows(noted(reader, "evaluation", *LATE)), timeout=60)
        await early.end()
        await early.start(upgraded)
        await eventually(grows(noted(reader, "evaluation", *EARLY)), timeout=60)
        assert reader.deferred() == []
        await early.end()
        await late.end()

        await all_noted(reader, early, late)
        await eventually(reader.well)
