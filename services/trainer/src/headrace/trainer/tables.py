"""What the trainer remembers: dataset versions, declarations, runs with their history, evaluations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, Literal, cast

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import UtcTime
from headrace.contracts import TrainingCheckpointed, Trial
from headrace.trainer.domain import Decision, Run, State
from headrace.trainer.evaluations import Evaluation
from headrace.trainer.imports import Import
from headrace.trainer.resources import Size
from headrace.trainer.scheduling import Queued, Recent
from headrace.trainer.trials import as_run


class DatasetVersionRow(SQLModel, table=True):
    """A dataset version that ingest has told of; its manifest lists the parts that make it."""

    __tablename__ = "trainer_dataset_version"

    dataset: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    rows: int = Field(sa_type=sa.BigInteger)
    parts: int
    manifest: dict[str, Any] = Field(sa_type=sa.JSON)
    columns: list[Any] = Field(sa_type=sa.JSON)


class DeclaredRow(SQLModel, table=True):
    """The newest declaration of a model."""

    __tablename__ = "trainer_declaration"

    model: str = Field(primary_key=True)
    revision: int
    dataset: str = Field(index=True)
    declaration: dict[str, Any] = Field(sa_type=sa.JSON)


class RevisionRow(SQLModel, table=True):
    """One revision of a declaration: a run trains under the one that was in force when it was asked for."""

    __tablename__ = "trainer_revision"

    model: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    declaration: dict[str, Any] = Field(sa_type=sa.JSON)


class VersionRow(SQLModel, table=True):
    """A version of a model, as the registry has told of it."""

    __tablename__ = "trainer_version"

    model: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    registered: dict[str, Any] = Field(sa_type=sa.JSON)


class CodePackageRow(SQLModel, table=True):
    """One version of a package of code; `files` are its members, `object` is where its archive lies."""

    __tablename__ = "trainer_code_package"

    package: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    object: dict[str, Any] = Field(sa_type=sa.JSON)
    files: list[Any] = Field(sa_type=sa.JSON)
    size: int = Field(sa_type=sa.BigInteger)
    commit: str | None = None
    dirty: bool | None = None
    by: str
    at: datetime = Field(sa_type=UtcTime)


_run_lock = sa.Column("lock", sa.Integer, nullable=False)
_evaluation_lock = sa.Column("lock", sa.Integer, nullable=False)


class RunRow(SQLModel, table=True):
    """One run from the wish to its end. `lock` lets only one of two writers change it at a time."""

    __tablename__ = "trainer_run"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _run_lock}

    run: str = Field(primary_key=True)
    model: str = Field(index=True)
    dataset: str = Field(index=True)
    state: str = Field(index=True)
    reason: str
    requested_by: str
    asked_at: datetime = Field(sa_type=UtcTime, index=True)
    declared_revision: int
    pinned: int | None = None
    newer_than: int | None = None
    params: dict[str, Any] = Field(default_factory=dict, sa_type=sa.JSON)
    seed: int | None = None
    dataset_version: int | None = None
    job: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    cpus: float = 1
    gpus: float = 0
    code: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    waits_for: str = "capacity"
    waits_detail: str | None = None
    attempt: int = 0
    begun: bool = False
    said: int = 0
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    progress: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    outcome: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    owner: str | None = None
    rate: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    usage: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    experiment: str | None = Field(default=None, index=True)
    promoted_by: str | None = None
    reproduces: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    search: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    trial_of: str | None = Field(default=None, index=True)
    trial: int | None = None
    losses: int = 0
    resumed_from: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    checkpoint: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    checkpoints_until: datetime | None = Field(default=None, sa_type=UtcTime, index=True)
    priority: int = 0
    custom: dict[str, Any] = Field(default_factory=dict, sa_type=sa.JSON)
    yields: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    preemptions: int = 0
    queued_at: datetime | None = Field(default=None, sa_type=UtcTime)
    left_s: float | None = None
    paused_s: float = 0
    correlation: str | None = None
    causation: str | None = None
    trace: str | None = None
    lock: int | None = Field(default=None, sa_column=_run_lock)

    @property
    def job_name(self) -> str:
        """The name under which workers know the present attempt."""
        return f"{self.run}-{self.attempt}"

    @property
    def as_run(self) -> Run:
        """As the domain knows it."""
        known = {each.name: getattr(self, each.name) for each in fields(Run)}
        return Run(**known | {"state": State(self.state)})

    @property
    def size(self) -> Size:
        """What it asks for."""
        return Size.of(self.cpus, self.gpus, self.custom)

    @property
    def as_queued(self) -> Queued:
        """As who waits for a worker."""
        same = {name: getattr(self, name) for name in ("run", "model", "asked_at", "size", "priority", "owner")}
        return Queued(**same, since=self.queued_at)


class RunChangeRow(SQLModel, table=True):
    """One change of a run's state, in order."""

    __tablename__ = "trainer_run_change"

    number: int | None = Field(default=None, primary_key=True)
    run: str = Field(index=True)
    at: datetime = Field(sa_type=UtcTime)
    state: str
    detail: str


class CheckpointRow(SQLModel, table=True):
    """A checkpoint that a run has made; `removed_at` says since when it is kept no longer."""

    __tablename__ = "trainer_checkpoint"

    run: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    attempt: int
    step: int = Field(sa_type=sa.BigInteger)
    digest: str
    size: int = Field(sa_type=sa.BigInteger)
    metrics: dict[str, Any] = Field(sa_type=sa.JSON)
    manifest: dict[str, Any] = Field(sa_type=sa.JSON)
    at: datetime = Field(sa_type=UtcTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class EvaluationRow(SQLModel, table=True):
    """A comparison that the registry has asked for."""

    __tablename__ = "trainer_evaluation"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _evaluation_lock}

    evaluation: str = Field(primary_key=True)
    model: str
    state: str = Field(index=True)
    asked_at: datetime = Field(sa_type=UtcTime)
    request: dict[str, Any] = Field(sa_type=sa.JSON)
    requested_by: str
    attempt: int = 0
    begun: bool = False
    outcome: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    correlation: str | None = None
    causation: str | None = None
    trace: str | None = None
    lock: int | None = Field(default=None, sa_column=_evaluation_lock)

    @property
    def job_name(self) -> str:
        """The name under which workers know the present attempt."""
        return f"{self.evaluation}-{self.attempt}"

    @property
    def as_evaluation(self) -> Evaluation:
        """As the domain knows it."""
        known = {each.name: getattr(self, each.name) for each in fields(Evaluation)}
        return Evaluation(**known | {"state": State(self.state)})


_import_lock = sa.Column("lock", sa.Integer, nullable=False)


class ImportRow(SQLModel, table=True):
    """A model that was made elsewhere, and that somebody wants to import."""

    __tablename__ = "trainer_import"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _import_lock}

    import_id: str = Field(primary_key=True)
    model: str = Field(index=True)
    dataset: str = Field(index=True)
    pinned: int | None = None
    state: str = Field(index=True)
    asked_at: datetime = Field(sa_type=UtcTime, index=True)
    request: dict[str, Any] = Field(sa_type=sa.JSON)
    requested_by: str
    declared_revision: int
    dataset_version: int | None = None
    job: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    attempt: int = 0
    begun: bool = False
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    outcome: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    correlation: str | None = None
    causation: str | None = None
    trace: str | None = None
    lock: int | None = Field(default=None, sa_column=_import_lock)

    @property
    def job_name(self) -> str:
        """The name under which workers know the present attempt."""
        return f"{self.import_id}-{self.attempt}"

    @property
    def as_import(self) -> Import:
        """As the domain knows it."""
        known = {each.name: getattr(self, each.name) for each in fields(Import)}
        return Import(**known | {"state": State(self.state)})


@dataclass(frozen=True)
class Taken:
    """What some runs took together, in one currency."""

    name: str
    runs: int
    queued_seconds: float
    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    cost: float | None
    currency: str | None

    @property
    def cursor(self) -> str:
        """Its place in the order of a listing: a name has one line for each currency."""
        return f"{self.currency or '-'}/{self.name}"


_NO_TRIAL: sa.ColumnElement[bool] = col(RunRow.trial_of).is_(None)


class Repository:
    """Loads and saves runs, evaluations and what they are made of, within one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    def save(self, row: RunRow | EvaluationRow | ImportRow, decision: Decision[Any], at: datetime) -> None:
        """Keep what was decided, with the lines of a run's history."""
        for name, value in vars(decision.after).items():
            if getattr(row, name) != value:
                setattr(row, name, value)
        self._session.add(row)
        lines = [RunChangeRow(run=decision.after.run, at=at, **vars(change)) for change in decision.history]
        self._session.add_all(lines)

    async def newest_version(self, dataset: str) -> DatasetVersionRow | None:
        """The newest version of a dataset."""
        versions = select(DatasetVersionRow).where(DatasetVersionRow.dataset == dataset)
        return (await self._session.exec(versions.order_by(col(DatasetVersionRow.version).desc()).limit(1))).first()

    async def package(self, name: str, version: int | None = None) -> CodePackageRow | None:
        """A version of a package of code; the newest where none is said."""
        found = select(CodePackageRow).where(CodePackageRow.package == name)
        found = found if version is None else found.where(CodePackageRow.version == version)
        return (await self._session.exec(found.order_by(col(CodePackageRow.version).desc()).limit(1))).first()

    async def packages(self, after: str, limit: int) -> Sequence[CodePackageRow]:
        """The newest version of each package, by name."""
        newest = select(CodePackageRow.package, sa.func.max(col(CodePackageRow.version)).label("version"))
        newest_of = newest.group_by(col(CodePackageRow.package)).subquery()
        same = (col(CodePackageRow.package) == newest_of.c.package) & (
            col(CodePackageRow.version) == newest_of.c.version
        )
        found = select(CodePackageRow).join(newest_of, same).where(col(CodePackageRow.package) > after)
        return (await self._session.exec(found.order_by(col(CodePackageRow.package)).limit(limit))).all()

    async def package_versions(self, name: str, before: int | None, limit: int) -> Sequence[CodePackageRow]:
        """Versions of a package, newest first."""
        found = select(CodePackageRow).where(CodePackageRow.package == name)
        found = found if before is None else found.where(CodePackageRow.version < before)
        return (await self._session.exec(found.order_by(col(CodePackageRow.version).desc()).limit(limit))).all()

    async def ever_ran(self, model: str, dataset: str) -> bool:
        """Whether a run of a model was ever asked for on a dataset, however it ended; experiments do not count."""
        asked = (RunRow.model == model, RunRow.dataset == dataset, col(RunRow.experiment).is_(None), _NO_TRIAL)
        return (await self._session.exec(select(RunRow.run).where(*asked).limit(1))).first() is not None

    async def last_trained(self, model: str) -> int | None:
        """The dataset version of the last completed run of a model; experiments do not count."""
        asked = (RunRow.model == model, RunRow.state == State.COMPLETED, col(RunRow.experiment).is_(None), _NO_TRIAL)
        runs = select(RunRow.dataset_version).where(*asked)
        return (await self._session.exec(runs.order_by(col(RunRow.ended_at).desc()).limit(1))).first()

    async def models_of(self, dataset: str) -> Sequence[DeclaredRow]:
        """The models that learn from a dataset."""
        return (
            await self._session.exec(
                select(DeclaredRow).where(DeclaredRow.dataset == dataset).order_by(DeclaredRow.model)
            )
        ).all()

    async def runs_in(self, *states: State, model: str | None = None) -> Sequence[RunRow]:
        """Runs in some states, those asked for first coming first; trials are played by the run that searches."""
        runs = (
            select(RunRow)
            .where(col(RunRow.state).in_(states), _NO_TRIAL)
            .order_by(col(RunRow.asked_at), col(RunRow.run))
        )
        return (await self._session.exec(runs if model is None else runs.where(RunRow.model == model))).all()

    async def evaluations_in(self, *states: State) -> Sequence[EvaluationRow]:
        """Evaluations in one of some states, those asked for first coming first."""
        found = select(EvaluationRow).where(col(EvaluationRow.state).in_(states))
        return (
            await self._session.exec(found.order_by(col(EvaluationRow.asked_at), col(EvaluationRow.evaluation)))
        ).all()

    async def imports_in(self, *states: State) -> Sequence[ImportRow]:
        """Imports in one of some states, those asked for first coming first."""
        found = select(ImportRow).where(col(ImportRow.state).in_(states))
        return (await self._session.exec(found.order_by(col(ImportRow.asked_at), col(ImportRow.import_id)))).all()

    async def history(self, run: str) -> Sequence[RunChangeRow]:
        """What became of a run, in order."""
        return (
            await self._session.exec(
                select(RunChangeRow).where(RunChangeRow.run == run).order_by(col(RunChangeRow.number))
            )
        ).all()

    async def trials(self, run: str) -> Sequence[RunRow]:
        """The trials of a run that searches, by number."""
        return (
            await self._session.exec(select(RunRow).where(RunRow.trial_of == run).order_by(col(RunRow.trial)))
        ).all()

    async def put_trial(self, search: Run, told: Trial, now: datetime) -> None:
        """Remember a trial as a run; told again it changes what has changed."""
        row, trial = await self._session.get(RunRow, told.run), as_run(search, told, now)
        if row is None:
            self._session.add(RunRow(**vars(trial)))
            return
        if State(row.state).ended:
            return
        row.state, row.outcome, row.ended_at = trial.state, _plain(trial.outcome), trial.ended_at

    async def end_trials(self, run: str, now: datetime) -> None:
        """Remember that the trials of a run have ended with it."""
        open_trials = (RunRow.trial_of == run, RunRow.state == State.RUNNING)
        for row in (await self._session.exec(select(RunRow).where(*open_trials))).all():
            row.state, row.ended_at = State.CANCELLED, now
            row.outcome = {"kind": "tried", "state": "cancelled", "reason": "its search ended before it did"}

    async def checkpoints(self, run: str, before: str, limit: int) -> Sequence[CheckpointRow]:
        """The checkpoints of a run that come before one by name, newest first; of all of them where none is said."""
        found = select(CheckpointRow).where(CheckpointRow.run == run)
        found = found.where(CheckpointRow.name < before) if before else found
        return (await self._session.exec(found.order_by(col(CheckpointRow.name).desc()).limit(limit))).all()

    async def add_checkpoint(self, fact: TrainingCheckpointed, at: datetime) -> None:
        """Remember a checkpoint, and that earlier ones are gone; told again it changes nothing."""
        made = fact.checkpoint
        if await self._session.get(CheckpointRow, (fact.run, made.name)) is None:
            same = {name: getattr(made, name) for name in ("name", "step", "digest", "size")}
            metrics, manifest = made.metrics or {}, made.manifest.model_dump(mode="json")
            row = CheckpointRow(run=fact.run, attempt=fact.attempt, metrics=metrics, manifest=manifest, at=at, **same)
            self._session.add(row)
        await self.remove_checkpoints(fact.run, at, fact.removed or [])

    async def remove_checkpoints(self, run: str, at: datetime, names: Sequence[str] | None = None) -> None:
        """Remember that checkpoints are gone; all of a run where none are named."""
        gone = sa.update(CheckpointRow).where(col(CheckpointRow.run) == run, col(CheckpointRow.removed_at).is_(None))
        gone = gone if names is None else gone.where(col(CheckpointRow.name).in_(names))
        await cast("Any", self._session).exec(gone.values(removed_at=at))

    async def with_old_checkpoints(self, now: datetime) -> Sequence[str]:
        """The ids of all runs whose checkpoints are to be removed: a part of them could be one that nobody can read."""
        return (await self._session.exec(select(RunRow.run).where(col(RunRow.checkpoints_until) <= now))).all()

    async def taken_by(
        self, by: Literal["owner", "model"], since: datetime | None, until: datetime | None, *, after: str, limit: int
    ) -> list[Taken]:
        """What the runs that ended took together, by owner (empty where none is declared) or model, and currency."""
        usage = sa.type_coerce(col(RunRow.usage), sa.JSON())
        name = sa.func.coalesce(col(getattr(RunRow, by)), "").label("name")
        currency = usage["currency"].as_string().label("currency")
        place = (sa.func.coalesce(currency, "-") + "/" + name).label("place")
        figures = ("queued_seconds", "seconds", "cpu_seconds", "gpu_seconds", "cost")
        sums = [sa.func.sum(usage[figure].as_float()).label(figure) for figure in figures]
        ended = [usage["seconds"].as_float().is_not(None), *_between(since, until)]
        query = sa.select(name, currency, sa.func.count().label("runs"), *sums).where(*ended, place > after)
        page = query.group_by(name, currency, place).order_by(place).limit(limit)
        rows = await cast("Any", self._session).exec(page)
        return [Taken(**{**row, "cpu_seconds": row["cpu_seconds"] or 0.0}) for row in rows.mappings()]

    async def queue(self) -> list[Queued]:
        """The runs that wait for a worker."""
        return [row.as_queued for row in await self.runs_in(State.QUEUED)]

    async def recent(self) -> dict[str, Recent]:
        """How many workers each model has now, and when it last got one."""
        running = sa.func.sum(sa.case((col(RunRow.state) == State.RUNNING, 1), else_=0))
        started = sa.func.max(col(RunRow.started_at), type_=UtcTime())
        rows = await self._session.exec(
            select(RunRow.model, running, started).where(_NO_TRIAL).group_by(col(RunRow.model))
        )
        return {model: Recent(int(many), last) for model, many, last in cast("Any", rows.all())}


def _plain(outcome: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if outcome is None else dict(outcome)


def _between(since: datetime | None, until: datetime | None) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions that choose the runs that ended within some time."""
    if since is not None:
        yield col(RunRow.ended_at) >= since
    if until is not None:
        yield col(RunRow.ended_at) < until
