"""Candidate and champion on the same rows, which neither has learned from."""

from typing import Any

import pytest

from headrace.contracts import (
    Column,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationRequested,
    ModelVersion,
    TrainingCompleted,
    TrainingRequested,
)
from headrace.testkit import Harness, a


async def trained(on: Harness, reason: str, **asked: Any) -> TrainingCompleted:
    """Ask for a run, and wait for its model."""
    await on.say(TrainingRequested(model="delay", reason=reason, **asked), as_="operator")
    return (await on.heard(TrainingCompleted, where=lambda event: event.reason == reason, timeout=120)).data


def version(number: int, run: TrainingCompleted) -> ModelVersion:
    """The run's model as the registry numbers it."""
    return ModelVersion(version=number, digest=run.artifact.digest, artifact=run.artifact, learned=run.learned)


def request(candidate: TrainingCompleted, champion: TrainingCompleted | None, **fields: Any) -> EvaluationRequested:
    """What the registry asks."""
    told = {
        "evaluation": "eval-1",
        "model": "delay",
        "candidate": version(2, candidate),
        "champion": version(1, champion) if champion else None,
        "dataset": candidate.dataset,
        "holdout": candidate.holdout,
        "target": "late",
        "metrics": ["roc_auc", "brier"],
        "confidence": 0.9,
        "resamples": 100,
        "seed": 1,
    }
    return a(EvaluationRequested, **{**told, **fields})


@pytest.mark.parametrize("by", ["time", "random"])
async def test_the_better_model_wins_on_the_same_rows(on: Harness, world: Any, by: str) -> None:
    """The champion learned from less and without the wind; the candidate's own numbers are those of its run."""
    await on.say(world.declared(data={"features": ["carrier"]}, evaluation={"holdout": {"by": by}}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    champion = await trained(on, "first")
    await on.say(world.declared(revision=2, evaluation={"holdout": {"by": by}}))
    await on.say(world.ingested(world.flights(), world.flights(seed=2), version=2))
    await on.quiet()
    candidate = await trained(on, "second")

    await on.say(request(candidate, champion))

    told = (await on.heard(EvaluationCompleted, timeout=120)).data
    assert (told.candidate, told.champion, told.rows) == (2, 1, candidate.holdout.rows)
    for name, value in told.metrics.candidate.items():
        assert value == pytest.approx(candidate.metrics[name])
    auc, brier = told.comparisons
    assert (auc.metric, brier.metric) == ("roc_auc", "brier")
    assert 0 < auc.low <= auc.difference <= auc.high
    assert auc.difference == pytest.approx(auc.candidate - auc.champion)
    assert brier.difference == pytest.approx(brier.champion - brier.candidate)
    assert brier.difference > 0
    assert (auc.confidence, auc.resamples) == (0.9, 100)


async def test_a_first_version_is_measured_alone(on: Harness, world: Any) -> None:
    """There is nobody to compare with; asked twice it is done once."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    candidate = await trained(on, "first")

    for _ in range(2):
        await on.say(request(candidate, None))

    told = (await on.heard(EvaluationCompleted, timeout=120)).data
    assert (told.champion, told.metrics.champion, told.comparisons) == (None, None, [])
    await on.quiet()
    assert len(on.all(EvaluationCompleted)) == 1


async def test_what_cannot_be_evaluated_says_why(on: Harness, world: Any) -> None:
    """A version that nobody ingested, and an artifact that is gone."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    candidate = await trained(on, "first")
    gone = candidate.artifact.model_copy(update={"prefix": "nowhere"})
    lost = candidate.model_copy(update={"artifact": gone})
    ahead = candidate.dataset.model_copy(update={"version": 9})

    await on.say(request(candidate, None, evaluation="eval-9", dataset=ahead))
    await on.say(request(lost, None, evaluation="eval-gone"))

    for evaluation, reason in (("eval-9", "has no version 9"), ("eval-gone", "nowhere")):
        failed = await on.heard(EvaluationFailed, where=lambda e, name=evaluation: e.evaluation == name, timeout=120)
        assert reason in failed.data.reason


async def test_a_champion_whose_column_is_gone_leaves_the_candidate_judged_alone(on: Harness, world: Any) -> None:
    """A feature was dropped from the data: no failed evaluation, but a reason, figures and the trivial answer."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    champion = await trained(on, "first")
    left = world.flights().drop(columns="wind")
    columns = [column for column in champion.features if column.name != "wind"]
    rest = [Column(name="at", type="timestamp", nullable=False), Column(name="late", type="integer", nullable=False)]
    await on.say(world.ingested(left, version=2, columns=[*columns, *rest]))
    await on.quiet()
    candidate = await trained(on, "second")

    await on.say(request(candidate, champion))

    told = (await on.heard(EvaluationCompleted, timeout=120)).data
    assert (told.champion, told.comparisons, told.metrics.champion) == (1, [], None)
    assert "version 1 has learned from column wind, which the dataset version no longer has" in (
        told.incomparable or ""
    )
    assert [each.metric for each in told.baselines or []] == ["roc_auc", "brier"]


async def test_a_champion_that_was_not_trained_here_is_not_compared(on: Harness, world: Any) -> None:
    """Nobody says which rows it has learned from."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    candidate = await trained(on, "first")
    stranger = version(1, candidate).model_copy(update={"learned": None})

    await on.say(request(candidate, None).model_copy(update={"champion": stranger}))

    told = (await on.heard(EvaluationCompleted, timeout=120)).data
    assert (told.incomparable or "").startswith("nobody knows which rows version 1 has learned from")
