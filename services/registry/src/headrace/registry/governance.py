"""The steps of governance that events and routes share; each works within one transaction."""

from collections.abc import Sequence

from headrace.bus import UnitOfWork
from headrace.chassis import NotFound
from headrace.contracts import (
    AliasMoved,
    Approval,
    ApprovalRequested,
    EvaluationRequested,
    GateResult,
    VersionApproved,
    VersionRejected,
    derive_id,
)
from headrace.registry.domain import (
    CHAMPION,
    Met,
    State,
    asked_of,
    bar_of,
    enough,
    incomparable,
    is_newer,
)
from headrace.registry.policy import Policy, policy_of, stricter
from headrace.registry.tables import AliasMoveRow, AliasRow, DecisionRow, ModelRow, Repository, VersionRow


async def policy_for(repository: Repository, model: ModelRow, version: VersionRow) -> Policy:
    """What is asked of a version: the stricter of the declaration it was trained under and today's."""
    policy = policy_of(model.parsed())
    revision = await repository.revision(model.name, version.facts.declared_revision)
    if revision is not None:
        policy = stricter(policy, policy_of(revision.parsed()))
    champion = await repository.champion(model.name)
    if champion is None or champion.version == version.version:
        return policy
    return asked_of(policy, version.facts, champion.facts)


async def met_by(repository: Repository, version: VersionRow) -> Met | None:
    """The champion that a version was asked to meet."""
    champion = await repository.version(version.model, version.met) if version.met else None
    return Met(champion.version, incomparable(version.facts, champion.facts)) if champion else None


async def evaluate(work: UnitOfWork, model: ModelRow, version: VersionRow, *, alone: bool = False) -> None:
    """Ask for the version to be judged, beside the champion of this moment, on the newer of their holdouts.

    The holdout of the newer dataset version was kept from that version's fit, and had not happened yet when the
    older one learned; so it is new to both. A version is judged alone where the two cannot be compared.
    """
    repository = Repository(work.session)
    champion = await repository.champion(version.model)
    policy = await policy_for(repository, model, version)
    version.state, version.met = State.EVALUATING, champion.version if champion else None
    version.bar, version.asked = bar_of(policy), version.asked + 1
    version.evaluation = derive_id(f"{version.model}/{version.version}", "evaluation", version.digest, version.asked)
    met = await met_by(repository, version)
    version.alone = alone or (met is not None and met.incomparable is not None)
    work.session.add(version)
    work.emit(_question(version, None if version.alone else champion, policy))


def _question(version: VersionRow, champion: VersionRow | None, policy: Policy) -> EvaluationRequested:
    facts = version.facts
    newest = facts
    if champion is not None and is_newer(champion.facts.dataset, facts.dataset):
        newest = champion.facts
    return EvaluationRequested(
        evaluation=version.evaluation,
        model=version.model,
        candidate=version.as_version(),
        champion=champion.as_version() if champion else None,
        dataset=newest.dataset,
        holdout=newest.holdout,
        target=facts.target,
        metrics=list(policy.metrics),
        confidence=policy.confidence,
        resamples=policy.resamples,
        seed=facts.lineage.seed or 0,
    )


async def approve_or_ask(work: UnitOfWork, model: ModelRow, version: VersionRow) -> None:
    """The gates are met: approve, or ask people where the policy wants them and not enough have spoken."""
    repository = Repository(work.session)
    policy = await policy_for(repository, model, version)
    said = voices(await repository.decisions(version.model, version.version), version.digest)
    if enough([each.by for each in said], policy.needed):
        await approve(work, version, said)
        return
    version.state = State.PENDING
    version.expires_at = version.expires_at or work.now + policy.expires
    work.session.add(version)
    work.emit(
        ApprovalRequested(
            model=version.model,
            version=version.version,
            digest=version.digest,
            needed=policy.needed,
            given=len(said),
            gates=_gates(version),
            expires_at=version.expires_at,
        )
    )


async def approve(work: UnitOfWork, version: VersionRow, approvals: list[Approval]) -> None:
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


async def reject(work: UnitOfWork, version: VersionRow, reason: str, state: State, by: str | None = None) -> None:
    """The version will not be used; `by` is the person who decided so, where one did."""
    version.state, version.reason, version.decided_at = state, reason, work.now
    work.session.add(version)
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


async def move_alias(
    work: UnitOfWork, version: VersionRow, alias: str, reason: str, approvals: Sequence[Approval] = ()
) -> None:
    """Point an alias to a version, and keep that it did; `approvals` are those of a move that people decided."""
    repository = Repository(work.session)
    row = await repository.alias(version.model, alias)
    previous = row.version if row else None
    if previous == version.version:
        return
    model = await repository.model(version.model)
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
    work.emit(
        AliasMoved(
            model=version.model,
            alias=alias,
            version=version.version,
            digest=version.digest,
            artifact=version.artifact,
            signature=version.facts.signature,
            previous=previous,
            reason=reason,
            by=work.actor,
            serving=model.parsed().serving,
            approvals=list(approvals) or None,
        )
    )


async def known(repository: Repository, name: str, number: int) -> tuple[ModelRow, VersionRow]:
    """A model and one of its versions; raises NotFound, saying what there is."""
    model = await repository.model(name)
    if model is None:
        raise NotFound(f"no model is named {name!r}; declare it with `headrace apply FILE`")
    version = await repository.version(name, number)
    if version is None:
        raise NotFound(f"{name} has no version {number}; it has {model.last_version or 'none yet'}")
    return model, version


def _gates(version: VersionRow) -> list[GateResult]:
    return [GateResult.model_validate(gate) for gate in version.gates]


def voices(decisions: Sequence[DecisionRow], digest: str) -> list[Approval]:
    """Who said yes to these bytes: each person once, with the last word."""
    last = {each.by: each for each in decisions if each.digest == digest}
    yes = [each for each in last.values() if each.decision == "approve"]
    return [Approval(by=each.by, at=each.at, comment=each.comment) for each in yes]
