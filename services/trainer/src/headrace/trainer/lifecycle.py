"""How runs and evaluations end: exactly one last event each."""

from typing import Any

from pydantic import ValidationError

from headrace.bus import UnitOfWork
from headrace.contracts import (
    Baseline,
    Comparison,
    DatasetRef,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationMetrics,
    EvaluationRequested,
    LearnedRows,
    TrainingCompleted,
    TrainingFailed,
)
from headrace.trainer.domain import State
from headrace.trainer.tables import DatasetVersion, Evaluation, Repository, Run
from headrace.trainer.worker.jobs import Evaluated, Failure, Trained, TrainJob


async def complete(run: Run, trained: Trained, work: UnitOfWork) -> None:
    """The run has a model."""
    dataset, job = await dataset_ref(run, work), TrainJob.model_validate(run.job)
    started = run.started_at or work.now
    run.outcome, run.ended_at = trained.model_dump(mode="json"), work.now
    Repository(work.session).change(run, State.COMPLETED, work.now, f"{trained.train_rows} rows learned")
    work.emit(
        TrainingCompleted(
            run=run.run,
            model=run.model,
            dataset=dataset,
            artifact=trained.artifact,
            signature=trained.signature,
            framework=job.framework,
            estimator=job.estimator,
            params=job.params,
            seed=job.seed,
            holdout=trained.holdout,
            metrics=trained.metrics,
            train_rows=trained.train_rows,
            unlabelled_rows=trained.unlabelled_rows,
            learned=LearnedRows(**trained.learned.model_dump()),
            warnings=list(trained.warnings),
            code_version=trained.code_version,
            packages=trained.packages,
            python=trained.python,
            reference=trained.reference,
            features=list(job.features),
            target=job.target,
            declared_revision=run.declared_revision,
            started_at=started,
            seconds=(work.now - started).total_seconds(),
            reason=run.reason,
            requested_by=run.requested_by,
        )
    )


async def fail(run: Run, failure: Failure, work: UnitOfWork) -> None:
    """The run has none, for a reason that its author can read."""
    dataset = await dataset_ref(run, work) if run.dataset_version else None
    run.outcome, run.ended_at = failure.model_dump(mode="json"), work.now
    Repository(work.session).change(run, State.FAILED, work.now, f"{failure.because}: {failure.reason}")
    told = {"kind": failure.because, "reason": failure.reason, "warnings": list(failure.warnings)}
    work.emit(TrainingFailed.model_validate({"run": run.run, "model": run.model, "dataset": dataset, **told}))


def abandon(run: Run, reason: str, work: UnitOfWork) -> None:
    """The run has failed by a fault of ours; nothing of it is read any more, since that may be what fails."""
    run.outcome, run.ended_at = Failure(because="code", reason=reason).model_dump(mode="json"), work.now
    Repository(work.session).change(run, State.FAILED, work.now, reason)
    work.emit(TrainingFailed(run=run.run, model=run.model, kind="code", reason=reason))


async def dataset_ref(run: Run, work: UnitOfWork) -> DatasetRef:
    """The dataset version that a run takes."""
    version = await work.session.get_one(DatasetVersion, (run.dataset, run.dataset_version))
    return DatasetRef(name=version.dataset, version=version.version, digest=version.digest)


def finish_evaluation(row: Evaluation, found: Evaluated, work: UnitOfWork) -> None:
    """The evaluation has its numbers."""
    asked = EvaluationRequested.model_validate(row.request)
    _end(row, State.COMPLETED, found.model_dump(mode="json"), work)
    work.emit(
        EvaluationCompleted(
            evaluation=row.evaluation,
            model=row.model,
            candidate=asked.candidate.version,
            champion=asked.champion.version if asked.champion else None,
            dataset=asked.dataset,
            rows=found.rows,
            metrics=EvaluationMetrics(candidate=found.candidate, champion=found.champion),
            comparisons=[Comparison(**comparison.model_dump()) for comparison in found.comparisons],
            compared_rows=found.compared_rows,
            baselines=[Baseline(**baseline.model_dump()) for baseline in found.baselines],
            incomparable=found.incomparable,
        )
    )


def fail_evaluation(row: Evaluation, reason: str, work: UnitOfWork) -> None:
    """The evaluation cannot be done."""
    candidate = EvaluationRequested.model_validate(row.request).candidate.version
    _end(row, State.FAILED, {"reason": reason}, work)
    work.emit(EvaluationFailed(evaluation=row.evaluation, model=row.model, candidate=candidate, reason=reason))


def abandon_evaluation(row: Evaluation, reason: str, work: UnitOfWork) -> None:
    """The evaluation has failed by a fault of ours; it is told as far as it can be read."""
    try:
        fail_evaluation(row, reason, work)
    except ValidationError:
        _end(row, State.FAILED, {"reason": reason}, work)


def _end(row: Evaluation, state: State, outcome: dict[str, Any], work: UnitOfWork) -> None:
    row.state, row.outcome = state, outcome
    work.session.add(row)
