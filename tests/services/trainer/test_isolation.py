"""One run or evaluation that cannot be handled stops none of the others."""

from typing import Any

import pytest
from sqlalchemy import text

from headrace.contracts import (
    EvaluationFailed,
    EvaluationRequested,
    TrainingCompleted,
    TrainingFailed,
    TrainingRequested,
)
from headrace.testkit import Harness, a, eventually

POISON = '["no column at all"]'


async def spoil(on: Harness, statement: str) -> None:
    """Write into the trainer's database what no code of ours would, but a version with a mistake might."""
    async with on.app.state.runtime.store.write() as session:
        await (await session.connection()).execute(text(statement), {"poison": POISON})


@pytest.fixture
async def two_models(on: Harness, world: Any) -> Harness:
    """The model `delay`, and `bad`, whose dataset cannot be read."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    bad = world.declared(data={"dataset": "bad"})
    await on.say(
        bad.model_copy(update={"name": "bad", "declaration": bad.declaration.model_copy(update={"name": "bad"})})
    )
    await on.say(world.ingested(world.flights(rows=50), dataset="bad"))
    await on.quiet()
    await spoil(on, "UPDATE trainer_dataset_version SET columns = :poison WHERE dataset = 'bad'")
    return on


async def test_a_run_that_cannot_be_started_fails_and_the_others_run(two_models: Harness) -> None:
    """It is told to its author at once, with a dead letter for operators; it keeps no place from the next run."""
    on = two_models
    for number in range(3):
        await on.say(TrainingRequested(model="bad", reason=f"bad {number}"), as_="operator")
    await on.say(TrainingRequested(model="delay", reason="good"), as_="operator")

    await on.heard(TrainingCompleted, "delay", timeout=120)

    failed = (await on.heard(TrainingFailed, "bad")).data
    dead_letter = (await on.http.get("/dead-letters")).json()["items"]
    assert failed.kind == "code"
    assert "cannot be started" in failed.reason
    assert {row["type"] for row in dead_letter} == {"headrace.loop.dispatch"}

    async def degraded() -> bool:
        return bool((await on.http.get("/ready")).json()["status"] == "degraded")

    await eventually(degraded)


async def test_an_evaluation_that_cannot_be_read_leaves_the_queue_and_the_others_are_made(on: Harness) -> None:
    """Also where not even its failure can be told: there is only one place for evaluations."""
    values = "'eval-0', 'delay', 'queued', '2026-01-01 00:00:00', :poison, 'key:ann', 0, false, 1"
    columns = "evaluation, model, state, asked_at, request, requested_by, attempt, begun, lock"
    await spoil(on, f"INSERT INTO trainer_evaluation ({columns}) VALUES ({values})")

    await on.say(a(EvaluationRequested, evaluation="eval-1", model="delay"))

    failed = (await on.heard(EvaluationFailed, "delay")).data
    assert failed.evaluation == "eval-1"
    assert [row["key"] for row in (await on.http.get("/dead-letters")).json()["items"]] == ["start/eval-0"]
