"""The steps of governance that events and routes share; each works within one transaction."""

from headrace.bus import Refused, Work
from headrace.chassis import NotFound
from headrace.contracts import (
    AliasMoved,
    Approval,
    ApprovalRequested,
    EvaluationRequested,
    GateResult,
    ModelDeclared,
    VersionApproved,
    VersionRejected,
    derive_id,
    parse_declaration,
)
from headrace.registry.domain import CHAMPION, State, changed_paths, digest_of, enough, expires_at, may_not_approve
from headrace.registry.tables import (
    AliasMoveRow,
    AliasRow,
    DecisionRow,
    ModelRow,
    Registry,
    RevisionRow,
    VersionRow,
)

Document = dict[str, object]


async def declare(work: Work, document: Document) -> tuple[ModelRow, list[str]]:
    """Declare a model or change it; the same declaration again changes nothing. Returns the row and what changed."""
    declared = parse_declaration(document)
    full = declared.model_dump(mode="json", exclude_none=True)
    row = await Registry(work.session).model(declared.name)
    digest = digest_of(full)
    if row is not None and row.digest == digest:
        return row, []
    changed = sorted(changed_paths(row.declaration, full)) if row else sorted(full)
    revision = row.revision + 1 if row else 1
    row = row or ModelRow(
        name=declared.name,
        revision=0,
        declaration={},
        digest="",
        declared_by="",
        declared_at=work.now,
        reviewed_at=work.now,
    )
    row.revision, row.declaration, row.digest = revision, full, digest
    row.declared_by, row.declared_at = work.actor, work.now
    history = RevisionRow(
        name=row.name, revision=revision, declaration=full, digest=digest, changed=changed, by=work.actor, at=work.now
    )
    work.session.add_all([row, history])
    work.emit(
        ModelDeclared(
            name=row.name, revision=revision, declaration=declared, digest=digest, changed=changed, by=work.actor
        )
    )
    return row, changed


async def evaluate(work: Work, model: ModelRow, version: VersionRow) -> None:
    """Ask for the version to be judged, beside the champion of this moment, on the newer of their holdouts.

    The holdout of the newer dataset version was kept from that version's fit, and had not happened yet when the
    older one learned; so it is new to both.
    """
    declared = model.parsed()
    champion = await Registry(work.session).champion(version.model)
    trained = version.training
    newest = trained
    if champion is not None and champion.training.dataset.version > trained.dataset.version:
        newest = champion.training
    version.state, version.met = State.EVALUATING, champion.version if champion else None
    version.evaluation = derive_id(version.run, "evaluation", version.model, version.met or 0)
    work.session.add(version)
    work.emit(
        EvaluationRequested(
            evaluation=version.evaluation,
            model=version.model,
            candidate=version.as_version(),
            champion=champion.as_version() if champion else None,
            dataset=newest.dataset,
            holdout=newest.holdout,
            target=trained.target,
            metrics=[*declared.evaluation.metrics],
            confidence=declared.evaluation.confidence,
            resamples=declared.evaluation.resamples,
            seed=trained.seed,
        )
    )


async def approve_or_ask(work: Work, model: ModelRow, version: VersionRow) -> None:
    """The gates are met: approve, or ask people where the declaration wants them and not enough have spoken."""
    declared = model.parsed()
    decisions = await Registry(work.session).decisions(version.model, version.version)
    said = [each for each in decisions if each.decision == "approve" and each.digest == version.digest]
    if enough([each.by for each in said], declared.approval.needed):
        approvals = [Approval(by=each.by, at=each.at, comment=each.comment) for each in said]
        await approve(work, version, approvals)
        return
    version.state = State.PENDING
    version.expires_at = version.expires_at or expires_at(declared, work.now)
    work.session.add(version)
    work.emit(
        ApprovalRequested(
            model=version.model,
            version=version.version,
            digest=version.digest,
            needed=declared.approval.needed,
            given=len(said),
            gates=_gates(version),
            expires_at=version.expires_at,
        )
    )


async def approve(work: Work, version: VersionRow, approvals: list[Approval]) -> None:
    """The version may serve: it becomes champion."""
    version.state, version.decided_at = State.APPROVED, work.now
    version.reason = "; ".join(gate.detail for gate in _gates(version)) or "no gates are declared"
    work.session.add(version)
    work.emit(
        VersionApproved(
            model=version.model,
            version=version.version,
            digest=version.digest,
            gates=_gates(version),
            approvals=approvals,
        )
    )
    await move_alias(work, version, CHAMPION, "met every gate" + (" and was approved" if approvals else ""))


async def reject(work: Work, version: VersionRow, reason: str, state: State) -> None:
    """The version will not be used."""
    version.state, version.reason, version.decided_at = state, reason, work.now
    work.session.add(version)
    by = work.actor if work.actor.startswith("key:") and state is State.REJECTED and version.gates else None
    work.emit(
        VersionRejected(
            model=version.model,
            version=version.version,
            digest=version.digest,
            reason=reason,
            gates=_gates(version),
            by=by,
        )
    )


async def decide(
    work: Work, name: str, number: int, decision: str, comment: str | None, digest: str | None = None
) -> VersionRow:
    """A person's yes or no to a version that waits; bound to the artifact's digest, not to the version's name."""
    registry = Registry(work.session)
    model, version = await known(registry, name, number)
    if version.state != State.PENDING:
        raise Refused(f"{name}/{number} is {version.state}, it does not wait for approval")
    if digest is not None and digest != version.digest:
        raise Refused(f"{name}/{number} has the digest {version.digest}, not {digest}; look at it again")
    if why := may_not_approve(work.actor, [version.author, model.declared_by]):
        raise Refused(why)
    row = await work.session.get(DecisionRow, (name, number, work.actor))
    row = row or DecisionRow(
        model=name, version=number, by=work.actor, decision=decision, digest=version.digest, at=work.now
    )
    row.decision, row.comment, row.digest, row.at = decision, comment, version.digest, work.now
    work.session.add(row)
    await work.session.flush()
    if decision == "reject":
        await reject(work, version, comment or "rejected by a person", State.REJECTED)
        return version
    champion = await registry.alias(name)
    if version.met != (champion.version if champion else None):
        await evaluate(work, model, version)  # the champion changed while people thought: it must be met first
    else:
        await approve_or_ask(work, model, version)
    return version


async def move_alias(work: Work, version: VersionRow, alias: str, reason: str) -> None:
    """Point an alias to a version, and keep that it did."""
    registry = Registry(work.session)
    row = await registry.alias(version.model, alias)
    previous = row.version if row else None
    if previous == version.version:
        return
    model = await registry.model(version.model)
    assert model is not None
    row = row or AliasRow(model=version.model, alias=alias, version=version.version)
    row.version = version.version
    move = AliasMoveRow(
        model=version.model,
        alias=alias,
        version=version.version,
        previous=previous,
        reason=reason,
        by=work.actor,
        at=work.now,
    )
    work.session.add_all([row, move])
    trained = version.training
    work.emit(
        AliasMoved(
            model=version.model,
            alias=alias,
            version=version.version,
            digest=version.digest,
            artifact=trained.artifact,
            signature=trained.signature,
            previous=previous,
            reason=reason,
            by=work.actor,
            serving=model.parsed().serving,
            run=version.run,
        )
    )


async def known(registry: Registry, name: str, number: int) -> tuple[ModelRow, VersionRow]:
    """A model and one of its versions; raises NotFound, saying what there is."""
    model = await registry.model(name)
    if model is None:
        raise NotFound(f"no model is named {name!r}; declare it with `headrace apply FILE`")
    version = await registry.version(name, number)
    if version is None:
        raise NotFound(f"{name} has no version {number}; it has {model.last_version or 'none yet'}")
    return model, version


def _gates(version: VersionRow) -> list[GateResult]:
    return [GateResult.model_validate(gate) for gate in version.gates]
