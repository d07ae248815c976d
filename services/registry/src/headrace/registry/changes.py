"""Changes that wait for people: how they begin and end. Who decides on them is in `decisions`."""

from collections.abc import Sequence

from headrace.bus import UnitOfWork
from headrace.contracts import (
    Approval,
    ChangeApproved,
    ChangeProposed,
    ChangeRejected,
    Declaration,
    derive_id,
)
from headrace.registry.domain import State, digest_of, expires_at
from headrace.registry.tables import ChangeRow, ModelRow, Registry, VersionRow

DECLARATION, ALIAS = "declaration", "alias"


async def propose(
    work: UnitOfWork, model: ModelRow, declared: Declaration, changed: Sequence[str], loosens: Sequence[str]
) -> ChangeRow:
    """A declaration that loosens the present one waits for the approvals that the present one asks for.

    Proposed again by the same person, it is the same change.
    """
    full = declared.model_dump(mode="json", exclude_none=True)
    digest = digest_of(full)
    for waiting in await Registry(work.session).changes(model.name, State.PENDING):
        if (waiting.kind, waiting.digest, waiting.by) == (DECLARATION, digest, work.actor):
            return waiting
    row = _begun(work, model, DECLARATION, digest)
    row.declaration, row.changed, row.loosens = full, list(changed), list(loosens)
    row.needed = model.parsed().approval.needed
    work.session.add(row)
    work.emit(_proposed(row, declared))
    return row


async def propose_move(
    work: UnitOfWork, model: ModelRow, version: VersionRow, alias: str, reason: str, needed: int
) -> ChangeRow:
    """A move of an alias that serves waits for people; proposed again by anybody, it is the same change."""
    for waiting in await Registry(work.session).changes(model.name, State.PENDING):
        if (waiting.kind, waiting.alias, waiting.version) == (ALIAS, alias, version.version):
            return waiting
    row = _begun(work, model, ALIAS, version.digest)
    row.alias, row.version, row.reason, row.needed = alias, version.version, reason, needed
    work.session.add(row)
    work.emit(_proposed(row))
    return row


def accept(work: UnitOfWork, change: ChangeRow, approvals: Sequence[Approval]) -> None:
    """A change has what it needs; what follows is the caller's."""
    change.state, change.decided_at = State.APPROVED, work.now
    work.session.add(change)
    told = {"model": change.model, "change": change.id, "kind": change.kind, "by": change.by}
    work.emit(ChangeApproved(**told, approvals=list(approvals)))


def end(work: UnitOfWork, change: ChangeRow, state: State, reason: str, by: str | None = None) -> None:
    """A change will not take effect."""
    change.state, change.outcome, change.decided_at = state, reason, work.now
    work.session.add(change)
    told = {"model": change.model, "change": change.id, "kind": change.kind, "state": state.value}
    work.emit(ChangeRejected(**told, reason=reason, by=by))


async def supersede(work: UnitOfWork, model: ModelRow) -> None:
    """A new revision took effect: what was to replace an older one would undo it unseen."""
    for change in await Registry(work.session).changes(model.name, State.PENDING):
        if change.kind == DECLARATION:
            reason = f"revision {model.revision} took effect meanwhile; propose the change again"
            end(work, change, State.SUPERSEDED, reason)


def _begun(work: UnitOfWork, model: ModelRow, kind: str, digest: str) -> ChangeRow:
    return ChangeRow(
        id=derive_id(work.root, "change", model.name, len(work.emitted)),
        model=model.name,
        kind=kind,
        base_revision=model.revision,
        digest=digest,
        by=work.actor,
        needed=0,
        state=State.PENDING,
        at=work.now,
        expires_at=expires_at(model.parsed(), work.now),
    )


def _proposed(row: ChangeRow, declared: Declaration | None = None) -> ChangeProposed:
    return ChangeProposed(
        model=row.model,
        change=row.id,
        kind=row.kind,
        base_revision=row.base_revision,
        loosens=row.loosens,
        changed=row.changed,
        declaration=declared,
        alias=row.alias,
        version=row.version,
        digest=row.digest if row.version else None,
        reason=row.reason,
        by=row.by,
        needed=row.needed,
        given=0,
        expires_at=row.expires_at,
    )
