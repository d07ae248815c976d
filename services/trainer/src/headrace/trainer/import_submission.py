"""From a queued import to a job: what a worker is to do, resolved against declaration and dataset versions."""

from datetime import timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import UnitOfWork
from headrace.contracts import DatasetRef, Declaration
from headrace.tasks import task_named
from headrace.trainer.handlers import DECLARATION, keep
from headrace.trainer.import_handlers import version_for
from headrace.trainer.imports import NONE, DatasetPin, Import
from headrace.trainer.planning import Plan, Unplannable, plan
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.submission import COLUMNS, data_of, judge_for
from headrace.trainer.tables import DatasetVersionRow, ImportRow, RevisionRow
from headrace.trainer.worker.jobs import Failure, ImportJob


async def start_import(row: ImportRow, work: UnitOfWork, settings: TrainerSettings) -> None:
    """Resolve an import into a job; one that cannot be resolved has failed."""
    wish = row.as_import
    revision = await work.session.get_one(RevisionRow, (row.model, row.declared_revision))
    declaration = DECLARATION.validate_python(revision.declaration)
    version = await version_for(work.session, DatasetPin(wish.dataset, wish.pinned))
    learned = await version_for(work.session, wish.learned) if wish.learned else None
    assert version is not None
    try:
        job = _job(wish, declaration, version, learned, work, settings)
        job = job.model_copy(update={"judge": await judge_for(declaration, work.session, imported=True)})
    except Unplannable as error:
        keep(work, row, wish.failed(Failure(because="data", reason=str(error)), work.now))
        return
    timeout: timedelta = settings.import_timeout
    keep(work, row, wish.started(job, version.version, work.now, timeout))


async def datasets_of(row: ImportRow, session: AsyncSession) -> list[DatasetRef]:
    """What judges an import, and what it is said to have learned from."""
    pins = [DatasetPin(row.dataset, row.dataset_version)]
    learned = row.as_import.learned
    found = [await version_for(session, pin) for pin in [*pins, *([learned] if learned else [])]]
    return [DatasetRef(name=each.dataset, version=each.version, digest=each.digest) for each in found if each]


def _job(
    wish: Import,
    declaration: Declaration,
    version: DatasetVersionRow,
    learned: DatasetVersionRow | None,
    work: UnitOfWork,
    settings: TrainerSettings,
) -> ImportJob:
    asked, whole = wish.asked, wish.asked.data is not None
    planned = _planned(declaration, version, whole)
    same = (
        "features",
        "context",
        "target",
        "task",
        "positive",
        "time",
        "by",
        "fraction",
        "metrics",
        "grouped_by",
        "options",
    )
    told: dict[str, Any] = {
        "import_id": wish.import_id,
        "attempt": 0,
        "model": wish.model,
        "source": asked.object,
        "source_name": asked.source_name or "",
        "format": asked.format,
        "largest": settings.largest_import,
        "data": data_of(version),
        "columns": [column["name"] for column in version.columns],
        "whole": whole,
        "learned": data_of(learned) if learned else None,
        "learned_columns": [column["name"] for column in learned.columns] if learned else [],
        "learned_none": asked.learned_from == NONE,
        "order": asked.columns,
        "outputs": asked.outputs or {},
        "labels": asked.labels,
        "created": work.now,
        "bucket": settings.models_bucket,
    }
    return ImportJob.model_validate({**told, **{name: getattr(planned, name) for name in same}})


def _planned(declaration: Declaration, version: DatasetVersionRow, whole: bool) -> Plan:
    """The columns as a run would take them; test data need no column of time, since all of their rows judge."""
    if task_named(declaration.task).framed_by is not None:
        raise Unplannable(f"a model of task {declaration.task} cannot be imported: its features are made here")
    if whole:
        data, evaluation = declaration.data, declaration.evaluation
        ignore = [*data.ignore, *([data.time] if data.time else [])]
        data = data.model_copy(update={"dataset": version.dataset, "time": None, "ignore": ignore})
        evaluation = evaluation.model_copy(update={"holdout": evaluation.holdout.model_copy(update={"by": None})})
        declaration = declaration.model_copy(update={"data": data, "evaluation": evaluation})
    return plan(declaration, COLUMNS.validate_python(version.columns), {}, None, estimator="")
