"""One function for each fact that ingest hears."""

from __future__ import annotations

from datetime import datetime

from headrace.bus import Refused, UnitOfWork
from headrace.contracts import Contract, IngestRequested, ModelDeclared, encode
from headrace.contracts.contract import contract_problems
from headrace.ingest.domain import INGEST_MODES, Use, named
from headrace.ingest.jobs import Jobs
from headrace.ingest.reading import resolved, wording_of
from headrace.ingest.sources import FILE_FORMATS
from headrace.ingest.tables import ContractRow, JobRow, Repository
from headrace.objects import ObjectStore


async def on_ingest_requested(event: IngestRequested, work: UnitOfWork, *, store: ObjectStore, jobs: Jobs) -> None:
    """Queue the work under the request's id: heard twice, it is one job."""
    place, mode = event.object, INGEST_MODES.known(event.mode or "append", "mode")
    file_format = FILE_FORMATS.known(event.format, "format") if event.format else None
    if not await store.may_be_there(place.bucket, place.key):
        raise Refused(f"there is no object {place.key!r} in bucket {place.bucket!r} that ingest may read")
    assert work.cause is not None
    if await work.session.get(JobRow, work.cause.id) is None:
        work.session.add(
            JobRow(
                id=work.cause.id,
                dataset=event.dataset,
                mode=mode,
                source=place.model_dump(mode="json", exclude_none=True),
                format=file_format,
                source_name=event.source_name or place.key.rpartition("/")[2],
                cause=encode(work.cause).decode(),
                actor=work.actor,
                created=work.now,
            )
        )
        jobs.wake()


async def on_model_declared(event: ModelDeclared, work: UnitOfWork) -> None:
    """A contract that a model declares holds for its dataset from now on; `infer` leaves what is there.

    Where two models declare contracts for one dataset, the one declared last holds.
    """
    data = event.declaration.data
    repository = Repository(work.session)
    await repository.put_use(data.dataset, Use(event.name, data.target, data.time), event.revision)
    if data.contract == "infer":
        return
    origin = f"declared:{event.name}/{event.revision}"
    if origin not in await repository.contract_origins(data.dataset):
        await set_contract(repository, data.dataset, data.contract, origin=origin, by=event.by, at=work.now)


async def set_contract(
    repository: Repository, dataset: str, contract: Contract, *, origin: str, by: str, at: datetime
) -> ContractRow:
    """The one way in for contracts, declared or put; raises Refused where no file could keep it."""
    if problems := [str(each) for each in contract_problems(contract)]:
        raise Refused(f"the contract of dataset {dataset!r} is not usable: {'; '.join(problems)}")
    wording = wording_of(contract)
    rules = resolved(named(contract.columns or []), wording)
    return await repository.put_contract(dataset, rules, wording, origin=origin, by=by, at=at)
