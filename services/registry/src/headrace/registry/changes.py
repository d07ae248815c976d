"""Changes that wait for people: how they begin and end. Who decides on them is in `decisions`."""

from collections.abc import Sequence

from headrace.bus import UnitOfWork
from headrace.contracts import (
    Approval,
    ChangeProposed,
    ContractError,
    Declaration,
    derive_id,
)
from headrace.registry.domain import State, digest_of, expires_at
from headrace.registry.governance import save, voices
from headrace.registry.rebase import Rebased, rebased
from headrace.registry.tables import ChangeRow, ModelRow, Repository, VersionRow
from headrace.tasks import examine

DECLARATION, ALIAS = "declaration", "alias"


async def propose(
    work: UnitOfWork, model: ModelRow, declared: Declaration, changed: Sequence[str], loosens: Sequence[str]
) -> ChangeRow:
    """A declaration that loosens the present one waits for the approvals that the present one asks for.

    Proposed again by the same person, it is the same change.
    """
    full = declared.model_dump(mode="json", exclude_none=True)
    digest = digest_of(full)
    for waiting in await Repository(work.session).changes(model.name, State.PENDING):
        if (waiting.kind, waiting.declaration, waiting.by) == (DECLARATION, full, work.actor):
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
    for waiting in await Repository(work.session).changes(model.name, State.PENDING):
        if (waiting.kind, waiting.alias, waiting.version) == (ALIAS, alias, version.version):
            return waiting
    row = _begun(work, model, ALIAS, version.digest)
    row.alias, row.version, row.reason, row.needed = alias, version.version, reason, needed
    work.session.add(row)
    work.emit(_proposed(row))
    return row


def accept(work: UnitOfWork, row: ChangeRow, approvals: Sequence[Approval]) -> None:
    """A change has what it needs; what follows is the caller's."""
    save(work, row, row.as_change.accepted(approvals, work.now))


def end(work: UnitOfWork, row: ChangeRow, state: State, reason: str, by: str | None = None) -> None:
    """A change will not take effect."""
    save(work, row, row.as_change.ended(state, reason, work.now, by))


async def rebase(work: UnitOfWork, model: ModelRow, moved: Sequence[str]) -> None:
    """A new revision took effect: changes that wait go on waiting, on top of it.

    So nobody ends the proposals of others by a change of their own. One that touches what has `moved` must be approved
    anew, since it would undo unseen what changed meanwhile; approvals of the others stay.
    """
    repository = Repository(work.session)
    for change in await repository.changes(model.name, State.PENDING):
        if change.kind == DECLARATION and change.declaration is not None:
            await _rebase(work, model, change, rebased(change.declaration, change.changed, model.declaration, moved))


async def _rebase(work: UnitOfWork, model: ModelRow, change: ChangeRow, new: Rebased) -> None:
    """Keep a change on the newest revision, and say it, unless nothing is left of it that needs people."""
    try:
        declared = examine({**new.document}).declaration
    except ContractError as error:
        end(work, change, State.SUPERSEDED, f"it does not fit revision {model.revision}: {error}; propose it again")
        return
    if not new.loosens:
        why = "needs no approval any more; propose it again" if new.changed else "says the same"
        end(work, change, State.SUPERSEDED, f"revision {model.revision} took effect meanwhile, and it {why}")
        return
    change.declaration = declared.model_dump(mode="json", exclude_none=True)
    change.changed, change.loosens, change.base_revision = list(new.changed), list(new.loosens), model.revision
    change.needed = max(change.needed, model.parsed().approval.needed)
    if new.anew:
        change.digest = digest_of({"revision": model.revision, "declaration": change.declaration})
    work.session.add(change)
    said = voices(await Repository(work.session).decisions_on(change.id), change.digest)
    work.emit(_proposed(change, declared, given=len(said)))


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


def _proposed(row: ChangeRow, declared: Declaration | None = None, given: int = 0) -> ChangeProposed:
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
        given=given,
        expires_at=row.expires_at,
    )
