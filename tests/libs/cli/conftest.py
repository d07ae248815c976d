"""A command line against every service, and a served model to ask."""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import numpy as np
import pandas as pd
import pytest

from headrace.cli.app import run
from headrace.contracts import (
    Artifact,
    Column,
    EvaluationCompleted,
    EvaluationMetrics,
    Signature,
    TrainingCompleted,
)
from headrace.frameworks import FRAMEWORKS, About, Recipe
from headrace.testkit import a
from headrace.testkit.cluster import Cluster

T = TypeVar("T")
PARCELS = "parcels"
FEATURES = [
    Column(name="code", type="string", nullable=True),
    Column(name="weight", type="number", nullable=True),
    Column(name="month", type="integer", nullable=False),
]
CONTEXT = [Column(name="depot", type="string", nullable=True)]
WITHIN_S = 60.0


@dataclass(frozen=True)
class Ran:
    """What a command ended with, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The lines of a piped table, its head first."""
        return [line.split("\t") for line in self.out.splitlines()]


CommandLine = Callable[..., Ran]


@pytest.fixture
def at(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line of somebody with a role, against every service; `stdin` are the bytes of standard input."""

    def ask(*arguments: str, role: str = "admin", stdin: bytes | None = None) -> Ran:
        monkeypatch.setenv("HEADRACE_URL", "http://127.0.0.1")
        monkeypatch.setenv("HEADRACE_KEY", cluster.keys[role])
        for service, url in cluster.urls.items():
            monkeypatch.setenv(f"HEADRACE_{service.upper()}_URL", url)
        if stdin is not None:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = run(list(arguments))
        return Ran(code, *capsys.readouterr())

    return ask


@pytest.fixture(scope="session")
def parcels(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A served model `parcels`: a code that is text, numbers, and a context column; its labels are text, too."""
    declare(cluster, PARCELS, serving={"strategy": "direct", "bake": "PT1S"})
    version(cluster, PARCELS, 1, tmp_path_factory.mktemp("parcels") / "files")
    admin = {"authorization": f"Bearer {cluster.keys['admin']}"}
    ready = f"{cluster.urls['inference']}/v2/models/{PARCELS}/ready"
    until(lambda: httpx.get(ready, headers=admin).status_code == 200)
    rollouts = f"{cluster.urls['deployer']}/rollouts?model={PARCELS}"
    until(lambda: httpx.get(rollouts, headers=admin).json()["items"][0]["state"] == "completed")
    return cluster


def declare(cluster: Cluster, model: str, role: str = "admin", **parts: Any) -> None:
    """Declare a model without gates, and wait until everybody knows it."""
    headers = {"authorization": f"Bearer {cluster.keys[role]}"}
    declared = {"data": {"dataset": model, "target": "lost"}, "evaluation": {"gates": []}, **parts}
    httpx.put(f"{cluster.urls['registry']}/models/{model}", json=declared, headers=headers).raise_for_status()
    status = f"{cluster.urls['monitor']}/models/{model}/status"
    until(lambda: httpx.get(status, headers=headers).status_code == 200)


def version(cluster: Cluster, model: str, number: int, folder: Path) -> None:
    """Have a version trained and evaluated, as the trainer would say it, until the registry has judged it."""
    signature, artifact = _fitted(folder, cluster, f"{model}/{number}", seed=number)
    trained = {"run": str(uuid4()), "signature": signature, "artifact": artifact, "requested_by": "key:somebody"}
    cluster.say(a(TrainingCompleted, model=model, metrics={"roc_auc": 0.7}, params={"C": 0.5}, **trained))
    asked = until(lambda: _evaluation(cluster, model, number))
    met = {"champion": asked["champion"]["version"]} if asked.get("champion") else {}
    metrics = EvaluationMetrics(candidate={"roc_auc": 0.75}, champion={"roc_auc": 0.7} if met else None)
    judged = {"candidate": number, "evaluation": asked["evaluation"], "metrics": metrics, "comparisons": [], **met}
    cluster.say(a(EvaluationCompleted, model=model, dataset=asked["dataset"], rows=100, **judged))
    url, admin = (
        f"{cluster.urls['registry']}/models/{model}/versions/{number}",
        {"authorization": f"Bearer {cluster.keys['admin']}"},
    )
    until(lambda: httpx.get(url, headers=admin).json()["state"] not in ("registered", "evaluating"))


def _evaluation(cluster: Cluster, model: str, number: int) -> dict[str, Any] | None:
    wanted = {"type": "headrace.evaluation.requested.v1", "key": model}
    reader = {"authorization": f"Bearer {cluster.keys['auditor']}"}
    found = httpx.get(f"{cluster.urls['audit']}/events", params=wanted, headers=reader).json()["items"]
    return next((each["data"] for each in found if each["data"]["candidate"]["version"] == number), None)


def _fitted(folder: Path, cluster: Cluster, prefix: str, seed: int) -> tuple[Signature, Artifact]:
    """A small classifier in the object store: what its code is decides."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(["NA", "007", "7", "b"], 400)
    frame = pd.DataFrame({
        "code": codes, "weight": rng.normal(size=400), "month": rng.integers(1, 13, 400),
        "lost": np.where(np.isin(codes, ["NA", "007"]), "yes", "no"),
    })  # fmt: skip
    recipe = Recipe("sklearn.linear_model.LogisticRegression", {}, 0, FEATURES, "lost", "binary", context=CONTEXT)
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda _step, _of: None)
    folder.mkdir(parents=True)
    saved = FRAMEWORKS["sklearn"].save(fitted, folder, About("run-1", datetime(2026, 1, 5, tzinfo=UTC)))
    return saved.signature, cluster.s3.sync.put_directory("models", folder, prefix=prefix)


def until(fact: Callable[[], T]) -> T:
    """Wait for a fact; answers it."""
    end = time.monotonic() + WITHIN_S
    while not (found := fact()):
        assert time.monotonic() < end, "still not so"
        time.sleep(0.05)
    return found
