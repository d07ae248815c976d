"""HTTP: truth in; windows, drift and quality out."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlmodel import col, select

from headrace.chassis import NotFound
from headrace.chassis.http import Page, SessionDep, WorkDep, requires
from headrace.contracts import Label, TruthReported
from headrace.monitor.domain import window_of
from headrace.monitor.handlers import keep_truths
from headrace.monitor.tables import AskedRow, DeclaredRow, Records, WindowRow

router = APIRouter(prefix="/models/{model}", tags=["monitor"])
READ, WRITE = requires("monitor:read"), requires("monitor:write")
Limit = Annotated[int, Query(ge=1, le=500)]


class LabelIn(BaseModel):
    """What really happened to one predicted row; `id:row`, and the bare id for row 0."""

    prediction_id: str
    value: float | str | bool
    at: datetime | None = None


class TruthIn(BaseModel):
    """At most 10,000 truths."""

    labels: list[LabelIn] = Field(min_length=1, max_length=10_000)


class TruthTaken(BaseModel):
    """How many truths were taken, and for how many the prediction is not known here yet; those wait for it."""

    accepted: int
    unknown: int


class Status(BaseModel):
    """Where the watch of a model stands."""

    model: str
    windows: int
    newest_prediction: datetime | None
    open_window: dict[str, datetime] | None
    last: dict[str, Any] | None
    retraining_asked: list[dict[str, Any]]


@router.post("/truth", dependencies=[WRITE])
async def post_truth(model: str, truth: TruthIn, work: WorkDep) -> TruthTaken:
    """Report what really happened."""
    await _declared(work.session, model)
    labels = [Label(prediction_id=each.prediction_id, value=each.value, at=each.at) for each in truth.labels]
    return TruthTaken(**await keep_truths(TruthReported(model=model, labels=labels), work))


@router.get("/windows", dependencies=[READ])
async def list_windows(
    model: str, session: SessionDep, cursor: int | None = None, limit: Limit = 100
) -> Page[dict[str, Any]]:
    """Every judged window, newest first, as `window.evaluated` said it."""
    await _declared(session, model)
    query = select(WindowRow).where(WindowRow.model == model).order_by(col(WindowRow.number).desc()).limit(limit)
    query = query.where(col(WindowRow.number) < cursor) if cursor else query
    rows = (await session.exec(query)).all()
    next_cursor = str(rows[-1].number) if len(rows) == limit else None
    return Page(items=[row.figures for row in rows], next_cursor=next_cursor)


@router.get("/windows/{number}", dependencies=[READ])
async def get_window(model: str, number: int, session: SessionDep) -> dict[str, Any]:
    """One judged window."""
    row = await session.get(WindowRow, (model, number))
    if row is None:
        raise NotFound(f"{model} has no judged window {number}; GET /models/{model}/windows lists them")
    return row.figures


@router.get("/drift", dependencies=[READ])
async def get_drift(model: str, session: SessionDep) -> dict[str, Any]:
    """Drift per column in the newest window."""
    figures = await _newest(session, model)
    return {name: figures.get(name) for name in ("window", "version", "drift_share", "drift")}


@router.get("/performance", dependencies=[READ])
async def get_performance(model: str, session: SessionDep) -> dict[str, Any]:
    """Quality in the newest window, beside what was promised."""
    figures = await _newest(session, model)
    return {name: figures.get(name) for name in ("window", "version", "truths", "metrics", "reference", "fairness")}


@router.get("/status", dependencies=[READ])
async def get_status(model: str, session: SessionDep) -> Status:
    """Where the watch stands: the open window, the newest figures, what was asked for."""
    row = await _declared(session, model)
    asked = (await session.exec(select(AskedRow).where(AskedRow.model == model))).all()
    window = window_of(row.parsed().monitoring.every, row.newest) if row.newest else None
    last = await session.get(WindowRow, (model, row.windows))
    return Status(
        model=model,
        windows=row.windows,
        newest_prediction=row.newest,
        open_window={"start": window[0], "end": window[1]} if window else None,
        last=last.figures if last else None,
        retraining_asked=[each.model_dump(exclude={"model"}) for each in asked],
    )


async def _declared(session: SessionDep, model: str) -> DeclaredRow:
    row = await Records(session).declared(model)
    if row is None or not row.revision:
        raise NotFound(f"no model is named {model!r}; declare it with `headrace apply FILE`")
    return row


async def _newest(session: SessionDep, model: str) -> dict[str, Any]:
    row = await _declared(session, model)
    window = await session.get(WindowRow, (model, row.windows))
    if window is None:
        raise NotFound(f"no window of {model} was judged yet; GET /models/{model}/status shows the open one")
    return window.figures
