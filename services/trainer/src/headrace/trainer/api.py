"""HTTP for people and programs outside: what runs, what waits, and the two things one can ask for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlmodel import col, select

from headrace.bus import Refused
from headrace.chassis import NotFound
from headrace.chassis.http import RuntimeDep, SessionDep, UnitOfWorkDep, provided, requires
from headrace.chassis.paging import Limit, NameCursor, Page, page_of
from headrace.contracts import CancelRequested, Column, PromotionRequested, TrainingRequested
from headrace.contracts.catalogs import TRAINING_DATA
from headrace.frameworks.catalog import not_installed
from headrace.trainer.comparison import compared
from headrace.trainer.dispatch import Dispatcher
from headrace.trainer.domain import State
from headrace.trainer.handlers import cancel_run, promote_run, request_run
from headrace.trainer.reproduction import Wanted, judged
from headrace.trainer.resources import Size
from headrace.trainer.run_logs import RunLogs
from headrace.trainer.scheduling import next_runs
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.tables import DeclaredRow, Repository, RunChangeRow, RunRow
from headrace.trainer.worker.jobs import Trained, TrainJob

router = APIRouter(tags=["trainer"])
LogsDep = Annotated[RunLogs, provided(RunLogs)]
SettingsDep = Annotated[TrainerSettings, provided(TrainerSettings)]
DispatcherDep = Annotated[Dispatcher, provided(Dispatcher)]
_OF_PARTS = ("same", "recorded", "now")
_MANY = 10_000  # runs in a queue that are shown in the order in which they will start


class RunView(BaseModel):
    """A run as people see it."""

    run: str
    model: str
    dataset: str
    dataset_version: int | None
    declared_revision: int
    state: State
    waits_for: str | None
    waits_detail: str | None
    reason: str
    requested_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempt: int
    progress: dict[str, Any] | None
    outcome: dict[str, Any] | None
    owner: str | None
    usage: dict[str, Any] | None
    experiment: str | None
    priority: int
    custom: dict[str, float]
    yields: dict[str, Any] | None
    preemptions: int
    promoted_by: str | None
    params: dict[str, Any]
    search: dict[str, Any] | None
    trial_of: str | None
    trial: int | None
    losses: int
    resumed_from: dict[str, Any] | None
    checkpoint: dict[str, Any] | None
    checkpoints_until: datetime | None


class CostView(BaseModel):
    """What the runs of one owner, or of one model, took together, in one currency; runs without a price apart."""

    name: str
    runs: int
    queued_seconds: float
    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    cost: float | None
    currency: str | None


class ChangeView(BaseModel):
    """One step of a run's history."""

    at: datetime
    state: State
    detail: str


class RoomView(BaseModel):
    """Why a run could never start, and what to do; nothing where a node is large enough, or none is known."""

    known: bool
    lacks: str | None


class PartView(BaseModel):
    """One part of a version as it is recorded, and as it is now; of lists of names only those that differ."""

    part: str
    same: bool
    recorded: Any
    now: Any


class ReproductionView(BaseModel):
    """Whether a run has made a version again; nothing of it is known before the run is completed."""

    version: int
    run: str | None
    tolerance: float
    reproduced: bool | None = None
    by: str | None = None
    because: str | None = None
    parts: list[PartView] = []


class RunDetail(RunView):
    """A run with all that it was made of, and what became of it."""

    warnings: list[str]
    log: str
    estimator: str | None
    seed: int | None
    features: list[Column]
    history: list[ChangeView]
    reproduction: ReproductionView | None


class QueueView(BaseModel):
    """What runs, and what waits, in the order in which it will start."""

    running: list[RunView]
    queued: list[RunView]
    waiting_for_resources: list[RunView]
    waiting_for_quota: list[RunView]
    waiting_for_data: list[RunView]


class TrainingWish(BaseModel):
    """A request for training, as in `request.training`."""

    model_config = {"extra": "forbid"}

    reason: str | None = None
    data: Annotated[str | None, Field(json_schema_extra={"enum": [*TRAINING_DATA, None]})] = None
    dataset_version: Annotated[int | None, Field(ge=1)] = None
    params: dict[str, Any] | None = None
    seed: Annotated[int | None, Field(ge=0)] = None
    experiment: Annotated[str | None, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = None
    search: Annotated[dict[str, Any] | None, Field(description="In place of the declared `training.search`.")] = None
    priority: int | str | None = None


class ComparedView(BaseModel):
    """One thing about some runs, with its value in each of them, in the order in which they were asked for."""

    part: str
    name: str
    values: list[Any]
    differs: bool


class ComparisonView(BaseModel):
    """Runs side by side, line by line; the values of a line are in the order of the runs."""

    runs: list[str]
    lines: list[ComparedView]


class PromotionWish(BaseModel):
    """Why a run of an experiment becomes a version."""

    model_config = {"extra": "forbid"}

    reason: str | None = None


class CancelWish(BaseModel):
    """Why a run or an import is cancelled."""

    model_config = {"extra": "forbid"}

    reason: str | None = None


@router.get("/room", dependencies=[requires("trainer:read")])
async def room(
    dispatcher: DispatcherDep,
    cpus: Annotated[float, Query(gt=0, le=4096)] = 1,
    gpus: Annotated[float, Query(ge=0, le=4096)] = 0,
    framework: Annotated[str | None, Query(max_length=63)] = None,
    custom: Annotated[list[str], Query(description="What nodes have by a name, as NAME=AMOUNT.", max_length=100)] = [],  # noqa: B006  of FastAPI, which copies it
    owner: Annotated[str | None, Query(max_length=10_000, description="The team that a declaration names.")] = None,
) -> RoomView:
    """Whether a node of today's cluster is large enough for a run of this size, its owner may have it at work, and its
    framework is installed.
    """
    size = Size.of(cpus, gpus, _amounts(custom))
    known, lacks = await dispatcher.lacks(size)
    exceeded, missing = dispatcher.quotas.exceeded(owner, size), not_installed(framework) if framework else None
    told = [each for each in (lacks, exceeded, missing) if each]
    return RoomView(known=known, lacks="; ".join(told) or None)


def _amounts(custom: Sequence[str]) -> dict[str, float]:
    """Amounts by name, of NAME=AMOUNT; raises Refused."""
    try:
        return {name: float(amount) for name, _, amount in (each.partition("=") for each in custom)}
    except ValueError as error:
        raise Refused(f"custom takes NAME=AMOUNT, such as fpga=1: {error}") from error


@router.get("/runs", dependencies=[requires("trainer:read")])
async def runs(
    session: SessionDep,
    model: str | None = None,
    state: State | None = None,
    experiment: str | None = None,
    trial_of: Annotated[str | None, Query(description="The trials of this run alone.")] = None,
    cursor: NameCursor = "",
    limit: Limit = 100,
) -> Page[RunView]:
    """Runs, the newest first; the trials of searches are among them."""
    found = select(RunRow).order_by(col(RunRow.asked_at).desc(), col(RunRow.run).desc()).limit(limit + 1)
    found = found if model is None else found.where(RunRow.model == model)
    found = found if state is None else found.where(RunRow.state == state)
    found = found if experiment is None else found.where(RunRow.experiment == experiment)
    found = found if trial_of is None else found.where(RunRow.trial_of == trial_of)
    if cursor:
        last = await _run(session, cursor)
        older, same = col(RunRow.asked_at) < last.asked_at, col(RunRow.asked_at) == last.asked_at
        found = found.where(older | (same & (col(RunRow.run) < last.run)))
    rows = (await session.exec(found)).all()
    return page_of(rows, limit, show=view, cursor=lambda row: row.run)


@router.get("/runs/{run}", dependencies=[requires("trainer:read")])
async def one_run(run: str, session: SessionDep) -> RunDetail:
    """One run, with its history."""
    return detail(await _run(session, run), await Repository(session).history(run))


@router.get("/comparison", dependencies=[requires("trainer:read")])
async def comparison(
    session: SessionDep,
    run: Annotated[list[str], Query(min_length=2, max_length=20, description="Ids of the runs, two or more.")],
    differs: Annotated[bool, Query(description="Only what the runs differ in.")] = False,
) -> ComparisonView:
    """Runs side by side: parameters, metrics, data and code, and what they differ in."""
    found = compared([(await _run(session, each)).as_run for each in run])
    shown = [each for each in found if each.differs or not differs]
    lines = [ComparedView(part=e.part, name=e.name, values=list(e.values), differs=e.differs) for e in shown]
    return ComparisonView(runs=run, lines=lines)


@router.post("/runs/{run}/promote", dependencies=[requires("trainer:write")])
async def promote(run: str, work: UnitOfWorkDep, wish: PromotionWish | None = None) -> RunView:
    """Make a version of a completed run of an experiment, as the event `request.promotion` does."""
    found = await _run(work.session, run)
    reason = wish.reason if wish else None
    return view(await promote_run(PromotionRequested(model=found.model, run=run, reason=reason), work))


@router.get("/costs", dependencies=[requires("trainer:read")])
async def costs(
    session: SessionDep,
    by: Literal["owner", "model"] = "model",
    since: Annotated[datetime | None, Query(description="Of runs that ended at this time or later.")] = None,
    until: Annotated[datetime | None, Query(description="Of runs that ended before this time.")] = None,
    cursor: NameCursor = "",
    limit: Limit = 100,
) -> Page[CostView]:
    """What runs took, and what that cost, summed by model or by owner; runs that failed or were cancelled too."""
    rows = await Repository(session).taken_by(by, since, until, after=cursor, limit=limit + 1)
    return page_of(rows, limit, show=lambda row: CostView(**vars(row)), cursor=lambda row: row.cursor)


@router.get(
    "/runs/{run}/logs",
    dependencies=[requires("trainer:read")],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def logs(run: str, session: SessionDep, runtime: RuntimeDep, kept: LogsDep, follow: bool = False) -> Response:
    """What the code of a run has printed, bounded: its head, how much was cut, its end; of libraries the end alone.

    With `follow` the answer goes on with what comes, until the run has ended.
    """
    await _run(session, run)
    return StreamingResponse(kept.pieces(runtime, run, follow=follow), media_type="text/plain; charset=utf-8")


@router.get("/queue", dependencies=[requires("trainer:read")])
async def the_queue(session: SessionDep, runtime: RuntimeDep, settings: SettingsDep) -> QueueView:
    """What runs, and what waits for a worker, for data, for a node or for its owner's quota."""
    queued = {run.run: run for run in await Repository(session).runs_in(State.QUEUED)}
    kept_back = {name: run.waits_for for name, run in queued.items() if run.waits_for in ("resources", "quota")}
    ready = [each for each in await Repository(session).queue() if each.run not in kept_back]
    recent, now = await Repository(session).recent(), runtime.clock()
    order = next_runs(ready, recent, _MANY, now=now, aging=settings.priority_aging)
    return QueueView(
        running=[view(run) for run in await Repository(session).runs_in(State.RUNNING)],
        queued=[view(queued[run]) for run in order if run in queued],
        waiting_for_resources=[view(queued[name]) for name, why in kept_back.items() if why == "resources"],
        waiting_for_quota=[view(queued[name]) for name, why in kept_back.items() if why == "quota"],
        waiting_for_data=[view(run) for run in await Repository(session).runs_in(State.WAITING)],
    )


@router.post("/models/{model}/runs", status_code=202, dependencies=[requires("trainer:write")])
async def train(model: str, wish: TrainingWish, work: UnitOfWorkDep, dispatcher: DispatcherDep) -> RunView:
    """Ask for a run, as the event `request.training` does."""
    if await work.session.get(DeclaredRow, model) is None:
        raise NotFound(f"no model named {model!r} is declared; declare it first with `headrace apply`")
    asked = TrainingRequested.model_validate({"model": model, **wish.model_dump()})
    dispatcher.wake_after(work)
    run = await request_run(asked, work)
    await dispatcher.tell_if_waiting(run, work)
    return view(run)


@router.post("/runs/{run}/cancel", dependencies=[requires("trainer:write")])
async def cancel(run: str, work: UnitOfWorkDep, dispatcher: DispatcherDep, wish: CancelWish | None = None) -> RunView:
    """End a run, as the event `request.cancel` does."""
    found = await _run(work.session, run)
    dispatcher.wake_after(work)
    reason = wish.reason if wish else None
    return view(await cancel_run(CancelRequested(model=found.model, run=run, reason=reason), work))


def view(run: RunRow) -> RunView:
    """A row as people see it, without what was printed on the way."""
    seen = RunView.model_validate(run, from_attributes=True)
    waits = run.state in (State.WAITING, State.QUEUED)
    outcome = {name: value for name, value in run.outcome.items() if name != "log"} if run.outcome else None
    return seen.model_copy(update={"outcome": outcome} | ({} if waits else {"waits_for": None, "waits_detail": None}))


def detail(run: RunRow, changes: Sequence[RunChangeRow]) -> RunDetail:
    """A row with its history."""
    job, outcome = run.job or {}, run.outcome or {}
    return RunDetail(
        **view(run).model_dump(exclude={"params"}),
        warnings=outcome.get("warnings", []),
        log=outcome.get("log", ""),
        estimator=job.get("estimator"),
        params=job.get("params", run.params),
        seed=job.get("seed", run.seed),
        features=[Column.model_validate(column) for column in job.get("features", [])],
        history=[ChangeView.model_validate(change, from_attributes=True) for change in changes],
        reproduction=_reproduction(run),
    )


def _reproduction(run: RunRow) -> ReproductionView | None:
    """What came of making a version again, part by part."""
    if run.reproduces is None:
        return None
    wanted = Wanted.model_validate(run.reproduces)
    version = wanted.registered
    told = {"version": version.version, "run": version.lineage.run, "tolerance": wanted.tolerance}
    if run.state != State.COMPLETED:
        return ReproductionView.model_validate(told)
    verdict = judged(wanted, TrainJob.model_validate(run.job), Trained.model_validate(run.outcome))
    parts = [PartView(part=each.name, **{name: getattr(each, name) for name in _OF_PARTS}) for each in verdict.parts]
    return ReproductionView(**told, reproduced=verdict.reproduced, by=verdict.by, because=verdict.because, parts=parts)


async def _run(session: SessionDep, run: str) -> RunRow:
    found = await session.get(RunRow, run)
    if found is None:
        raise NotFound(f"no run {run!r}; GET /runs lists them")
    return found
