"""The monitor in the harness, a model that was trained, and answers it gave."""

import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import (
    ANSWER_COLUMN,
    Column,
    ModelDeclared,
    PredictionLogged,
    Signature,
    Tensor,
    VersionRegistered,
)
from headrace.monitor.service import build
from headrace.monitor.settings import MonitorSettings
from headrace.tasks.multiclass import MulticlassTarget
from headrace.testkit import Harness, a
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


SPECIES = ("adelie", "chinstrap", "gentoo")


def two(labels: Sequence[Any] = (0, 1), positive: Any = 1) -> Signature:
    """A model of two labels."""
    label = Tensor(name="label", datatype="INT64", shape=[-1], labels=list(labels))
    return Signature(
        task="binary",
        inputs=[],
        outputs=[label, Tensor(name="probability", datatype="FP32", shape=[-1], label=positive)],
    )


def many(labels: Sequence[Any] = SPECIES) -> Signature:
    """A model of more labels."""
    return Signature(task="multiclass", inputs=[], outputs=MulticlassTarget(tuple(labels)).outputs())


def number() -> Signature:
    """A model of a number."""
    return Signature(task="regression", inputs=[], outputs=[Tensor(name="prediction", datatype="FP32", shape=[-1])])


@pytest.fixture
async def on(harness: Callable[..., Harness], database_url: str, s3: S3) -> AsyncIterator[Harness]:
    """The monitor in the harness, on both kinds of database."""
    fast = {"monitor_look_every": 0.05, "monitor_delivery_retry": 0.05}
    async with harness(build, MonitorSettings, objects=s3.settings, database_url=database_url, **fast) as running:
        yield running


@pytest.fixture
async def watched(on: Harness, s3: S3) -> Harness:
    """A declared and trained model, ready to be watched."""
    await on.say(declared())
    await on.say(trained(s3))
    await on.quiet()
    return on


def declared(revision: int = 1, model: str = "flights", **monitoring: Any) -> ModelDeclared:
    """The registry's word of how the model is to be watched."""
    changed = {"name": model, "monitoring": {**DECLARATION["monitoring"], **monitoring}}
    declaration = a_declaration(**{**DECLARATION, **changed})
    return a(ModelDeclared, name=model, revision=revision, declaration=declaration)


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


def trained(
    s3: S3,
    version: int = 1,
    model: str = "flights",
    reference: pd.DataFrame | None = None,
    signature: Signature | None = None,
) -> VersionRegistered:
    """A version whose reference lies in the object store; the digest tells versions apart."""
    sample = rows(4000, 0) if reference is None else reference
    answers = pd.Series(np.random.default_rng(0).uniform(size=len(sample)))
    buffer = io.BytesIO()
    sample.assign(**{ANSWER_COLUMN: answers, "late": 0}).to_parquet(buffer)
    ref = s3.sync.put("models", buffer.getvalue(), key=f"{model}/run-{version}/reference.parquet")
    features = [
        Column(name="wind", type="number", nullable=True),
        Column(name="hour", type="integer", nullable=False),
        Column(name="carrier", type="string", nullable=False),
    ]
    return a(
        VersionRegistered,
        model=model,
        version=version,
        digest=digest_of(version, model),
        reference=ref,
        features=features,
        signature=signature or two(),
        target="late",
        metrics={"roc_auc": 0.9, "brier": 0.1},
    )


def digest_of(version: int, model: str = "flights") -> str:
    """The digest of a version's artifact."""
    return hashlib.sha256(f"{model}/{version}".encode()).hexdigest()


def logged(
    prediction: str,
    time: datetime,
    inputs: pd.DataFrame,
    probability: Sequence[float],
    *,
    version: int = 1,
    route: str = "champion",
    model: str = "flights",
    labels: Sequence[Any] = (0, 1),
    **fields: Any,
) -> PredictionLogged:
    """An answer as the inference server logs it; `labels` are the negative and the positive one."""
    columns = json.loads(inputs.to_json(orient="columns"))
    outputs = {"label": [labels[p >= 0.5] for p in probability], "probability": [float(p) for p in probability]}
    plain = {
        "prediction_id": prediction,
        "model": model,
        "version": version,
        "digest": digest_of(version, model),
        "route": route,
        "time": time,
        "received_at": datetime.now(UTC),
        "rows": len(inputs),
        "inputs": {name: list(values.values()) for name, values in columns.items()},
        "outputs": outputs,
    }
    return a(PredictionLogged, **{**plain, **fields})


async def answer_day(
    on: Harness,
    day: int,
    *,
    shift: float = 0.0,
    right: float = 0.95,
    version: int = 1,
    count: int = 2000,
    truth: bool = True,
    name: str | None = None,
    **said: Any,
) -> None:
    """A day of traffic: `right` is the share of rows whose probability points to their truth."""
    rng = np.random.default_rng(day)
    model, labels = said.get("model", "flights"), said.get("labels", (0, 1))
    prediction = name or f"{model}-day{day}-v{version}"
    late = rng.integers(0, 2, count)
    agrees = rng.uniform(size=count) < right
    probability = np.where(agrees == (late == 1), rng.uniform(0.5, 1, count), rng.uniform(0, 0.5, count))
    at = MARCH + day * DAY + timedelta(hours=version)
    inputs = rows(count, day, shift=shift)
    await on.say(logged(prediction, at, inputs, probability.tolist(), version=version, **said))
    if truth:
        found = [{"prediction_id": f"{prediction}:{row}", "value": labels[value]} for row, value in enumerate(late)]
        answered = await on.http.post(f"/models/{model}/truth", json={"labels": found})
        assert answered.is_success, answered.text
