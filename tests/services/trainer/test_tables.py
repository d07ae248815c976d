"""What the trainer asks of its tables."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel.ext.asyncio.session import AsyncSession

import headrace.trainer
from headrace.chassis.database import create_engine, migrate
from headrace.contracts import Trial
from headrace.trainer.domain import State
from headrace.trainer.scheduling import Recent
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.submission import search_job
from headrace.trainer.tables import Repository, RunRow
from headrace.trainer.worker.jobs import Tried

from .test_transitions import a_job

MIGRATIONS = Path(headrace.trainer.__file__).parent / "migrations"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_run(name: str, **fields: object) -> RunRow:
    """A run of one model."""
    told = {
        "model": "delay",
        "dataset": "flights",
        "state": State.QUEUED,
        "reason": "",
        "declared_revision": 1,
        "requested_by": "me",
    }
    return RunRow(run=name, **{**told, "asked_at": NOON, **fields})


@pytest.fixture
async def engine(database_url: str):  # type: ignore[no-untyped-def]
    """A migrated database."""
    made = create_engine(database_url)
    await migrate(made, MIGRATIONS)
    yield made
    await made.dispose()


async def test_recent_tells_who_has_workers_and_since_when(engine) -> None:  # type: ignore[no-untyped-def]
    """As the fair order needs it; times keep their zone."""
    async with AsyncSession(engine) as session:
        session.add(a_run("run-1", state=State.RUNNING, started_at=NOON))
        session.add(a_run("run-2", state=State.COMPLETED, started_at=NOON - timedelta(hours=1)))
        session.add(a_run("run-3", model="other"))
        await session.commit()

        assert await Repository(session).recent() == {"delay": Recent(1, NOON), "other": Recent(0, None)}
        assert [run.run for run in await Repository(session).runs_in(State.QUEUED)] == ["run-3"]


async def test_the_last_trained_version_is_that_of_the_last_completed_run(engine) -> None:  # type: ignore[no-untyped-def]
    """Failed runs have learned nothing."""
    async with AsyncSession(engine) as session:
        session.add(a_run("run-1", state=State.COMPLETED, dataset_version=3, ended_at=NOON))
        session.add(a_run("run-2", state=State.COMPLETED, dataset_version=2, ended_at=NOON + timedelta(hours=1)))
        session.add(a_run("run-3", state=State.FAILED, dataset_version=9, ended_at=NOON + timedelta(hours=2)))
        await session.commit()

        assert await Repository(session).last_trained("delay") == 2
        assert await Repository(session).last_trained("other") is None


async def test_of_two_writers_of_a_run_one_is_told(engine) -> None:  # type: ignore[no-untyped-def]
    """A cancel and a completion in the same moment: who commits second is refused, looks again, and sees the first."""
    async with AsyncSession(engine) as session:
        session.add(a_run("run-1"))
        await session.commit()
        known = await session.get_one(RunRow, "run-1")
        stale = known.model_copy()
        Repository(session).save(known, known.as_run.cancelled("not needed", "me", NOON), NOON)
        await session.commit()

    async with AsyncSession(engine) as late:
        stale.state = State.COMPLETED
        with pytest.raises(StaleDataError):
            await late.merge(stale)


async def test_all_runs_whose_checkpoints_had_their_time_are_named(engine) -> None:  # type: ignore[no-untyped-def]
    """However many: where a part were named, those that cannot be read would hide the others. None before its time."""
    async with AsyncSession(engine) as session:
        session.add_all(a_run(f"run-{n}", state=State.FAILED, checkpoints_until=NOON) for n in range(150))
        session.add(a_run("later", state=State.FAILED, checkpoints_until=NOON + timedelta(seconds=1)))
        session.add(a_run("without", state=State.COMPLETED))
        await session.commit()

        assert set(await Repository(session).with_old_checkpoints(NOON)) == {f"run-{n}" for n in range(150)}


async def test_trials_are_played_by_their_search_and_count_for_nothing_else(engine) -> None:  # type: ignore[no-untyped-def]
    """Neither as runs that need a worker, nor as a model's last training, nor for whose turn it is."""
    async with AsyncSession(engine) as session:
        repository = Repository(session)
        session.add(a_run("search", state=State.RUNNING, started_at=NOON))
        ended = {"state": State.COMPLETED, "dataset_version": 7, "ended_at": NOON, "started_at": NOON}
        session.add(a_run("trial-2", trial_of="search", trial=2, **ended))
        session.add(a_run("trial-1", trial_of="search", trial=1, state=State.RUNNING, started_at=NOON))
        await session.commit()

        assert [run.run for run in await repository.runs_in(State.RUNNING, State.COMPLETED)] == ["search"]
        assert [run.run for run in await repository.trials("search")] == ["trial-1", "trial-2"]
        assert await repository.recent() == {"delay": Recent(1, NOON)}
        assert await repository.last_trained("delay") is None


async def test_trials_that_run_end_with_their_search(engine) -> None:  # type: ignore[no-untyped-def]
    """Those that had ended stay as they are, and so do those of another one."""
    async with AsyncSession(engine) as session:
        repository = Repository(session)
        session.add(a_run("one", trial_of="search", trial=1, state=State.COMPLETED))
        session.add(a_run("two", trial_of="search", trial=2, state=State.RUNNING))
        session.add(a_run("other", trial_of="another", trial=1, state=State.RUNNING))
        await session.commit()
        await repository.end_trials("search", NOON)
        await session.commit()

        states = {
            run.run: run.state for run in [*await repository.trials("search"), *await repository.trials("another")]
        }
        assert states == {"one": "completed", "two": "cancelled", "other": "running"}
        two = await session.get_one(RunRow, "two")
        assert (two.ended_at, two.outcome and two.outcome["state"]) == (NOON, "cancelled")


async def test_a_trial_is_kept_as_it_was_told_last_and_no_more_once_it_has_ended(engine) -> None:  # type: ignore[no-untyped-def]
    """A word that comes again, or late, changes nothing."""
    told = {"run": "t", "number": 1, "of": 3, "params": {"num_leaves": 9}, "metric": "roc_auc"}
    running = Trial.model_validate({**told, "state": "running"})
    completed = Trial.model_validate({**told, "state": "completed", "value": 0.8})
    async with AsyncSession(engine) as session:
        repository, search = Repository(session), a_run("search", state=State.RUNNING).as_run
        for each in (running, running, completed, running):
            await repository.put_trial(search, each, NOON)
            await session.commit()

        (kept,) = await repository.trials("search")
        assert (kept.state, kept.trial, kept.params, kept.ended_at) == ("completed", 1, {"num_leaves": 9}, NOON)
        assert kept.outcome
        assert kept.outcome["metrics"] == {"roc_auc": 0.8}


async def test_a_search_goes_on_from_what_its_rows_say_of_trials(engine) -> None:  # type: ignore[no-untyped-def]
    """Those that have ended with their figures, those that had begun with their parameters; the others are missing."""
    wish = {"space": {"num_leaves": {"from": 2, "to": 9}}, "metric": "roc_auc", "greater_is_better": True, "trials": 4}
    wish |= {"parallel": 2, "fraction": 0.2, "stop_early": True}
    row = a_run("search", state=State.RUNNING, cpus=2, search=wish, job=a_job().model_dump(mode="json"))
    told = {"run": "", "of": 4, "metric": "roc_auc"}
    completed = {"state": "completed", "params": {"num_leaves": 3}, "value": 0.8, "seconds": 1.5}
    stopped = {"state": "stopped", "params": {"num_leaves": 4}, "value": 0.6, "reached": 7, "reason": "behind"}
    begun = {"state": "running", "params": {"num_leaves": 5}}
    async with AsyncSession(engine) as session:
        repository = Repository(session)
        for number, each in enumerate((completed, stopped, begun), start=1):
            trial = Trial.model_validate({**told, **each, "run": f"t{number}", "number": number})
            await repository.put_trial(row.as_run, trial, NOON)
        await session.commit()

        job = await search_job(row, session, TrainerSettings.model_construct(run_memory_mb=900))

    assert list(job.known) == [Tried(number=n, **each) for n, each in enumerate((completed, stopped, begun), start=1)]
    assert (job.cpus, job.memory_mb, job.trials, job.parallel) == (2, 900, 4, 2)
    assert job.train.model_dump(mode="json") == row.job
