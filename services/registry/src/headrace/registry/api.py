"""HTTP: declarations, versions, approvals, aliases, risk, cards."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Path, Response
from sqlmodel import col, select

from headrace.chassis import Conflict, NotFound
from headrace.chassis.auth import Gate
from headrace.chassis.http import GateDep, RuntimeDep, SessionDep, UnitOfWorkDep, requires
from headrace.chassis.paging import Limit, NameCursor, NumberCursor, Page, page_of
from headrace.contracts import RiskReviewed
from headrace.contracts.base import Timestamp
from headrace.contracts.names import NAME
from headrace.registry.card import lineage, model_card
from headrace.registry.decisions import authors, decide, held, move_by_hand, must_be_approved
from headrace.registry.declarations import declare
from headrace.registry.domain import State, review_due, risk_of, too_few
from headrace.registry.gates import CHAMPION
from headrace.registry.governance import known, move_alias, policy_for, voices
from headrace.registry.tables import AliasMoveRow, ModelRow, Repository, RevisionRow, VersionRow
from headrace.registry.views import (
    AliasView,
    AliasWish,
    Applied,
    ChangeView,
    Decision,
    ModelDetail,
    ModelView,
    Review,
    Revision,
    RiskView,
    ServiceWish,
    Standing,
    VersionDetail,
    VersionView,
    change_view,
    decision_view,
    model_view,
    version_view,
)

router = APIRouter(tags=["registry"])
READ, WRITE, APPROVE = requires("registry:read"), requires("registry:write"), requires("registry:approve")
NewAlias = Annotated[str, Path(pattern=f"^{NAME.pattern}$", description="A name like that of a model.")]


@router.get("/models", dependencies=[READ])
async def list_models(session: SessionDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[ModelView]:
    """Every declared model, by name."""
    query = select(ModelRow).where(col(ModelRow.name) > cursor).order_by(col(ModelRow.name)).limit(limit + 1)
    rows = (await session.exec(query)).all()
    aliases = await Repository(session).aliases([row.name for row in rows])
    return page_of(
        rows, limit, show=lambda row: ModelView(**model_view(row, aliases[row.name])), cursor=lambda row: row.name
    )


@router.put("/models/{name}", dependencies=[WRITE])
async def put_model(
    name: str, work: UnitOfWorkDep, gate: GateDep, response: Response, declaration: Annotated[dict[str, Any], Body()]
) -> Applied:
    """Declare a model or change it; the answer says what changed.

    201 for a new one. 202 where nothing changed yet, because the change loosens a policy that needs approvals: then
    `waits` says for how many.
    """
    if declaration.setdefault("name", name) != name:
        raise Conflict(f"the declaration is of {declaration['name']!r}, the address of {name!r}")
    done = await declare(work, declaration)
    row = done.row
    response.status_code = 202 if done.waits else 201 if row.revision == 1 and done.changed else 200
    waits = await change_view(Repository(work.session), done.waits) if done.waits else None
    return Applied(
        name=row.name,
        revision=row.revision,
        changed=done.changed,
        digest=row.digest,
        loosens=done.loosens,
        waits=waits,
        warnings=[*done.warnings, *_too_few(gate, row.parsed().approval.needed, {work.actor})],
        starts=done.starts,
    )


@router.get("/models/{name}", dependencies=[READ])
async def get_model(name: str, session: SessionDep, gate: GateDep) -> ModelDetail:
    """One declared model."""
    row = await _model(session, name)
    aliases = (await Repository(session).aliases([name]))[name]
    shown = model_view(row, aliases)
    return ModelDetail(
        **shown,
        declaration=row.declaration,
        digest=row.digest,
        versions=row.last_version,
        warnings=_too_few(gate, row.parsed().approval.needed, {row.declared_by}),
    )


@router.get("/models/{name}/history", dependencies=[READ])
async def get_history(
    name: str, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[Revision]:
    """Every revision of a declaration, newest first."""
    await _model(session, name)
    query = (
        select(RevisionRow).where(RevisionRow.name == name).order_by(col(RevisionRow.revision).desc()).limit(limit + 1)
    )
    query = query.where(col(RevisionRow.revision) < cursor) if cursor is not None else query
    rows = (await session.exec(query)).all()
    return page_of(
        rows, limit, show=lambda row: Revision(**row.model_dump(exclude={"name"})), cursor=lambda row: row.revision
    )


@router.get("/models/{name}/versions", dependencies=[READ])
async def list_versions(
    name: str, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[VersionView]:
    """Every version of a model, newest first."""
    await _model(session, name)
    query = select(VersionRow).where(VersionRow.model == name).order_by(col(VersionRow.version).desc()).limit(limit + 1)
    query = query.where(col(VersionRow.version) < cursor) if cursor is not None else query
    rows = (await session.exec(query)).all()
    aliases = (await Repository(session).aliases([name]))[name]
    return page_of(
        rows, limit, show=lambda row: VersionView(**version_view(row, aliases)), cursor=lambda row: row.version
    )


@router.get("/models/{name}/versions/{version}", dependencies=[READ])
async def get_version(name: str, version: int, session: SessionDep, gate: GateDep) -> VersionDetail:
    """One version with everything that is known of it."""
    _, row = await known(Repository(session), name, version)
    return await _detail(session, row, gate)


@router.post("/models/{name}/versions/{version}/approve", dependencies=[APPROVE])
async def approve_version(
    name: str, version: int, work: UnitOfWorkDep, gate: GateDep, decision: Decision
) -> VersionDetail:
    """Say yes to a version that waits; never one's own."""
    row = await _decide(work, name, version, "approve", decision)
    return await _detail(work.session, row, gate)


@router.post("/models/{name}/versions/{version}/reject", dependencies=[APPROVE])
async def reject_version(
    name: str, version: int, work: UnitOfWorkDep, gate: GateDep, decision: Decision
) -> VersionDetail:
    """Say no to a version that waits."""
    row = await _decide(work, name, version, "reject", decision)
    return await _detail(work.session, row, gate)


@router.get("/models/{name}/versions/{version}/card", dependencies=[READ])
async def get_card(name: str, version: int, session: SessionDep) -> Response:
    """The version's model card: Markdown with YAML front matter, from recorded facts alone."""
    repository = Repository(session)
    model, row = await known(repository, name, version)
    signals = await repository.signals(name, version)
    decisions = await repository.decisions(name, version)
    return Response(model_card(model, row, signals, decisions), media_type="text/markdown")


@router.get("/models/{name}/versions/{version}/lineage", dependencies=[READ])
async def get_lineage(name: str, version: int, session: SessionDep) -> dict[str, Any]:
    """Where the version comes from, as an OpenLineage run event (2-0-2)."""
    _, row = await known(Repository(session), name, version)
    return lineage(row)


@router.get("/models/{name}/aliases", dependencies=[READ])
async def list_aliases(name: str, session: SessionDep, cursor: NameCursor = "", limit: Limit = 100) -> Page[AliasView]:
    """Where every alias points, by name."""
    await _model(session, name)
    rows = await Repository(session).alias_moves(name, cursor, limit + 1)
    return page_of(rows, limit, show=_alias_view, cursor=lambda row: row.alias)


@router.get("/models/{name}/aliases/{alias}", dependencies=[READ])
async def get_alias(name: str, alias: str, session: SessionDep, at: Timestamp | None = None) -> AliasView:
    """Where an alias points, or pointed at the moment `at`."""
    repository = Repository(session)
    await _model(session, name)
    moment = at or datetime.max.replace(tzinfo=None).astimezone()
    move = await repository.alias_at(name, alias, moment)
    if move is None:
        when = f" at {at.isoformat()}" if at else ""
        raise NotFound(f"{name} had no alias {alias!r}{when}; GET /models/{name}/aliases lists them")
    return _alias_view(move)


@router.get("/models/{name}/aliases/{alias}/history", dependencies=[READ])
async def get_alias_history(
    name: str, alias: str, session: SessionDep, cursor: NumberCursor = None, limit: Limit = 100
) -> Page[AliasView]:
    """Every move of an alias, newest first."""
    query = select(AliasMoveRow).where(AliasMoveRow.model == name, AliasMoveRow.alias == alias)
    query = query.where(col(AliasMoveRow.id) < cursor) if cursor is not None else query
    rows = (await session.exec(query.order_by(col(AliasMoveRow.id).desc()).limit(limit + 1))).all()
    return page_of(rows, limit, show=_alias_view, cursor=lambda row: row.id)


@router.put("/models/{name}/aliases/champion", dependencies=[APPROVE])
async def put_champion(name: str, work: UnitOfWorkDep, response: Response, wish: ServiceWish) -> AliasView | ChangeView:
    """Make an approved version the champion: a decision about service, so it needs the approvals of one.

    Who asks counts as one of them, unless they are an author of the version. 202 with the change where more people
    must approve it.
    """
    waits = await move_by_hand(work, name, CHAMPION, wish.version, wish.reason)
    repository = Repository(work.session)
    if waits is not None and waits.state != State.APPROVED:
        response.status_code = 202
        return await change_view(repository, waits)
    return await _moved(work, name, CHAMPION)


@router.put("/models/{name}/aliases/{alias}", dependencies=[WRITE])
async def put_alias(name: str, alias: NewAlias, work: UnitOfWorkDep, wish: AliasWish) -> AliasView:
    """Name an approved version with an alias that does not serve."""
    if alias == CHAMPION:  # another spelling of the path above
        raise Conflict(f"{alias} serves; PUT /models/{name}/aliases/{alias} with the scope registry:approve")
    _, version = await held(Repository(work.session), name, wish.version)
    must_be_approved(version)
    await move_alias(work, version, alias, wish.reason)
    return await _moved(work, name, alias)


async def _moved(work: UnitOfWorkDep, name: str, alias: str) -> AliasView:
    await work.session.flush()
    move = await Repository(work.session).alias_at(name, alias, work.now)
    assert move is not None
    return _alias_view(move)


@router.delete("/models/{name}", status_code=405, dependencies=[WRITE])
async def delete_model(name: str) -> None:
    """Nothing is deleted: what was declared, decided and served stays part of the proof."""
    raise _kept(name)


@router.delete("/models/{name}/versions/{version}", status_code=405, dependencies=[WRITE])
async def delete_version(name: str, version: int) -> None:
    """Nothing is deleted: what was trained and judged stays part of the proof."""
    raise _kept(f"{name}/{version}")


@router.delete("/models/{name}/aliases/{alias}", status_code=405, dependencies=[WRITE])
async def delete_alias(name: str, alias: str) -> None:
    """Nothing is deleted: what an alias named stays part of the proof."""
    raise _kept(f"alias {alias} of {name}")


def _kept(what: str) -> HTTPException:
    detail = (
        f"nothing of {what} is deleted: what was declared, decided and served stays part of the proof. Retiring "
        "a model comes later. Until then `training: {on: []}` and `retraining: {on: []}` end its training"
    )
    return HTTPException(405, detail, {"allow": "GET, HEAD, PUT"})


@router.get("/models/{name}/risk", dependencies=[READ])
async def get_risk(name: str, session: SessionDep, runtime: RuntimeDep) -> RiskView:
    """The model's risk after what was seen of its champion."""
    model = await _model(session, name)
    repository = Repository(session)
    champion = await repository.alias(name, CHAMPION)
    signals = await repository.signals(name, champion.version if champion else None)
    risk = risk_of(model.parsed(), [each.kind for each in signals])
    return RiskView(
        model=name,
        version=champion.version if champion else None,
        probability=risk.probability,
        impact=risk.impact,
        score=risk.score,
        rating=risk.rating,
        signals=[each.model_dump(exclude={"model"}) for each in signals],
        review_due=model.review_due,
        due=model.review_due <= runtime.clock(),
        reviewed_at=model.reviewed_at,
    )


@router.post("/models/{name}/risk/review", dependencies=[APPROVE])
async def review_risk(name: str, work: UnitOfWorkDep, runtime: RuntimeDep, wish: Review | None = None) -> RiskView:
    """Note that people have looked at the risk again, and what they found."""
    await Repository(work.session).hold(name)
    model = await _model(work.session, name)
    model.reviewed_at, model.review_due = work.now, review_due(model.parsed(), work.now)
    work.session.add(model)
    await work.session.flush()
    seen = await get_risk(name, work.session, runtime)
    told = seen.model_dump(include={"model", "version", "score", "rating", "review_due"})
    work.emit(RiskReviewed.model_validate({**told, "by": work.actor, "comment": wish.comment if wish else None}))
    return seen


async def _decide(work: UnitOfWorkDep, name: str, version: int, decision: str, wish: Decision) -> VersionRow:
    return await decide(work, name, version, decision, wish.comment, wish.digest)


async def _model(session: SessionDep, name: str) -> ModelRow:
    row = await Repository(session).model(name)
    if row is None:
        raise NotFound(f"no model is named {name!r}; declare it with `headrace apply FILE`")
    return row


async def _detail(session: SessionDep, row: VersionRow, gate: Gate) -> VersionDetail:
    repository = Repository(session)
    aliases = (await repository.aliases([row.model]))[row.model]
    decisions = await repository.decisions(row.model, row.version)
    model, _ = await known(repository, row.model, row.version)
    given, needed = len(voices(decisions, row.digest)), (await policy_for(repository, model, row)).needed
    waits = row.state == State.PENDING
    return VersionDetail(
        **version_view(row, aliases),
        uri=f"models:/{row.model}/{row.version}",
        author=row.author,
        gates=row.gates,
        comparisons=row.comparisons,
        approvals=Standing.of(given, needed),
        decisions=[decision_view(each) for each in decisions],
        registered=row.registered,
        decided_at=row.decided_at,
        expires_at=row.expires_at,
        warnings=_too_few(gate, needed, await authors(repository, row)) if waits else [],
    )


def _too_few(gate: Gate, needed: int, authors: Collection[str]) -> list[str]:
    told = too_few(needed, gate.holders("registry:approve", datetime.now(UTC)), authors)
    return [told] if told else []


def _alias_view(move: AliasMoveRow) -> AliasView:
    return AliasView(**move.model_dump(exclude={"id", "at"}), since=move.at)
