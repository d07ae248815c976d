"""HTTP: the log as C2SP tlog-tiles serves it, proofs, searches and traces."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response
from pydantic import BaseModel, ConfigDict
from sqlmodel import col, select

from headrace.audit.checks import Witness, verify
from headrace.audit.domain import Chain, Event, NoSuchRow
from headrace.audit.log import Log
from headrace.audit.repository import Repository, Search
from headrace.audit.tables import GapRow
from headrace.audit.witnesses import witnesses
from headrace.chassis import NotFound
from headrace.chassis.http import RuntimeDep, SessionDep, provided, requires
from headrace.chassis.paging import Limit, Page, page_of
from headrace.contracts.base import Timestamp
from headrace.objects import ObjectStore
from headrace.tlog import (
    TILE_WIDTH,
    SigningKey,
    TileId,
    consistency_proof,
    encode_messages,
    inclusion_proof,
    leaf_hash,
    parse_tile_path,
    tree_root,
)
from headrace.tlog.tiles import tile_width

FOREVER = {"cache-control": "public, max-age=31536000, immutable"}  # a full tile never changes
LARGEST = 2**53  # of an index: beyond it JSON's numbers are not exact
NEVER = {"cache-control": "no-store"}

router = APIRouter(tags=["audit"], dependencies=[requires("audit:read")])
Index = Annotated[int, Path(ge=0, le=LARGEST)]
Place = Annotated[int, Query(ge=0, le=LARGEST)]


Key = Annotated[SigningKey, provided(SigningKey)]
Objects = Annotated[ObjectStore, provided(ObjectStore)]


async def published(runtime: RuntimeDep, objects: Objects, key: Key) -> Sequence[Witness]:
    """Where checkpoints lie that this service published."""
    return witnesses(runtime.connection, objects, key.name)


WitnessesDep = Annotated[Sequence[Witness], Depends(published)]


class EventView(BaseModel):
    """A recorded event: where it stands in the log, who said it, and why.

    Everything is read from the message itself; `altered` names what the tables or the log say otherwise of it.
    """

    model_config = ConfigDict(from_attributes=True)

    index: int
    id: str
    type: str
    subject: str
    key: str
    time: str
    authid: str | None
    source: str
    correlationid: str | None
    causationid: str | None
    trace_id: str | None
    stream: str
    seq: int
    sha256: str
    altered: list[str] = []


class EventDetail(EventView):
    """A recorded event with its data."""

    data: dict[str, Any]


class InclusionProof(BaseModel):
    """That an entry is in the log: hashes in base64, as RFC 6962 orders them."""

    index: int
    size: int
    entry: str
    leaf: str
    proof: list[str]
    root: str
    checkpoint: str


class ConsistencyProof(BaseModel):
    """That an older log is the beginning of a newer one."""

    from_size: int
    to_size: int
    from_root: str
    to_root: str
    proof: list[str]


class FindingView(BaseModel):
    """One place that does not fit."""

    what: str
    where: str
    expected: str
    found: str


class GapView(BaseModel):
    """Messages of a stream that did not come."""

    stream: str
    first: int
    last: int
    state: str


class Verification(BaseModel):
    """What the service found when it recomputed its own log; `first` names the first bad place."""

    whole: bool
    size: int
    root: str
    entries: int
    tiles: int
    checkpoints: int
    late: int
    first: FindingView | None
    findings: list[FindingView]
    gaps: list[GapView]


class Trace(BaseModel):
    """The chain behind a prediction or a version; `missing` says what the record does not hold of it.

    `files` says how many the dataset version consists of; `sources` are the newest of them.
    """

    model: str
    version: int
    digest: str | None
    origin: str | None
    run: str | None
    dataset: dict[str, Any] | None
    files: int
    sources: list[dict[str, Any]]
    prediction: EventDetail | None = None
    truths: list[EventView] = []
    events: list[EventView]
    missing: list[str]
    size: int


@router.get("/key")
async def key(key: Key) -> Response:
    """The log's verifying key, in the one-line form of Go's sumdb."""
    return Response(f"{key.verifying_key}\n", media_type="text/plain")


@router.get("/checkpoint")
async def checkpoint(session: SessionDep, key: Key) -> Response:
    """The newest signed checkpoint."""
    return Response(await Log(session, key).checkpoint(), media_type="text/plain", headers=NEVER)


@router.get("/tile/{path:path}")
async def tile(path: str, session: SessionDep, key: Key) -> Response:
    """A tile of hashes, or a bundle of entries, by its C2SP path."""
    try:
        level, number, width = parse_tile_path(path)
    except ValueError as error:
        raise NotFound(str(error)) from error
    log = Log(session, key)
    if tile_width(TileId(level or 0, number), (await log.head()).size) < width:
        raise NotFound(f"the log has no tile/{path} yet")
    with naming_what_is_gone():
        data = await (log.entries(number, width) if level is None else log.tile(TileId(level, number), width))
    headers = FOREVER if width == TILE_WIDTH else NEVER
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get("/messages")
async def messages(
    session: SessionDep,
    key: Key,
    start: Annotated[int, Query(alias="from", ge=0, le=LARGEST)],
    to: Annotated[int, Query(ge=1, le=LARGEST)],
) -> Response:
    """The messages behind the entries `from` to `to` (not included): as many as fit, at least one.

    Each is its headers in canonical JSON and its payload, both behind four bytes of length; the entry holds the
    SHA-256 of either.
    """
    if start >= to:
        raise HTTPException(422, "`to` must be greater than `from`")
    with naming_what_is_gone():
        kept = await Log(session, key).messages(start, min(to, start + TILE_WIDTH))
    return Response(encode_messages(kept), media_type="application/octet-stream", headers=NEVER)


@contextmanager
def naming_what_is_gone() -> Iterator[None]:
    """What the log should hold and does not is told as such; a check makes a finding of it."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise NotFound(f"{error}; GET /verify says what of the log is not whole") from error


@router.get("/log/{index}")
async def entry(index: Index, session: SessionDep) -> dict[str, Any]:
    """One log entry, with the event it stands for, byte for byte."""
    event, encoded, body = await Repository(session).at(index)
    return {
        "index": index,
        "entry": encoded.decode(),
        "leaf": leaf_hash(encoded).hex(),
        "event": EventDetail.model_validate(event),
        "body": base64.b64encode(body).decode(),
    }


@router.get("/proof/inclusion")
async def inclusion(
    session: SessionDep, key: Key, index: Place | None = None, id: str | None = None, size: Place | None = None
) -> InclusionProof:
    """Proof that an event, by its id or its index, is in the log that the newest checkpoint signs."""
    repository, log = Repository(session), Log(session, key)
    if index is None and id is None:
        raise HTTPException(422, "say which entry: ?index= or ?id=")
    at = index if index is not None else (await repository.event(id or "")).index
    head = await log.head()
    within = head.size if size is None else size
    if not 0 <= at < within <= head.size:
        raise NotFound(f"the log of {within} entries has no entry {at}; it has {head.size} entries now")
    with naming_what_is_gone():
        proof, root = await log.prove(lambda t: (inclusion_proof(t, at, within), tree_root(t, within)))
    _, encoded, _ = await repository.at(at)
    return InclusionProof(
        index=at,
        size=within,
        entry=encoded.decode(),
        leaf=_text(leaf_hash(encoded)),
        proof=[_text(step) for step in proof],
        root=_text(root),
        checkpoint=head.note,
    )


@router.get("/proof/consistency")
async def consistency(
    session: SessionDep, key: Key, start: Annotated[int, Query(alias="from", ge=0, le=LARGEST)], to: Place | None = None
) -> ConsistencyProof:
    """Proof that the log of `from` entries is the beginning of that of `to` (default: now)."""
    log = Log(session, key)
    size = (await log.head()).size
    end = size if to is None else to
    if not 0 < start <= end <= size:
        raise NotFound(f"there is no proof from {start} to {end}; the log has {size} entries")
    with naming_what_is_gone():
        proof, old, new = await log.prove(
            lambda t: (consistency_proof(t, start, end), tree_root(t, start), tree_root(t, end))
        )
    return ConsistencyProof(
        from_size=start,
        to_size=end,
        from_root=_text(old),
        to_root=_text(new),
        proof=[_text(step) for step in proof],
    )


@router.get("/verify")
async def verify_log(runtime: RuntimeDep, session: SessionDep, key: Key, known: WitnessesDep) -> Verification:
    """Recompute everything from the stored messages on; names the first place that does not fit.

    `whole` means what it means for a client that verifies by itself. `late` counts holes that a redelivery may fill.
    """
    verdict = await verify(runtime.session, key, known)
    gaps = (await session.exec(select(GapRow).where(col(GapRow.state).in_(["open", "reported", "expired"])))).all()
    return Verification(
        whole=verdict.ok,
        size=verdict.size,
        root=verdict.root,
        entries=verdict.entries,
        tiles=verdict.tiles,
        checkpoints=verdict.checkpoints,
        late=verdict.late,
        first=FindingView(**asdict(verdict.first)) if verdict.first else None,
        findings=[FindingView(**asdict(finding)) for finding in verdict.findings[:100]],
        gaps=[GapView(**gap.model_dump()) for gap in gaps],
    )


@router.get("/events")
async def events(
    session: SessionDep,
    type: str | None = None,
    key: str | None = None,
    correlation: str | None = None,
    actor: str | None = None,
    stream: str | None = None,
    since: Timestamp | None = None,
    until: Timestamp | None = None,
    cursor: Place | None = None,
    limit: Limit = 100,
) -> Page[EventDetail]:
    """Search the record, newest first. `type` may end in `*`."""
    wanted = Search(type, key, correlation, actor, stream, since, until)
    found = await Repository(session).search(wanted, cursor, limit + 1)
    return page_of(found, limit, show=EventDetail.model_validate, cursor=lambda event: event.index)


@router.get("/events/{event_id}")
async def event(event_id: str, session: SessionDep) -> EventDetail:
    """One event by its id."""
    return EventDetail.model_validate(await Repository(session).event(event_id))


@router.get("/trace/prediction/{prediction_id}")
async def trace_prediction(prediction_id: str, session: SessionDep, key: Key) -> Trace:
    """Request, model, run, data set version, source files, and every event on the way: who, when, and where logged."""
    try:
        logged, truths, chain = await Repository(session).trace_prediction(prediction_id)
    except NoSuchRow as error:
        raise NotFound(str(error)) from error
    size = (await Log(session, key).head()).size
    told = [EventView.model_validate(truth) for truth in truths]
    trace = _trace(chain, size, [logged])
    return trace.model_copy(update={"prediction": EventDetail.model_validate(logged), "truths": told})


@router.get("/trace/model/{model}/{version}")
async def trace_version(model: str, version: Index, session: SessionDep, key: Key) -> Trace:
    """Everything behind a model version."""
    chain = await Repository(session).trace_version(model, version)
    return _trace(chain, (await Log(session, key).head()).size, [])


def _trace(chain: Chain, size: int, last: list[Event]) -> Trace:
    return Trace(
        model=chain.model,
        version=chain.version,
        digest=chain.digest,
        origin=chain.origin,
        run=chain.run,
        dataset=dict(chain.dataset) if chain.dataset else None,
        files=chain.files,
        sources=[dict(source) for source in chain.sources],
        events=[EventView.model_validate(event) for event in [*chain.ordered(), *last]],
        missing=chain.missing,
        size=size,
    )


def _text(hash_: bytes) -> str:
    return base64.b64encode(hash_).decode()
