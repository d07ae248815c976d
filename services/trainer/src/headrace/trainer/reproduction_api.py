"""HTTP for making a version again: ask for it. What came of it stands with the run."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from headrace.chassis import NotFound
from headrace.chassis.http import UnitOfWorkDep, requires
from headrace.contracts import ReproductionRequested
from headrace.trainer.api import DispatcherDep, RunView, view
from headrace.trainer.import_api import StoreDep
from headrace.trainer.reproduction_handlers import request_reproduction
from headrace.trainer.tables import VersionRow

router = APIRouter(tags=["trainer"])


class ReproductionWish(BaseModel):
    """How a version is made again, as in `request.reproduction`."""

    model_config = {"extra": "forbid"}

    reason: str | None = None
    tolerance: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None


@router.post(
    "/models/{model}/versions/{version}/reproductions", status_code=202, dependencies=[requires("trainer:write")]
)
async def reproduce(
    model: str,
    version: Annotated[int, Path(ge=1, le=2**31 - 1)],
    work: UnitOfWorkDep,
    dispatcher: DispatcherDep,
    store: StoreDep,
    wish: ReproductionWish | None = None,
) -> RunView:
    """Ask for a run that makes a version again, as the event `request.reproduction` does; it makes no version."""
    if await work.session.get(VersionRow, (model, version)) is None:
        raise NotFound(f"there is no version models:/{model}/{version}; the registry lists those that there are")
    asked = (wish or ReproductionWish()).model_dump(exclude_none=True)
    dispatcher.wake_after(work)
    event = ReproductionRequested.model_validate({"model": model, "version": version, **asked})
    run = await request_reproduction(event, work, store)
    await dispatcher.tell_if_waiting(run, work)
    return view(run)
