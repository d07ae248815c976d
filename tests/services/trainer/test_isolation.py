"""One run or evaluation that cannot be handled stops none of the others."""

from datetime import UTC, datetime, timedelta
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
from headrace.trainer.domain import State
from headrace.trainer.tables import RunRow

PAST = datetime(2026, 1, 2, tzinfo=UTC)
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


async def test_checkpoints_of_a_run_that_cannot_be_read_stay_and_those_of_others_are_removed(trainer: Any) -> None:
    """It becomes a dead letter, which `/ready` names."""
    told = {"model": "delay", "dataset": "flights", "state": State.FAILED, "reason": "asked", "requested_by": "key:ann"}
    told |= {"asked_at": PAST, "ended_at": PAST, "declared_revision": 1, "checkpoints_until": PAST}
    async with trainer(dead_letter_after_attempts=2, look_every=timedelta(milliseconds=50)) as on:
        async with on.app.state.runtime.store.write() as session:
            session.add_all([RunRow(run=run, **told) for run in ("a-bad", "b-good")])
            await session.flush()
            await (await session.connection()).execute(
                text("UPDATE trainer_run SET params = :poison WHERE run = 'a-bad'"), {"poison": "none"}
            )

        async def removed() -> bool:
            return (await on.http.get("/runs/b-good")).json()["checkpoints_until"] is None

        async def told_of() -> bool:
            letters = (await on.http.get("/dead-letters")).json()["items"]
            return [(row["type"], row["key"]) for row in letters] == [("headrace.loop.checkpoints", "a-bad")]

        await eventually(removed)
        await eventually(told_of)
        assert "a-bad" in str((await on.http.get("/ready")).json()["degraded"])
