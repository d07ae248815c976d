"""A made-up runtime, added from this file alone: registered, evaluated, approved, rolled out, served."""

import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
import pandas as pd
import pytest

from headrace.contracts import (
    Artifact,
    Column,
    DatasetIngested,
    DatasetRef,
    EvaluationCompleted,
    EvaluationMetrics,
    EvaluationRequested,
    Holdout,
    Part,
    Signature,
    Tensor,
    TrainingCompleted,
)
from headrace.runtimes import RUNTIMES, BadModel, BadValue, Columns, Description, load, write_directory
from headrace.testkit import a
from headrace.testkit.cluster import Cluster
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.jobs import Data, Evaluated, EvaluateJob, Rival

T = TypeVar("T")
WITHIN_S = 60.0
FILE = "formula.json"
SIGNATURE = Signature(
    task="binary",
    inputs=[Tensor(name=name, datatype="FP64", shape=[-1], nullable=False) for name in ("wind", "distance")],
    outputs=[
        Tensor(name="label", datatype="INT64", shape=[-1], labels=[0, 1]),
        Tensor(name="probability", datatype="FP64", shape=[-1], label=1),
    ],
)


class FormulaModel:
    """probability = sigmoid(sum of weights times columns)."""

    platform = "formula"
    matrix = None
    memory_bytes = 64

    def __init__(self, weights: Mapping[str, float], signature: Signature) -> None:
        self._weights = weights
        self.signature = signature

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name."""
        for name in self._weights:
            values = np.array(columns[name], dtype=np.float64)
            if strict and (np.abs(values) > 1e100).any():
                row = int(np.argmax(np.abs(values)))
                raise BadValue(name, row, columns[name][row])
        score = sum(weight * np.array(columns[name], dtype=np.float64) for name, weight in self._weights.items())
        probability = 1 / (1 + np.exp(-np.asarray(score)))
        return {"label": (probability > 0.5).astype(np.int64), "probability": probability}

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """Never asked: inputs come apart."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is held."""


class Formula:
    """Loads weights from a JSON file."""

    name = "formula"

    def load(self, folder: Path, signature: Signature) -> FormulaModel:
        """The formula of a model directory."""
        try:
            return FormulaModel(json.loads((folder / FILE).read_text()), signature)
        except (OSError, ValueError) as error:
            raise BadModel(f"{folder.name} has no formula: {error}") from error


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the mapping."""
    monkeypatch.setitem(RUNTIMES, "formula", Formula())  # type: ignore[arg-type]


@pytest.fixture
def cluster(runtime: None, s3: S3, tmp_path: Path) -> Iterator[Cluster]:
    """The services that a version meets; nothing of them knows the runtime."""
    only = ("registry", "deployer", "inference", "audit")
    with Cluster(tmp_path / "cluster", s3, only=only) as running:
        yield running


def save(folder: Path) -> Path:
    """A model directory of the made-up runtime."""
    folder.mkdir(parents=True)
    (folder / FILE).write_text(json.dumps({"wind": 2.0, "distance": -1.0}))
    about = {"run": "run-1", "created": "2026-01-05T12:00:00+00:00"}
    write_directory(folder, Description("formula", SIGNATURE), about=about, flavors={}, packages=[], example={})
    return folder


def rows(count: int = 400) -> pd.DataFrame:
    """Flights that are late where the wind is strong for their distance."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"wind": rng.normal(size=count), "distance": rng.normal(size=count)})
    late = 2 * frame["wind"] - frame["distance"] + rng.normal(0, 0.5, count) > 0
    return frame.assign(late=late.astype(int))


def dataset(s3: S3, frame: pd.DataFrame) -> DatasetIngested:
    """The rows as ingest would have put them."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    ref = s3.sync.put("datasets", buffer.getvalue())
    part = Part(object=ref, rows=len(frame), source=ref, profile=ref, ingested_at=datetime.now(UTC))
    kinds = {"wind": "number", "distance": "number", "late": "integer"}
    columns = [Column(name=name, type=kind, nullable=False) for name, kind in kinds.items()]  # type: ignore[arg-type]
    return a_version(s3.sync, [part], dataset="flights", version=1, columns=columns)


def asked_of(cluster: Cluster) -> EvaluationRequested | None:
    """What the registry asks of the trainer, by the record of everything."""
    reader = {"authorization": f"Bearer {cluster.keys['auditor']}"}
    found = httpx.get(
        f"{cluster.urls['audit']}/events", params={"type": EvaluationRequested.TYPE, "key": "flights"}, headers=reader
    )
    return next((EvaluationRequested.model_validate_json(json.dumps(e["data"])) for e in found.json()["items"]), None)


def judged(asked: EvaluationRequested, data: DatasetIngested, s3: S3) -> Evaluated:
    """What the trainer's own evaluation finds."""
    job = EvaluateJob(
        evaluation=asked.evaluation,
        candidate=Rival(version=asked.candidate.version, artifact=asked.candidate.artifact),
        champion=None,
        data=Data(dataset="flights", digest=data.digest, manifest=data.manifest, parts=data.parts),
        columns=[column.name for column in data.columns],
        holdout=asked.holdout,
        target=asked.target,
        metrics=asked.metrics,
        confidence=asked.confidence,
        resamples=asked.resamples,
        seed=asked.seed,
    )
    return evaluate(job, s3.sync, lambda step: None)


def until(fact: Callable[[], T | None]) -> T:
    """Wait for a fact; answers it."""
    end = time.monotonic() + WITHIN_S
    while not (found := fact()):
        assert time.monotonic() < end, "still not so"
        time.sleep(0.05)
    return found


def completed(artifact: Artifact, data: DatasetIngested) -> TrainingCompleted:
    """A run that ended with an artifact of the made-up runtime."""
    names = [column.name for column in data.columns]
    return a(
        TrainingCompleted,
        model="flights",
        run="run-1",
        artifact=artifact,
        signature=SIGNATURE,
        dataset=DatasetRef(name="flights", version=1, digest=data.digest),
        holdout=Holdout(by="random", fraction=0.5, rows=200, columns=names),
        target="late",
        declared_revision=1,
    )


def test_a_made_up_runtime_takes_the_path_of_every_version(cluster: Cluster, s3: S3, tmp_path: Path) -> None:
    """Evaluated on held-out rows, held to its gate, rolled out, and served with its own answers."""
    admin = {"authorization": f"Bearer {cluster.keys['admin']}"}
    gates = [{"metric": "roc_auc", "at_least": 0.9}]
    declared = {"data": {"dataset": "flights", "target": "late"}, "evaluation": {"gates": gates}}
    httpx.put(f"{cluster.urls['registry']}/models/flights", json=declared, headers=admin).raise_for_status()
    data = dataset(s3, rows())
    artifact = s3.sync.put_directory("models", save(tmp_path / "model"), prefix="flights/run-1/model")

    cluster.say(completed(artifact, data))
    asked = until(lambda: asked_of(cluster))
    found = judged(asked, data, s3)
    metrics = EvaluationMetrics(candidate=found.candidate)
    told = {"candidate": 1, "evaluation": asked.evaluation, "dataset": asked.dataset, "rows": found.rows}
    cluster.say(a(EvaluationCompleted, model="flights", metrics=metrics, comparisons=[], **told))
    served = f"{cluster.urls['inference']}/v2/models/flights"
    until(lambda: httpx.get(f"{served}/ready", headers=admin).status_code == 200)

    asked_rows = [
        {"name": name, "datatype": "FP64", "shape": [2], "data": values}
        for name, values in {"wind": [1.0, -1.0], "distance": [0.0, 0.0]}.items()
    ]
    answer = httpx.post(f"{served}/infer", json={"inputs": asked_rows}, headers=admin).json()
    metadata = httpx.get(served, headers=admin).json()
    assert 100 < found.rows < 300
    assert found.candidate["roc_auc"] > 0.9
    assert [output["data"] for output in answer["outputs"]] == [[1, 0], pytest.approx([0.8808, 0.1192], abs=1e-4)]
    assert metadata["platform"] == "formula"


def test_without_its_line_in_the_mapping_nothing_answers(tmp_path: Path) -> None:
    """A directory that names it is refused, and the names that there are are said."""
    with pytest.raises(BadModel, match="runtime 'formula' is not known"):
        load(save(tmp_path / "model"))
