"""Foreign clients against a replica: whatever they send by default is answered, with what the model says.

Each runs in an environment of its own, with the packages of its requirements.txt; `make clients` makes them.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column, Route, RouteChanged, wrap
from headrace.frameworks import FRAMEWORKS, About, Recipe
from headrace.inference.server import Replica, http_server
from headrace.inference.settings import InferenceSettings
from headrace.runtimes import load, read_description
from headrace.runtimes.pmml import save as save_pmml
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
MIXED = [
    Column(name="distance", type="number", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="month", type="integer", nullable=False),
    Column(name="late", type="boolean", nullable=False),
    Column(name="carrier", type="string", nullable=True),
]
NUMBERS = [Column(name=f"x{at}", type="number", nullable=False) for at in range(4)]
ROWS = {
    "distance": [1.5, 2.5],
    "wind": [0.5, None],
    "month": [3, 4],
    "late": [True, False],
    "carrier": ["UA", "AA"],
}


def make_model(folder: Path, features: Sequence[Column]) -> Path:
    """Fit a small classifier on made-up rows."""
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "number": rng.normal(size=200),
        "integer": rng.integers(1, 13, 200),
        "boolean": rng.integers(0, 2, 200).astype(bool),
        "string": rng.choice(["UA", "AA", "B6"], 200),
    }
    frame = pd.DataFrame({column.name: rng.permutation(values[column.type]) for column in features})
    frame["y"] = (frame[features[0].name] > 0).astype(int)
    recipe = Recipe("sklearn.linear_model.LogisticRegression", {}, 0, list(features), "y", "binary")
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda _step, _of: None)
    folder.mkdir(parents=True)
    FRAMEWORKS["sklearn"].save(fitted, folder, About("run", datetime(2026, 1, 5, tzinfo=UTC)))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model with a column of each type, and one of four numbers."""
    base = tmp_path_factory.mktemp("models")
    return {"mixed": make_model(base / "mixed", MIXED), "numbers": make_model(base / "numbers", NUMBERS)}


@pytest.fixture
async def host(folders: dict[str, Path], s3: S3, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a replica that serves both."""
    async with serving(folders, s3, tmp_path) as address:
        yield address


@pytest.fixture
async def host_of_one(folders: dict[str, Path], s3: S3, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a replica that serves one model: MLflow's scoring client cannot say which it means."""
    async with serving({"mixed": folders["mixed"]}, s3, tmp_path) as address:
        yield address


@asynccontextmanager
async def serving(folders: dict[str, Path], s3: S3, tmp_path: Path) -> AsyncIterator[str]:
    """A replica of some models."""
    replica = Replica(InferenceSettings(replica="r1", cache_dir=tmp_path / "cache", http_port=0), s3.store)
    for name, folder in folders.items():
        artifact = await s3.store.put_directory("models", folder, prefix=f"{name}/run/1")
        signature = load(folder).signature
        route = Route(
            role="champion", version=1, digest=artifact.digest, artifact=artifact, signature=signature, percent=100
        )
        changed = RouteChanged(model=name, revision=1, routes=[route])
        replica.repository.apply(wrap(changed, source="headrace/deployer", id=name, time=datetime.now(UTC)))
    replica.informed = True
    await eventually(lambda: replica.repository.settled and replica.repository.answering)
    server = http_server(replica)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield "127.0.0.1:{1}".format(*server.servers[0].sockets[0].getsockname())
    server.leave()
    await running
    await replica.close()


async def told_by(client: str, *arguments: str | Path, path: str = "") -> Any:
    """What a client's program prints, run in its own environment; skipped where that was not made.

    `path` has what it may import beside that.
    """
    python = ROOT / ".headrace" / "clients" / client / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no environment for {client}: `make clients` makes it")
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(
        python,
        HERE / client / "program.py",
        *arguments,
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, "PYTHONPATH": path},
    )
    out, err = await program.communicate()
    assert program.returncode == 0, err.decode()[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.fixture
def expected(folders: dict[str, Path]) -> Any:
    """What the models themselves say."""
    mixed = load(folders["mixed"]).answer(ROWS)["probability"].tolist()
    numbers = load(folders["numbers"]).answer({f"x{at}": [at + 1.0] for at in range(4)})["probability"].tolist()
    return {"mixed": pytest.approx(mixed), "numbers": pytest.approx(numbers)}


async def test_tritonclient_is_answered(host: str, expected: Any) -> None:
    """Binary tensors, JSON with NaN, compressed bodies, versions, ids, outputs; metadata, health and index."""
    told = await told_by("tritonclient", host)

    assert len(told["probabilities"]) == 9
    assert told["probabilities"] == dict.fromkeys(told["probabilities"], expected["mixed"])
    assert told["asynchronous"] == expected["mixed"]
    assert told["matrix"] == expected["numbers"]
    assert (told["live"], told["ready"], told["model ready"], told["server"]) == (True, True, True, "headrace")
    assert told["inputs"] == [column.name for column in MIXED]
    assert told["index"] == ["mixed", "numbers"]


async def test_kserves_client_is_answered(host: str, expected: Any) -> None:
    """Binary tensors and JSON, as InferRequest and as a plain dictionary."""
    told = await told_by("kserve", host)

    assert len(told["probabilities"]) == 6
    assert told["probabilities"] == dict.fromkeys(told["probabilities"], expected["mixed"])
    assert (told["live"], told["ready"], told["model ready"]) == (True, True, True)


async def test_mlservers_codecs_are_answered(host: str, expected: Any) -> None:
    """Data frames, arrays and strings as MLServer encodes them; it reads our answers back."""
    told = await told_by("mlserver", host)
    numbers = told["probabilities"].pop("numpy")

    assert numbers == expected["numbers"]
    assert len(told["probabilities"]) == 4
    assert told["probabilities"] == dict.fromkeys(told["probabilities"], expected["mixed"])
    assert told["decoded"] == told["raw"] == expected["mixed"]


async def test_mlflows_clients_are_answered(host_of_one: str, expected: Any) -> None:
    """Its scoring client, which means the only model there is, and its deployments client by the endpoint's name."""
    told = await told_by("mlflow", host_of_one)

    assert len(told["probabilities"]) == 8
    assert told["probabilities"] == dict.fromkeys(told["probabilities"], expected["mixed"])
    assert told["version"]


CARD = """<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><DataDictionary>
<DataField name="age" optype="continuous" dataType="double"/>
<DataField name="town" optype="categorical" dataType="string"/></DataDictionary>
<Scorecard functionName="regression" initialScore="10" useReasonCodes="false"><MiningSchema><MiningField name="age"/>
<MiningField name="town"/></MiningSchema>
<LocalTransformations><DerivedField name="loud" optype="categorical" dataType="string"><Apply function="uppercase">
<FieldRef field="town"/></Apply></DerivedField></LocalTransformations>
<Characteristics><Characteristic name="age"><Attribute partialScore="5"><SimplePredicate field="age"
operator="lessThan" value="30"/></Attribute><Attribute partialScore="1"><True/></Attribute></Characteristic>
<Characteristic name="town"><Attribute partialScore="2"><SimplePredicate field="loud" operator="equal" value="OSLO"/>
</Attribute><Attribute partialScore="0"><True/></Attribute></Characteristic></Characteristics></Scorecard></PMML>"""
"""A document that no graph answers: a function of texts."""


async def test_mlflow_loads_our_model_directories(folders: dict[str, Path], tmp_path: Path) -> None:
    """By `mlflow.pyfunc` whatever runtime answers, by `mlflow.onnx` the graph: both say what we say."""
    rows: dict[str, dict[str, list[Any]]] = {
        "mixed": ROWS,
        "numbers": {f"x{at}": [at + 1.0, -at, 0.5] for at in range(4)},
        "card": {"age": [29.0, 30.0, None], "town": ["oslo", "Bergen", None]},
    }
    places = {name: tmp_path / name for name in rows}
    for name, folder in folders.items():
        shutil.copytree(folder, places[name])
    places["card"].mkdir()
    save_pmml(CARD.encode(), places["card"], {"run": "run", "created": "2026-01-05T00:00:00+00:00"})
    assert read_description(places["card"]).runtime == "pmml"
    for name, asked in rows.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(asked))

    ours = os.pathsep.join(str(ROOT / "libs" / name / "src") for name in ("contracts", "code", "pmml", "runtimes"))
    told = await told_by("mlflow_models", *places.values(), path=ours)

    for name, asked in rows.items():
        model = load(places[name])
        own = {output: np.asarray(values).tolist() for output, values in model.answer(asked).items()}
        assert told[name]["pyfunc"]["inputs"] == list(asked)
        assert told[name]["pyfunc"]["answers"].keys() == own.keys()
        for output, values in own.items():
            assert told[name]["pyfunc"]["answers"][output] == pytest.approx(values)
            assert name == "card" or told[name]["onnx"][output] == pytest.approx(values)
    assert "onnx" not in told["card"]
