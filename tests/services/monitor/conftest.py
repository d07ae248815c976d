"""The monitor on stage, a model that was trained, and answers it gave."""

import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column, ModelDeclared, PredictionLogged, TrainingCompleted
from headrace.monitor.service import build
from headrace.monitor.settings import MonitorSettings
from headrace.testkit import Stage, a
from headrace.testkit.builders import a_declaration
from headrace.testkit.s3 import S3

MARCH = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DECLARATION: dict[str, Any] = {
    "name": "flights",
    "data": {"dataset": "flights", "target": "late", "groups": ["carrier"]},
    "evaluation": {"metrics": ["roc_auc", "brier"]},
    "monitoring": {
        "every": "P1D",
        "minimum": 100,
        "drift": {"share": 0.5},
        "performance": {"metric": "roc_auc", "drop": 0.05},
        "fairness": {"measure": "parity_difference", "limit": 0.3},
    },
    "retraining": {"on": ["drift", "performance"], "cooldown": "PT1H"},
}


@pytest.fixture
async def on(stage: Callable[..., Stage], database_url: str, s3: S3) -> AsyncIterator[Stage]:
    """The monitor on stage, on both kinds of database."""
    fast = {"monitor_look_every": 0.05, "objects": s3.settings, "database_url": database_url}
    async with stage(build, MonitorSettings, **fast) as running:
        yield running


@pytest.fixture
async def watched(on: Stage, s3: S3) -> Stage:
    """A declared and trained model, ready to be watched."""
    await on.say(declared())
    await on.say(trained(s3))
    await on.quiet()
    return on


def declared(revision: int = 1, **monitoring: Any) -> ModelDeclared:
    """The registry's word of how the model is to be watched."""
    document = {**DECLARATION, "monitoring": {**DECLARATION["monitoring"], **monitoring}}
    return a(ModelDeclared, name="flights", revision=revision, declaration=a_declaration(**document))


def rows(count: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    """Features of some flights; `shift` moves the wind and the hour by so many standard deviations."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "wind": rng.normal(10 + 3 * shift, 3, count),
            "hour": rng.normal(12 + 4 * shift, 4, count).round(),
            "carrier": rng.choice(["UA", "AA"], count),
        }
    )


def trained(s3: S3, version: int = 1) -> TrainingCompleted:
    """A run whose reference lies in the object store; the digest tells versions apart."""
    sample = rows(4000, 0)
    reference = sample.assign(prediction=np.random.default_rng(0).uniform(size=len(sample)), late=0)
    buffer = io.BytesIO()
    reference.to_parquet(buffer)
    ref = s3.sync.put("models", buffer.getvalue(), key=f"flights/run-{version}/reference.parquet")
    artifact = a(TrainingCompleted).artifact.model_copy(update={"digest": digest_of(version)})
    features = [
        Column(name="wind", type="number", nullable=True),
        Column(name="hour", type="integer", nullable=False),
        Column(name="carrier", type="string", nullable=False),
    ]
    return a(
        TrainingCompleted,
        model="flights",
        run=f"run-{version}",
        artifact=artifact,
        reference=ref,
        features=features,
        target="late",
        metrics={"roc_auc": 0.9, "brier": 0.1},
    )


def digest_of(version: int) -> str:
    """The digest of a version's artifact."""
    return str(version) * 64


def logged(
    prediction: str,
    time: datetime,
    inputs: pd.DataFrame,
    probability: Sequence[float],
    *,
    version: int = 1,
    route: str = "champion",
) -> PredictionLogged:
    """An answer as the inference server logs it."""
    columns = json.loads(inputs.to_json(orient="columns"))
    outputs = {"label": [int(p >= 0.5) for p in probability], "probability": [float(p) for p in probability]}
    return a(
        PredictionLogged,
        prediction_id=prediction,
        model="flights",
        version=version,
        digest=digest_of(version),
        route=route,
        time=time,
        received_at=datetime.now(UTC),
        rows=len(inputs),
        inputs={name: list(values.values()) for name, values in columns.items()},
        outputs=outputs,
    )


async def answer_day(
    on: Stage,
    day: int,
    *,
    shift: float = 0.0,
    right: float = 0.95,
    version: int = 1,
    count: int = 2000,
    truth: bool = True,
    name: str | None = None,
) -> None:
    """A day of traffic: `right` is the share of rows whose probability points to their truth."""
    rng = np.random.default_rng(day)
    prediction = name or f"day{day}-v{version}"
    late = rng.integers(0, 2, count)
    agrees = rng.uniform(size=count) < right
    probability = np.where(agrees == (late == 1), rng.uniform(0.5, 1, count), rng.uniform(0, 0.5, count))
    at = MARCH + day * DAY + timedelta(hours=version)
    await on.say(logged(prediction, at, rows(count, day, shift=shift), probability.tolist(), version=version))
    if truth:
        labels = [{"prediction_id": f"{prediction}:{row}", "value": int(value)} for row, value in enumerate(late)]
        answered = await on.http.post("/models/flights/truth", json={"labels": labels})
        assert answered.is_success, answered.text
