"""The steps of governance that events and routes share; each works within one transaction."""

from collections.abc import Sequence

from headrace.bus import UnitOfWork
from headrace.chassis import NotFound
from headrace.contracts import AliasMoved, Approval
from headrace.registry.domain import Change, Decision, Version
from headrace.registry.gates import CHAMPION, Met, asked_of, incomparable
from headrace.registry.policy import Policy, policy_of, stricter
from headrace.registry.tables import AliasMoveRow, AliasRow, ChangeRow, DecisionRow, ModelRow, Repository, VersionRow


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


async def evaluate(work: UnitOfWork, model: ModelRow, version: VersionRow) -> None:
    """Ask for the version to be judged, beside the champion of this moment, by what is asked of it now."""
    repository = Repository(work.session)
    champion = await repository.champion(version.model)
    policy = await policy_for(repository, model, version)
    await keep(work, version, version.as_version.asked_for(policy, champion.as_version if champion else None))


async def approvals_of(repository: Repository, version: VersionRow) -> list[Approval]:
    """Who said yes to a version."""
    return voices(await repository.decisions(version.model, version.version), version.digest)


async def keep(work: UnitOfWork, row: VersionRow, decision: Decision[Version]) -> None:
    """Save what was decided, say what follows, and move the champion where it does."""
    save(work, row, decision)
    if decision.promoted is not None:
        await move_alias(work, row, CHAMPION, decision.promoted)


def save(work: UnitOfWork, row: VersionRow | ChangeRow, decision: Decision[Version] | Decision[Change]) -> None:
    """Save what was decided, and say what follows."""
    Repository(work.session).save(row, decision.after)
    for fact in decision.facts:
        work.emit(fact)


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
            artifact=version.as_version.artifact,
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


def voices(decisions: Sequence[DecisionRow], digest: str) -> list[Approval]:
    """Who said yes to these bytes: each person once, with the last word."""
    last = {each.by: each for each in decisions if each.digest == digest}
    yes = [each for each in last.values() if each.decision == "approve"]
    return [Approval(by=each.by, at=each.at, comment=each.comment) for each in yes]
