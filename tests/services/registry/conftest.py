"""The registry in the harness, and the events that its neighbours say."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace.chassis.keys import new_key, new_keys, write_keys
from headrace.chassis.scopes import ROLES
from headrace.contracts import (
    ApprovalRequested,
    Comparison,
    DatasetRef,
    EvaluationCompleted,
    EvaluationMetrics,
    EvaluationRequested,
    TrainingCompleted,
)
from headrace.registry.service import build
from headrace.registry.settings import RegistrySettings
from headrace.testkit import FakeClock, Harness, a

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


PEOPLE = {
    "ann": "scientist",
    "bob": "scientist",
    "eva": "approver",
    "rob": "approver",
    "sue": "approver",
    "zoe": "admin",
    "pat": "engineer",
    "vic": "viewer",
    "kim": "auditor",
}


class People:
    """Callers with keys of their own; `as_("eva")` is an HTTP client in that person's name."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.json"
        self.keys: dict[str, str] = {}
        keys = new_keys()
        for name, role in PEOPLE.items():
            self.keys[name], keys = new_key(keys, name, ROLES[role])
        write_keys(self.file, keys)

    def headers(self, name: str) -> Mapping[str, str]:
        """What a person presents."""
        return {"authorization": f"Bearer {self.keys[name]}"}


@pytest.fixture
def people(tmp_path: Path) -> People:
    """Everybody who has a key."""
    return People(tmp_path)


@pytest.fixture
async def on(
    harness: Callable[..., Harness], database_url: str, clock: FakeClock, people: People
) -> AsyncIterator[Harness]:
    """The registry in the harness, on both kinds of database; without other words, zoe asks, who may everything."""
    staged = harness(
        build,
        RegistrySettings,
        clock=clock,
        database_url=database_url,
        registry_expiry_every=0.5,
        api_keys_file=people.file,
    )
    async with staged as running:
        running.http.headers.update(people.headers("zoe"))
        yield running


@pytest.fixture
def by(on: Harness, people: People) -> Callable[..., Any]:
    """Ask over HTTP as one of the people: who, method, path, and the fields of the body."""

    async def ask(who: str, method: str, path: str, /, **body: Any) -> httpx.Response:
        return await on.http.request(method, path, headers=dict(people.headers(who)), json=body or None)

    return ask


async def declare(on: Harness, **changes: Any) -> dict[str, Any]:
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


async def asked_for(on: Harness, version: int, champion: int | None = None) -> EvaluationRequested:
    """The request to judge a version against a champion, as soon as it was said."""

    def fits(event: EvaluationRequested) -> bool:
        met = event.champion.version if event.champion else None
        return event.candidate.version == version and met == champion

    said = await on.heard(EvaluationRequested, where=fits)
    assert isinstance(said.data, EvaluationRequested)
    return said.data


async def waiting(on: Harness, run: str = "run-1", version: int = 1, **fields: Any) -> None:
    """Train a version and let it pass its gates, so that it waits for people."""
    await on.say(trained(run, **fields))
    await on.say(judged(await asked_for(on, version), candidate=0.75))
    await on.heard(ApprovalRequested, where=lambda event: event.version == version)


async def crown(on: Harness, run: str, version: int, champion: int | None = None, **fields: Any) -> None:
    """Train a version and let it pass its gates."""
    await on.say(trained(run, **fields))
    await on.say(judged(await asked_for(on, version, champion), candidate=0.75))


async def aliases(on: Harness) -> dict[str, int]:
    """Where each alias of the model points."""
    page = (await on.http.get("/models/flights/aliases")).json()
    return {each["alias"]: each["version"] for each in page["items"]}
