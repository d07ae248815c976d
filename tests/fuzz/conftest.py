"""A cluster in which something has happened, so that what is made up meets more than 404."""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column, Route, RouteChanged, TrainingCompleted
from headrace.frameworks import FRAMEWORKS, About, Recipe
from headrace.testkit import a
from headrace.testkit.cluster import Cluster
from headrace.testkit.s3 import S3

MODEL = "flights"
COLUMNS = [
    Column(name="distance", type="number", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="month", type="integer", nullable=False),
    Column(name="carrier", type="string", nullable=True),
]
CSV = "distance,wind,month,carrier,late\n" + "".join(f"{at},0.{at},{at % 12 + 1},UA,{at % 2}\n" for at in range(200))
WITHIN_S = 60.0


@pytest.fixture(scope="session")
def lively(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A declared model with data, a version, a request for a run, and a replica that serves it."""
    key = {"authorization": f"Bearer {cluster.keys['admin']}"}
    with httpx.Client(headers=key, timeout=30) as http:
        declared = {"data": {"dataset": MODEL, "target": "late"}}
        http.put(f"{cluster.urls['registry']}/models/{MODEL}", json=declared).raise_for_status()
        http.post(f"{cluster.urls['ingest']}/datasets/{MODEL}/files", content=CSV, headers={"content-type": "text/csv"})
        cluster.say(a(TrainingCompleted, model=MODEL, run="run-1", metrics={"roc_auc": 0.7}))
        route = _route(tmp_path_factory.mktemp("model") / "files", cluster.s3)
        cluster.say(RouteChanged(model=MODEL, revision=1, routes=[route]))
        for service, path in (("registry", f"models/{MODEL}/versions/1"), ("inference", f"v2/models/{MODEL}/ready")):
            _until(f"{service} has it", lambda url=f"{cluster.urls[service]}/{path}": http.get(url).status_code == 200)
        _until(
            "a run is asked for",
            lambda: http.post(f"{cluster.urls['trainer']}/models/{MODEL}/runs", json={}).is_success,
        )
    return cluster


def _route(folder: Path, s3: S3) -> Route:
    """A small classifier in the object store, and its part in a route table."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"distance": rng.normal(size=60), "wind": rng.normal(size=60), "month": rng.integers(1, 13, 60)}
    )
    frame["carrier"], frame["late"] = rng.choice(["UA", "AA"], 60), rng.integers(0, 2, 60)
    recipe = Recipe("sklearn.linear_model.LogisticRegression", {}, 0, COLUMNS, "late", "binary")
    fitted = FRAMEWORKS["sklearn"].fit(frame, recipe, lambda _step, _of: None)
    folder.mkdir()
    saved = FRAMEWORKS["sklearn"].save(fitted, folder, About("run-1", datetime(2026, 1, 5, tzinfo=UTC)))
    artifact = s3.sync.put_directory("models", folder, prefix=f"{MODEL}/{hashlib.sha256(b'run-1').hexdigest()[:8]}")
    return Route(
        role="champion", version=1, digest=artifact.digest, artifact=artifact, signature=saved.signature, percent=100
    )


def _until(what: str, fact: Callable[[], Any]) -> None:
    end = time.monotonic() + WITHIN_S
    while not fact():
        assert time.monotonic() < end, f"still not so: {what}"
        time.sleep(0.05)
