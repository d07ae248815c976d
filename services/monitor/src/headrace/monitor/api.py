"""HTTP: truth in; windows, drift and quality out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from sqlmodel import col, select

from headrace.chassis import Conflict, NotFound
from headrace.chassis.http import SessionDep, UnitOfWorkDep, requires
from headrace.chassis.paging import Limit, NumberCursor, Page, page_of
from headrace.contracts import Label, TruthReported
from headrace.contracts.times import rfc3339
from headrace.monitor.domain import window_of
from headrace.monitor.handlers import keep_truths
from headrace.monitor.tables import (
    AskedRow,
    DeclaredRow,
    DeliveryRow,
    Judged,
    JudgementRow,
    Repository,
    ScheduleRow,
    WindowRow,
)

router = APIRouter(prefix="/models/{model}", tags=["monitor"])
READ, WRITE = requires("monitor:read"), requires("monitor:write")
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the one that answered most rows.")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
SHOWN = 20  # ids that an answer names


def _moment(value: Any) -> datetime | None:
    return None if value is None else rfc3339(value)


class LabelIn(BaseModel):
    """What really happened to one predicted row; `id:row`, and the bare id for row 0; or the caller's own key."""

    prediction_id: str | None = None
    key: str | None = None
    value: StrictInt | StrictFloat | StrictStr | StrictBool
    at: Annotated[datetime | None, BeforeValidator(_moment)] = None


class TruthIn(BaseModel):
    """At most 10,000 truths."""

    labels: list[LabelIn] = Field(min_length=1, max_length=10_000)


class TruthTaken(BaseModel):
    """What became of each truth: every one is counted once.

    `accepted` count when their window is judged; `waiting` do so too, as soon as their answer is logged here; `late`
    are kept, but their window is judged already; `unknown` were not kept, since the prediction has no such row or is
    another model's. A key names the newest prediction that has it, in event time; a truth that comes before the first
    one waits for that.
    """

    accepted: int
    waiting: int
    late: int
    unknown: int
    unknown_ids: list[str] = Field(description="The first of the unknown ones.")


class Late(BaseModel):
    """What came after its window was judged, and so is in no figure."""

    predictions: int
    truths: int


class Status(BaseModel):
    """Where the watch of a model stands."""

    model: str
    windows: int
    newest_prediction: datetime | None
    open_window: dict[str, datetime] | None
    last: dict[str, Any] | None
    late: Late
    retraining_asked: list[dict[str, Any]]
    retraining_due: datetime | None


@router.post("/truth", dependencies=[WRITE])
async def post_truth(model: str, truth: TruthIn, work: UnitOfWorkDep) -> TruthTaken:
    """Report what really happened. All truths are good for the model, or none is kept and each bad one is named."""
    repository = Repository(work.session)
    await _declared(work.session, model)
    if not await repository.versions(model):
        raise Conflict(f"{model} has no version yet, so nothing can have been predicted")
    found = await keep_truths(_reported(model, truth), work)
    return TruthTaken(
        accepted=found.accepted,
        waiting=len(found.waiting) + len(found.by_key),
        late=len(found.late),
        unknown=len(found.unknown),
        unknown_ids=found.unknown[:SHOWN],
    )


def _reported(model: str, truth: TruthIn) -> TruthReported:
    """As an event would say it, not yet checked: a value that no event can hold is told of with the model's labels."""
    labels = [
        Label.model_construct(prediction_id=each.prediction_id, key=each.key, value=each.value) for each in truth.labels
    ]
    return TruthReported.model_construct(model=model, labels=labels)


class DeliveryView(BaseModel):
    """An alert, and whether somebody was told of it."""

    delivery: str
    alert: str
    kind: str
    severity: str
    channel: str
    to: str
    state: Literal["waiting", "sent", "given up"]
    created_at: datetime
    sent_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, row: DeliveryRow) -> "DeliveryView":
        """As people read it."""
        state = "sent" if row.sent_at else "given up" if row.given_up else "waiting"
        return cls(**row.model_dump(exclude={"number", "model", "body", "given_up"}), state=state, reason=row.given_up)


@router.get("/deliveries", dependencies=[READ])
async def list_deliveries(
    model: str, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[DeliveryView]:
    """Who was told of the model's alerts, newest first, and who could not be."""
    await _declared(session, model)
    rows = await Repository(session).deliveries(model, cursor, limit + 1)
    return page_of(rows, limit, show=DeliveryView.of, cursor=lambda row: row.number)


@router.get("/windows", dependencies=[READ])
async def list_windows(
    model: str,
    session: SessionDep,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}$")] = None,
    limit: Limit = 100,
) -> Page[dict[str, Any]]:
    """Every judged window, newest first, a version each, as `window.evaluated` said it; with what came late."""
    await _declared(session, model)
    number, _, version = (cursor or "").partition(".")
    below = (int(number), int(version)) if cursor else None
    rows = await Repository(session).windows(model, below, limit + 1)
    return page_of(rows, limit, show=_shown, cursor=lambda row: f"{row[0].number}.{row[0].version}")


@router.get("/windows/{number}", dependencies=[READ])
async def get_window(model: str, number: Number, session: SessionDep, version: Version = None) -> dict[str, Any]:
    """One judged window, for one of the versions that answered in it."""
    return await _window(session, model, number, version)


@router.get("/drift", dependencies=[READ])
async def get_drift(model: str, session: SessionDep, version: Version = None) -> dict[str, Any]:
    """Drift per column in the newest window, and the columns that could not be judged."""
    figures = await _newest(session, model, version)
    names = ("window", "version", "versions", "drift_share", "drift", "not_judged", "late")
    return {name: figures.get(name) for name in names}


@router.get("/performance", dependencies=[READ])
async def get_performance(model: str, session: SessionDep, version: Version = None) -> dict[str, Any]:
    """Quality in the newest window, beside what was promised."""
    figures = await _newest(session, model, version)
    names = ("window", "version", "versions", "truths", "metrics", "reference", "fairness", "not_judged", "late")
    return {name: figures.get(name) for name in names}


@router.get("/status", dependencies=[READ])
async def get_status(model: str, session: SessionDep) -> Status:
    """Where the watch stands: the open window, the newest figures, what was asked for."""
    row = await _declared(session, model)
    asked = (await session.exec(select(AskedRow).where(AskedRow.model == model).order_by(col(AskedRow.at)))).all()
    schedule = await session.get(ScheduleRow, model)
    judgements = await Repository(session).judgements(model, row.windows)
    window = await session.get(WindowRow, (model, row.windows))
    return Status(
        model=model,
        windows=row.windows,
        newest_prediction=row.newest,
        open_window=_open_window(row),
        last=_shown((_main(judgements), window)) if judgements and window else None,
        late=Late(predictions=row.late_predictions, truths=row.late_truths),
        retraining_asked=[each.model_dump(exclude={"model"}) for each in asked],
        retraining_due=schedule.due if schedule else None,
    )


def _open_window(row: DeclaredRow) -> dict[str, datetime] | None:
    """None before the first answer, and where the declared schedule makes no windows."""
    if row.newest is None:
        return None
    try:
        start, end = window_of(row.parsed().monitoring.every, row.newest)
    except (ValueError, ArithmeticError):
        return None
    return {"start": start, "end": end}


def _shown(judged: Judged) -> dict[str, Any]:
    judgement, window = judged
    late = {"predictions": window.late_predictions, "truths": window.late_truths}
    return {**judgement.figures, "judged_at": window.judged_at, "late": late}


def _main(judgements: Sequence[JudgementRow]) -> JudgementRow:
    """The version that answered most rows."""
    return max(judgements, key=lambda each: int(each.figures["predictions"]))


async def _declared(session: SessionDep, model: str) -> DeclaredRow:
    row = await Repository(session).declared(model)
    if row is None or not row.revision:
        raise NotFound(f"no model is named {model!r}; declare it with `headrace apply FILE`")
    return row


async def _window(session: SessionDep, model: str, number: int, version: int | None) -> dict[str, Any]:
    window = await session.get(WindowRow, (model, number))
    if window is None:
        raise NotFound(f"{model} has no judged window {number}; GET /models/{model}/windows lists them")
    if window.failed is not None:
        raise NotFound(f"window {number} of {model} could not be judged: {window.failed}")
    judgements = await Repository(session).judgements(model, number)
    if version is None:
        return _shown((_main(judgements), window))
    found = next((each for each in judgements if each.version == version), None)
    if found is None:
        versions = ", ".join(str(each.version) for each in judgements)
        raise NotFound(f"version {version} answered nothing in window {number} of {model}; versions {versions} did")
    return _shown((found, window))


async def _newest(session: SessionDep, model: str, version: int | None) -> dict[str, Any]:
    row = await _declared(session, model)
    if not row.windows:
        raise NotFound(f"no window of {model} was judged yet; GET /models/{model}/status shows the open one")
    return await _window(session, model, row.windows, version)
