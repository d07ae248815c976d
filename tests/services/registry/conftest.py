"""The registry on stage, and the events that its neighbours say."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headrace.contracts import (
    Comparison,
    DatasetRef,
    EvaluationCompleted,
    EvaluationMetrics,
    EvaluationRequested,
    TrainingCompleted,
)
from headrace.registry.service import build
from headrace.registry.settings import RegistrySettings
from headrace.testkit import FakeClock, Stage, a

DECLARATION: dict[str, Any] = {
    "name": "flights",
    "owner": {"team": "operations", "contact": "ops@example.org"},
    "purpose": "Warn travellers.",
    "risk": {"impact": "medium", "review_every": "P90D"},
    "data": {"dataset": "flights", "target": "late", "time": "departed_at"},
    "evaluation": {
        "metrics": ["roc_auc"],
        "gates": [{"metric": "roc_auc", "at_least": 0.65}, {"metric": "roc_auc", "beats": "champion", "by": 0.002}],
    },
}


@pytest.fixture
async def on(stage: Callable[..., Stage], database_url: str, clock: FakeClock) -> AsyncIterator[Stage]:
    """The registry on stage, on both kinds of database."""
    staged = stage(build, RegistrySettings, clock=clock, database_url=database_url, registry_expiry_every=0.05)
    async with staged as running:
        yield running


async def declare(on: Stage, **changes: Any) -> dict[str, Any]:
    """Declare the model; answers what was applied."""
    answer = await on.http.put("/models/flights", json={**DECLARATION, **changes})
    assert answer.is_success, answer.text
    applied: dict[str, Any] = answer.json()
    return applied


def trained(run: str, *, dataset: int = 1, **fields: Any) -> TrainingCompleted:
    """A run that ended well; its digest is its own."""
    digest = run.encode().hex().ljust(64, "0")[:64]
    artifact = a(TrainingCompleted).artifact.model_copy(update={"digest": digest})
    reference = DatasetRef(name="flights", version=dataset, digest="a" * 64)
    values = {"metrics": {"roc_auc": 0.7}, "artifact": artifact, "dataset": reference, "requested_by": "key:ann"}
    return a(TrainingCompleted, model="flights", run=run, **{**values, **fields})


def judged(
    asked: EvaluationRequested, *, candidate: float, champion: float = 0.7, low: float = 0.01
) -> EvaluationCompleted:
    """The trainer's answer to a request for evaluation."""
    comparison = Comparison(
        metric="roc_auc",
        candidate=candidate,
        champion=champion,
        difference=candidate - champion,
        low=low,
        high=low + 0.1,
        confidence=0.95,
        resamples=200,
    )
    met = asked.champion is not None
    metrics = EvaluationMetrics(candidate={"roc_auc": candidate}, champion={"roc_auc": champion} if met else None)
    return a(
        EvaluationCompleted,
        evaluation=asked.evaluation,
        model="flights",
        candidate=asked.candidate.version,
        champion=asked.champion.version if asked.champion else None,
        dataset=asked.dataset,
        rows=1000,
        metrics=metrics,
        comparisons=[comparison] if met else [],
    )


async def asked_for(on: Stage, version: int, champion: int | None = None) -> EvaluationRequested:
    """The request to judge a version against a champion, as soon as it was said."""

    def fits(event: EvaluationRequested) -> bool:
        met = event.champion.version if event.champion else None
        return event.candidate.version == version and met == champion

    said = await on.heard(EvaluationRequested, where=fits)
    assert isinstance(said.data, EvaluationRequested)
    return said.data


async def crown(on: Stage, run: str, version: int, champion: int | None = None, **fields: Any) -> None:
    """Train a version and let it pass its gates."""
    await on.say(trained(run, **fields))
    await on.say(judged(await asked_for(on, version, champion), candidate=0.75))
