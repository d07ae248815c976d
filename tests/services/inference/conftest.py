"""Real models, real replicas and rollouts to play with."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from headrace.bus import Connection, connect
from headrace.contracts import (
    CONTENT_TYPE,
    Artifact,
    Column,
    Envelope,
    File,
    Preparation,
    Route,
    RouteChanged,
    Signature,
    encode,
    wrap,
)
from headrace.frameworks import FRAMEWORKS, About, Recipe
from headrace.inference.server import Replica, http_server, running
from headrace.inference.settings import InferenceSettings
from headrace.objects import StoreAway, digest_of
from headrace.testkit.broker import Broker
from headrace.testkit.waiting import eventually

MIXED = [
    Column(name="distance", type="number", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="month", type="integer", nullable=False),
    Column(name="late", type="boolean", nullable=False),
    Column(name="carrier", type="string", nullable=True),
]
NUMBERS = [Column(name=f"x{at}", type="number", nullable=False) for at in range(4)]
_ids = count()


@dataclass(frozen=True)
class Model:
    """A fitted model in a folder, as a route names it."""

    folder: Path
    artifact: Artifact
    signature: Signature

    def route(self, version: int = 1, role: str = "champion", percent: int = 100) -> Route:
        """Its part in a route table."""
        return Route(
            role=role,  # type: ignore[arg-type]
            version=version,
            digest=self.artifact.digest,
            artifact=self.artifact,
            signature=self.signature,
            percent=percent,
        )


def make_model(
    folder: Path,
    features: list[Column],
    *,
    seed: int = 0,
    labels: Sequence[Any] = (0, 1),
    positive: Any = None,
    preparation: Preparation | None = None,
) -> Model:
    """Fit a small classifier on made-up rows; another seed is another model."""
    rng = np.random.default_rng(seed)
    makers: dict[str, Callable[[], Any]] = {
        "number": lambda: rng.normal(size=200),
        "integer": lambda: rng.integers(1, 13, 200),
        "boolean": lambda: rng.integers(0, 2, 200).astype(bool),
        "string": lambda: rng.choice(["UA", "AA", "B6"], 200),
        "timestamp": lambda: np.datetime64("2026-01-01") + rng.integers(0, 10**7, 200).astype("timedelta64[s]"),
    }
    frame = pd.DataFrame({column.name: makers[column.type]() for column in features})
    frame["y"] = [labels[int(each > 0)] for each in frame[features[0].name] + rng.normal(size=200)]
    recipe = Recipe(
        "sklearn.linear_model.LogisticRegression", {}, seed, features, "y", "binary", positive, preparation=preparation
    )
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda _step, _of: None)
    folder.mkdir(parents=True)
    saved = FRAMEWORKS["sklearn"].save(fitted, folder, About("run", datetime(2026, 1, 5, tzinfo=UTC)))
    return Model(folder, artifact_of(folder), saved.signature)


def artifact_of(folder: Path, prefix: str = "model/run") -> Artifact:
    """What a folder is called once it lies in the object store."""
    files = [_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
    size = sum(file.size for file in files)
    return Artifact(bucket="headrace-models", prefix=prefix, digest=digest_of(files), size=size, files=files)


def _file(folder: Path, path: Path) -> File:
    data = path.read_bytes()
    name = path.relative_to(folder).as_posix()
    return File(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


class Folder:
    """An object store that holds one folder, whatever is asked for; a model's bytes are checked by the loader."""

    def __init__(self, *models: Model) -> None:
        self.models = {model.artifact.digest: model.folder for model in models}
        self.fetched = 0
        self.away = False

    async def probe(self, bucket: str) -> None:
        """Answer, unless it is away."""
        if self.away:
            raise StoreAway(f"{bucket}: away")

    async def get_directory(self, artifact: Artifact, to: Path) -> Path:
        """Copy the folder."""
        if self.away:
            raise ConnectionError("the object store is away")
        self.fetched += 1
        await asyncio.to_thread(shutil.copytree, self.models[artifact.digest], to)
        return to


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model with a column of each type."""
    return make_model(tmp_path_factory.mktemp("mixed") / "model", MIXED)


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of four numbers."""
    return make_model(tmp_path_factory.mktemp("numbers") / "model", NUMBERS)


@pytest.fixture(scope="session")
def rival(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Another model of the same four numbers."""
    return make_model(tmp_path_factory.mktemp("rival") / "model", NUMBERS, seed=1)


def changed(model: str, *routes: Route, revision: int = 1, **envelope: Any) -> Envelope:
    """A route table as the control loop says it."""
    event = RouteChanged(model=model, revision=revision, routes=list(routes))
    id_ = f"route-{model}-{revision}-{next(_ids)}"
    return wrap(event, source="headrace/deployer", id=id_, time=datetime.now(UTC), **envelope)


@dataclass
class Alone:
    """A replica without a broker, and a client of its ASGI application."""

    replica: Replica
    http: httpx.AsyncClient

    async def serve(self, model: str, *routes: Route, revision: int = 1, settle: bool = True) -> None:
        """Give it a route table and wait until that was tried."""
        self.replica.repository.apply(changed(model, *routes, revision=revision))
        self.replica.informed = True
        if settle:
            await eventually(lambda: self.replica.repository.settled)


Lonely = Callable[..., Any]


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Lonely]:
    """Awaited with models, it makes a replica that has no broker."""
    stack = AsyncExitStack()

    async def make(*models: Model, store: Folder | None = None, **settings: Any) -> Alone:
        told = InferenceSettings(replica="r1", **{"cache_dir": tmp_path / "cache", "http_port": 0, **settings})
        replica = Replica(told, store or Folder(*models))
        stack.push_async_callback(replica.close)
        transport = httpx.ASGITransport(app=replica.app)  # type: ignore[arg-type]
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://inference"))
        return Alone(replica, client)

    yield make
    await stack.aclose()


@dataclass
class Served:
    """A replica on a broker with its HTTP port open."""

    replica: Replica
    http: httpx.AsyncClient
    deployer: Connection
    port: int

    async def route(self, model: str, *routes: Route, revision: int = 1, **envelope: Any) -> Envelope:
        """Say a route table, as the control loop does."""
        said = changed(model, *routes, revision=revision, **envelope)
        headers = {"Nats-Msg-Id": said.id, "Content-Type": CONTENT_TYPE}
        await self.deployer.publish_and_wait(said.nats_subject, encode(said), headers)
        return said

    async def answers(self, model: str) -> None:
        """Wait until a model is served."""
        await eventually(lambda: self._ready(model))

    async def _ready(self, model: str) -> bool:
        return (await self.http.get(f"/v2/models/{model}/ready")).status_code == 200


@asynccontextmanager
async def open_port(replica: Replica) -> AsyncIterator[int]:
    """Let a replica listen on a port that is free."""
    server = http_server(replica)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.leave()
    await serving


@asynccontextmanager
async def served(broker: Broker, cache: Path, store: Any, **settings: Any) -> AsyncIterator[Served]:
    """A replica as it runs in a stack."""
    told = InferenceSettings(
        **{
            "nats_url": broker.url,
            "nats_nkey_seed_file": broker.seed_file("inference"),
            "cache_dir": cache,
            "replica": "r1",
            "http_port": 0,
            **settings,
        }
    )
    deployer = await connect(broker.settings("deployer"), name="test-deployer")
    async with (
        running(told, store=store) as replica,
        open_port(replica) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        await eventually(lambda: replica.informed)  # a test that looks at readiness sees what it does itself
        yield Served(replica, client, deployer, port)
    await deployer.close()


def row(**values: Any) -> dict[str, Any]:
    """A V2 request for one row of the mixed model."""
    given = {"distance": 1.5, "wind": 0.5, "month": 3, "late": True, "carrier": "UA", **values}
    types = {"distance": "FP64", "wind": "FP64", "month": "INT64", "late": "BOOL", "carrier": "BYTES"}
    return {
        "inputs": [
            {"name": name, "shape": [1], "datatype": types.get(name, "FP64"), "data": [value]}
            for name, value in given.items()
        ]
    }


def matrix(*rows: list[float]) -> dict[str, Any]:
    """A V2 request for rows of the model of four numbers."""
    flat = [value for each in rows for value in each]
    return {"inputs": [{"name": "rows", "shape": [len(rows), 4], "datatype": "FP64", "data": flat}]}
