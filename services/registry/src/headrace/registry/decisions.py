"""What people decide: on versions, on looser declarations, and on where an alias that serves points."""

from collections.abc import Sequence

from headrace.bus import Refused, UnitOfWork
from headrace.chassis import Conflict, NotFound
from headrace.contracts import Approval, ApprovalRecorded, Declaration
from headrace.registry.changes import ALIAS, accept, end, propose_move
from headrace.registry.declarations import revise
from headrace.registry.domain import IMPORTED, TRAINED, State, enough, may_not_approve
from headrace.registry.governance import approvals_of, evaluate, keep, known, move_alias, policy_for, voices
from headrace.registry.tables import ChangeRow, DecisionRow, ModelRow, Repository, VersionRow

_ASKED = {TRAINED: "asked for the run that made", IMPORTED: "imported"}


async def decide(
    work: UnitOfWork, name: str, number: int, decision: str, comment: str | None, digest: str | None = None
) -> VersionRow:
    """A person's yes or no to a version that waits; bound to the artifact's digest, not to the version's name."""
    repository = Repository(work.session)
    model, row = await held(repository, name, number)
    version = row.as_version
    if not version.waits(work.now):
        raise Refused(f"{name}/{number} is {version.standing(work.now)}, it does not wait for approval")
    if digest is not None and digest != version.digest:
        raise Refused(f"{name}/{number} has the digest {version.digest}, not {digest}; look at it again")
    if why := may_not_approve(work.actor, await authors(repository, row)):
        raise Refused(why)
    policy = await policy_for(repository, model, row)
    said = DecisionRow(
        model=name,
        version=number,
        by=work.actor,
        decision=decision,
        comment=comment,
        digest=version.digest,
        at=work.now,
    )
    await _record(work, said, await repository.decisions(name, number), policy.needed)
    if decision == "reject":
        await keep(work, row, version.rejected(comment or "rejected by a person", work.now, by=work.actor))
        return row
    champion = await repository.alias(name)
    if version.measured_by(policy, champion.version if champion else None):
        await keep(work, row, version.accepted(policy, await approvals_of(repository, row), work.now))
    else:
        await evaluate(work, model, row)  # while people thought, the champion or what is asked of it changed
    return row


async def decide_change(work: UnitOfWork, name: str, change: str, decision: str, comment: str | None) -> ChangeRow:
    """A person's yes or no to a change that waits; with enough of them it takes effect."""
    repository = Repository(work.session)
    model, row = await held_change(repository, name, change)
    _must_wait(work, row)
    if why := may_not_approve(work.actor, await _authors_of_change(repository, row)):
        raise Refused(why)
    await _decided(work, model, row, decision, comment)
    return row


async def withdraw(work: UnitOfWork, name: str, change: str) -> ChangeRow:
    """Who proposed a change takes it back."""
    _, row = await held_change(Repository(work.session), name, change)
    _must_wait(work, row)
    if row.by != work.actor:
        raise Refused(f"only {row.by}, who proposed it, may withdraw it; who may approve can reject it")
    end(work, row, State.WITHDRAWN, "withdrawn by who proposed it", by=work.actor)
    return row


async def move_by_hand(work: UnitOfWork, name: str, alias: str, number: int, reason: str) -> ChangeRow | None:
    """Move an alias that serves: a decision about service, so it needs the approvals of one.

    Who asks counts as one of them, unless they are an author. Answers the change that waits; None where it is done.
    """
    repository = Repository(work.session)
    model, version = await held(repository, name, number)
    must_be_approved(version)
    row = await repository.alias(name, alias)
    if row is not None and row.version == number:
        raise Conflict(f"{alias} points to {name}/{number} already")
    needed = (await policy_for(repository, model, version)).needed
    if needed == 0:
        await move_alias(work, version, alias, reason)
        return None
    change = await propose_move(work, model, version, alias, reason, needed)
    if may_not_approve(work.actor, await authors(repository, version)) is None:
        await _decided(work, model, change, "approve", reason)
    return change


async def authors(repository: Repository, version: VersionRow) -> dict[str, str]:
    """Everybody who made a version, or what it was made of and judged by, since the champion; with what they did."""
    champion = await repository.champion(version.model)
    facts, before = version.facts, champion.facts if champion else None
    found = {}
    since = min(facts.declared_revision, before.declared_revision) if before else 1
    for revision in await repository.revisions(version.model, max(1, since)):
        found[revision.by] = f"declared revision {revision.revision} of {version.model}"
    known_data = before.dataset.version if before and before.dataset.name == facts.dataset.name else 0
    found |= await _data_authors(repository, facts.dataset.name, facts.dataset.version, known_data)
    if facts.lineage.promoted_by is not None:
        found[facts.lineage.promoted_by] = f"promoted the run of {version.model}/{version.version}"
    found[version.author] = f"{_ASKED.get(facts.origin, 'registered')} {version.model}/{version.version}"
    return found


async def _data_authors(repository: Repository, dataset: str, version: int, known: int) -> dict[str, str]:
    """Who changed the data behind a version that is known, and who changed the contract that they were held to."""
    found: dict[str, str] = {}
    replaced = False
    for data in await repository.data_changes(dataset, version):
        if data.version <= known and data.version != version:
            break
        where = f"({dataset} version {data.version})"
        found |= dict.fromkeys(data.contract_by, f"changed the contract of the data {where}")
        if not replaced:  # else nothing of it is left; a contract outlives the data
            found[data.by] = f"changed the data {where}"
        replaced = replaced or data.mode == "replace"
    return found


async def held(repository: Repository, name: str, number: int) -> tuple[ModelRow, VersionRow]:
    """A model that nobody else decides about now, and one of its versions; raises NotFound."""
    await repository.hold(name)
    return await known(repository, name, number)


async def held_change(repository: Repository, name: str, change: str) -> tuple[ModelRow, ChangeRow]:
    """A model that nobody else decides about now, and one of its changes; raises NotFound."""
    model, row = await repository.hold(name), await repository.change(change)
    if model is None or row is None or row.model != name:
        raise NotFound(f"{name} has no change {change!r}; GET /models/{name}/changes lists them")
    return model, row


def must_be_approved(version: VersionRow) -> None:
    """Raise Conflict unless a version may serve."""
    if version.state != State.APPROVED:
        where = f"{version.model}/{version.version} is {version.state}"
        raise Conflict(f"{where}; an alias may point to approved versions alone")


async def _authors_of_change(repository: Repository, change: ChangeRow) -> dict[str, str]:
    if change.kind != ALIAS or change.version is None:
        return {change.by: "proposed this change"}
    version = await repository.version(change.model, change.version)
    return await authors(repository, version) if version else {}


async def _decided(work: UnitOfWork, model: ModelRow, change: ChangeRow, decision: str, comment: str | None) -> None:
    repository = Repository(work.session)
    change.needed = needed = await _needed(repository, model, change)
    work.session.add(change)
    said = DecisionRow(
        model=change.model, change=change.id, by=work.actor, decision=decision, comment=comment, digest=change.digest,
        at=work.now,
    )  # fmt: skip
    await _record(work, said, await repository.decisions_on(change.id), needed)
    if decision == "reject":
        end(work, change, State.REJECTED, comment or "rejected by a person", by=work.actor)
        return
    approvals = voices(await repository.decisions_on(change.id), change.digest)
    if enough([each.by for each in approvals], needed):
        await _take_effect(work, model, change, approvals)


async def _take_effect(work: UnitOfWork, model: ModelRow, change: ChangeRow, approvals: Sequence[Approval]) -> None:
    if change.declaration is not None:
        accept(work, change, approvals)
        declared = Declaration.model_validate(change.declaration)
        await revise(work, model, declared, by=change.by, loosens=change.loosens, approvals=approvals)
        return
    _, version = await known(Repository(work.session), change.model, change.version or 0)
    if version.state != State.APPROVED:
        end(work, change, State.SUPERSEDED, f"{version.model}/{version.version} is {version.state} now")
        return
    accept(work, change, approvals)
    await move_alias(work, version, change.alias or "", change.reason or "", approvals)


async def _needed(repository: Repository, model: ModelRow, change: ChangeRow) -> int:
    """What the policy asks for now, if that is more than when the change was proposed."""
    if change.version is None:
        return max(change.needed, model.parsed().approval.needed)
    _, version = await known(repository, change.model, change.version)
    return max(change.needed, (await policy_for(repository, model, version)).needed)


async def _record(work: UnitOfWork, said: DecisionRow, before: Sequence[DecisionRow], needed: int) -> None:
    """Keep a decision for ever, and say it."""
    work.session.add(said)
    await work.session.flush()
    work.emit(
        ApprovalRecorded.model_validate(
            {
                **said.model_dump(include={"model", "version", "change", "digest", "decision", "by", "comment"}),
                "given": len(voices([*before, said], said.digest)),
                "needed": needed,
            }
        )
    )


def _must_wait(work: UnitOfWork, row: ChangeRow) -> None:
    if (state := row.as_change.standing(work.now)) is not State.PENDING:
        raise Refused(f"change {row.id} is {state}, it does not wait for approval")
