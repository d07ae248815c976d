"""One function per fact heard: load, decide, save, emit."""

from collections.abc import Callable

from headrace.bus import NotYet, UnitOfWork
from headrace.bus.upsert import put_row
from headrace.contracts import (
    AlertRaised,
    CodePushed,
    DatasetIngested,
    DecisionGiven,
    DeclarationRequested,
    DriftDetected,
    EvaluationCompleted,
    EvaluationFailed,
    FairnessBreached,
    ImportCompleted,
    PerformanceDegraded,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    TrainingCompleted,
    VersionRegistered,
    derive_id,
)
from headrace.registry.changes import end
from headrace.registry.datasets import merged_facts
from headrace.registry.decisions import decide
from headrace.registry.declarations import declare
from headrace.registry.domain import State
from headrace.registry.gates import CHAMPION, judge
from headrace.registry.governance import approvals_of, evaluate, keep, met_by, move_alias, policy_for
from headrace.registry.registration import of_import, of_run, register
from headrace.registry.tables import CodeRow, DatasetRow, ModelRow, Repository, SignalRow, VersionRow

Signal = DriftDetected | PerformanceDegraded | FairnessBreached


async def on_model_requested(event: DeclarationRequested, work: UnitOfWork) -> None:
    """Somebody declares a model."""
    await declare(work, event.document)


async def on_dataset_ingested(event: DatasetIngested, work: UnitOfWork) -> None:
    """Remember what the data hold, and who changed them: an author of every version that learns from them."""
    before = await work.session.get(DatasetRow, (event.dataset, event.version - 1))
    kept = before.facts if before and event.mode == "append" else []
    told = DatasetRow(
        dataset=event.dataset,
        version=event.version,
        mode=event.mode,
        by=work.actor,
        contract_by=list(event.contract_by or []),
        at=work.now,
        columns=[column.model_dump(mode="json") for column in event.columns],
        facts=merged_facts(kept, event.facts or []),
    )
    await put_row(work.session, told)


async def on_code_pushed(event: CodePushed, work: UnitOfWork) -> None:
    """Remember which packages of code there are, so that a declaration of one that is not is refused."""
    await put_row(work.session, CodeRow(package=event.package, version=event.version))


async def on_training_completed(event: TrainingCompleted, work: UnitOfWork) -> None:
    """A usable model becomes a version, and must be judged; that of an experiment does once it is promoted."""
    if event.experiment is None:
        await _register(work, event.model, event.run, lambda number: of_run(event, number))


async def on_import_completed(event: ImportCompleted, work: UnitOfWork) -> None:
    """A model that was made elsewhere becomes a version, and must be judged as any other."""
    await _register(work, event.model, event.import_id, lambda number: of_import(event, number))


async def _register(work: UnitOfWork, name: str, maker: str, facts: Callable[[int], VersionRegistered]) -> None:
    """One version for each run or import, however often it is told."""
    repository = Repository(work.session)
    if await repository.by_run(maker) is not None:
        return
    model = await repository.hold(name)
    if model is None:
        raise NotYet(f"{name} is not declared here yet")
    await register(work, model, facts(model.last_version + 1))


async def on_evaluation_completed(event: EvaluationCompleted, work: UnitOfWork) -> None:
    """Hold the figures against the gates; where champion or gates changed meanwhile, they are asked for again."""
    repository = Repository(work.session)
    model, row = await _held(work, event.model, event.candidate)
    version, champion = row.as_version, await repository.alias(event.model)
    if not version.awaits(event.evaluation):
        return
    policy = await policy_for(repository, model, row)
    if not version.measured_by(policy, champion.version if champion else None):
        await evaluate(work, model, row)
        return
    verdict = judge(policy, event, await met_by(repository, row))
    approvals = await approvals_of(repository, row)
    await keep(work, row, version.judged(verdict, event, policy, approvals, work.now))


async def on_evaluation_failed(event: EvaluationFailed, work: UnitOfWork) -> None:
    """A version that cannot be judged cannot serve; where no gate needs the champion, it is judged alone first."""
    repository = Repository(work.session)
    model, row = await _held(work, event.model, event.candidate)
    version, champion = row.as_version, await repository.champion(event.model)
    if version.awaits(event.evaluation):
        policy = await policy_for(repository, model, row)
        decision = version.not_judged(event.reason, policy, champion.as_version if champion else None, work.now)
        await keep(work, row, decision)


async def on_approval_given(event: DecisionGiven, work: UnitOfWork) -> None:
    """A person says yes or no; who has not shown who they are decides nothing."""
    await decide(work, event.model, event.version, event.decision, event.comment, event.digest)


async def on_rollout_started(event: RolloutStarted, work: UnitOfWork) -> None:
    """Traffic begins to move."""
    await _rollout(work, event.model, event.version, "started")


async def on_rollout_advanced(event: RolloutAdvanced, work: UnitOfWork) -> None:
    """Traffic moves on."""
    await _rollout(work, event.model, event.version, f"at {event.percent} %")


async def on_rollout_completed(event: RolloutCompleted, work: UnitOfWork) -> None:
    """A version serves everyone."""
    await _rollout(work, event.model, event.version, "completed")


async def on_rollout_rolled_back(event: RolloutRolledBack, work: UnitOfWork) -> None:
    """The deployer took a version back: the alias follows, unless it has moved on already."""
    _, version = await _held(work, event.model, event.version)
    version.rollout = f"rolled back: {event.reason}"
    work.session.add(version)
    alias = await Repository(work.session).alias(event.model)
    if alias is None or alias.version != event.version or event.restored is None:
        return
    _signal(work, event.model, event.version, "rollback", event.reason)
    restored = await _version(work, event.model, event.restored)
    if restored.state == State.APPROVED:
        await move_alias(work, restored, CHAMPION, f"rollback: {event.reason}")
    else:
        _tell_of_unapproved(work, restored)
    await keep(work, version, version.as_version.revoked(f"rolled back: {event.reason}", work.now))


def _tell_of_unapproved(work: UnitOfWork, version: VersionRow) -> None:
    """The alias never points to what may not serve; that it serves all the same is for people to end."""
    message = (
        f"the deployer went back to version {version.version}, which is {version.state}: move the champion to an "
        f"approved version (PUT /models/{version.model}/aliases/champion)"
    )
    _alert(work, version.model, "critical", message, version.version)


async def on_signal(event: Signal, work: UnitOfWork, kind: str) -> None:
    """What monitor saw feeds the risk."""
    detail = event.model_dump_json(exclude={"window"}, exclude_none=True)
    _signal(work, event.model, event.version, kind, detail)


async def on_drift_detected(event: DriftDetected, work: UnitOfWork) -> None:
    """Drift makes harm a little more likely."""
    await on_signal(event, work, "drift")


async def on_performance_degraded(event: PerformanceDegraded, work: UnitOfWork) -> None:
    """Lost quality makes harm likely."""
    await on_signal(event, work, "performance")


async def on_fairness_breached(event: FairnessBreached, work: UnitOfWork) -> None:
    """Unfairness is harm."""
    await on_signal(event, work, "fairness")


async def expire(work: UnitOfWork, model: str, number: int) -> None:
    """End a request for approval whose time is over, unless somebody has decided meanwhile."""
    repository = Repository(work.session)
    await repository.hold(model)
    row = await repository.version(model, number)
    if row is not None and row.as_version.overdue(work.now):
        await keep(work, row, row.as_version.expired(work.now))


async def expire_change(work: UnitOfWork, model: str, change: str) -> None:
    """End a change whose time is over, unless somebody has decided meanwhile."""
    repository = Repository(work.session)
    await repository.hold(model)
    row = await repository.change(change)
    if row is not None and row.as_change.overdue(work.now):
        end(work, row, State.EXPIRED, "nobody decided in time")


async def remind(work: UnitOfWork, name: str) -> None:
    """People must look at a model's risk again: say so once."""
    model = await Repository(work.session).hold(name)
    if model is None or model.review_due > work.now:
        return
    model.reminded_at = work.now
    work.session.add(model)
    since = model.reviewed_at.date().isoformat()
    message = f"its risk was last looked at on {since} and must be looked at again: POST /models/{name}/risk/review"
    _alert(work, name, "warning", message)


def _alert(work: UnitOfWork, model: str, severity: str, message: str, version: int | None = None) -> None:
    alert = derive_id(work.root, AlertRaised.TYPE, model, len(work.emitted))
    told = {"model": model, "alert": alert, "kind": "risk", "severity": severity, "message": message}
    work.emit(AlertRaised.model_validate({**told, "version": version}))


async def _rollout(work: UnitOfWork, model: str, number: int, how: str) -> None:
    version = await _version(work, model, number)
    version.rollout = how
    work.session.add(version)


async def _held(work: UnitOfWork, model: str, number: int) -> tuple[ModelRow, VersionRow]:
    """A model that nobody else decides about now, and one of its versions."""
    row = await Repository(work.session).hold(model)
    version = await _version(work, model, number)
    assert row is not None
    return row, version


async def _version(work: UnitOfWork, model: str, number: int) -> VersionRow:
    version = await Repository(work.session).version(model, number)
    if version is None:
        raise NotYet(f"{model} has no version {number} here yet")
    return version


def _signal(work: UnitOfWork, model: str, version: int, kind: str, detail: str) -> None:
    work.session.add(
        SignalRow(id=f"{work.root}:{kind}", model=model, version=version, kind=kind, detail=detail, at=work.now)
    )
