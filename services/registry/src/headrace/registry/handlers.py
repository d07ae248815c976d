"""One function per fact heard: load, decide, save, emit."""

from headrace.bus import NotYet, Refused, Work
from headrace.contracts import (
    OUTSIDER,
    ApprovalGiven,
    DatasetIngested,
    DriftDetected,
    EvaluationCompleted,
    EvaluationFailed,
    FairnessBreached,
    ModelRequested,
    PerformanceDegraded,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    TrainingCompleted,
    VersionRegistered,
)
from headrace.registry.domain import CHAMPION, State, judge
from headrace.registry.governing import approve_or_ask, decide, declare, evaluate, move_alias, reject
from headrace.registry.tables import DatasetRow, Registry, SignalRow, VersionRow

Signal = DriftDetected | PerformanceDegraded | FairnessBreached


async def on_model_requested(event: ModelRequested, work: Work) -> None:
    """Somebody declares a model."""
    await declare(work, event.document)


async def on_dataset_ingested(event: DatasetIngested, work: Work) -> None:
    """Remember who changed the data: they are authors of every version that learns from it."""
    told = DatasetRow(dataset=event.dataset, version=event.version, mode=event.mode, by=work.actor, at=work.now)
    await work.session.merge(told)


async def on_training_completed(event: TrainingCompleted, work: Work) -> None:
    """A usable model becomes a version, and must be judged."""
    registry = Registry(work.session)
    if await registry.by_run(event.run) is not None:
        return
    model = await registry.model(event.model)
    if model is None:
        raise NotYet(f"{event.model} is not declared here yet")
    model.last_version += 1
    version = VersionRow(
        model=event.model,
        version=model.last_version,
        run=event.run,
        digest=event.artifact.digest,
        state=State.EVALUATING,
        trained=event.model_dump(mode="json", exclude_none=True),
        metrics=event.metrics,
        author=event.requested_by,
        evaluation="",
        created=work.now,
    )
    work.session.add_all([model, version])
    work.emit(
        VersionRegistered(
            model=event.model,
            version=version.version,
            run=event.run,
            artifact=event.artifact,
            dataset=event.dataset,
            metrics=event.metrics,
            declared_revision=event.declared_revision,
        )
    )
    await evaluate(work, model, version)


async def on_evaluation_completed(event: EvaluationCompleted, work: Work) -> None:
    """Hold the figures against the gates; figures against a champion of yesterday are asked for again."""
    registry = Registry(work.session)
    model, version = await registry.model(event.model), await registry.version(event.model, event.candidate)
    if model is None or version is None:
        raise NotYet(f"{event.model} has no version {event.candidate} here yet")
    if version.state != State.EVALUATING or version.evaluation != event.evaluation:
        return  # an answer to a question that was asked again since
    champion = await registry.alias(event.model)
    if (champion.version if champion else None) != event.champion:
        await evaluate(work, model, version)
        return
    verdict = judge(model.parsed(), event)
    version.gates = [gate.model_dump(mode="json", exclude_none=True) for gate in verdict.gates]
    version.comparisons = [each.model_dump(mode="json") for each in event.comparisons]
    version.metrics = {**version.metrics, **event.metrics.candidate}
    work.session.add(version)
    if verdict.passed:
        await approve_or_ask(work, model, version)
    else:
        await reject(work, version, verdict.reason, State.REJECTED)


async def on_evaluation_failed(event: EvaluationFailed, work: Work) -> None:
    """A version that cannot be judged cannot serve."""
    version = await _version(work, event.model, event.candidate)
    if version.state == State.EVALUATING and version.evaluation == event.evaluation:
        await reject(work, version, f"it could not be evaluated: {event.reason}", State.REJECTED)


async def on_approval_given(event: ApprovalGiven, work: Work) -> None:
    """A person says yes or no; who does not say who they are decides nothing."""
    if work.actor == OUTSIDER:
        raise Refused("a decision needs to say whose it is: use `headrace approve`, HTTP, or a CloudEvent with authid")
    await decide(work, event.model, event.version, event.decision, event.comment, event.digest)


async def on_rollout_started(event: RolloutStarted, work: Work) -> None:
    """Traffic begins to move."""
    await _rollout(work, event.model, event.version, "started")


async def on_rollout_advanced(event: RolloutAdvanced, work: Work) -> None:
    """Traffic moves on."""
    await _rollout(work, event.model, event.version, f"at {event.percent} %")


async def on_rollout_completed(event: RolloutCompleted, work: Work) -> None:
    """A version serves everyone."""
    await _rollout(work, event.model, event.version, "completed")


async def on_rollout_rolled_back(event: RolloutRolledBack, work: Work) -> None:
    """The deployer took a version back: the alias follows, unless it has moved on already."""
    version = await _version(work, event.model, event.version)
    version.rollout = f"rolled back: {event.reason}"
    work.session.add(version)
    alias = await Registry(work.session).alias(event.model)
    if alias is None or alias.version != event.version or event.restored is None:
        return
    _signal(work, event.model, event.version, "rollback", event.reason)
    restored = await _version(work, event.model, event.restored)
    await move_alias(work, restored, CHAMPION, f"rollback: {event.reason}")
    await reject(work, version, f"rolled back: {event.reason}", State.REVOKED)


async def on_signal(event: Signal, work: Work, kind: str) -> None:
    """What monitor saw feeds the risk."""
    detail = event.model_dump_json(exclude={"window"}, exclude_none=True)
    _signal(work, event.model, event.version, kind, detail)


async def on_drift_detected(event: DriftDetected, work: Work) -> None:
    """Drift makes harm a little more likely."""
    await on_signal(event, work, "drift")


async def on_performance_degraded(event: PerformanceDegraded, work: Work) -> None:
    """Lost quality makes harm likely."""
    await on_signal(event, work, "performance")


async def on_fairness_breached(event: FairnessBreached, work: Work) -> None:
    """Unfairness is harm."""
    await on_signal(event, work, "fairness")


async def expire(work: Work, model: str, number: int) -> None:
    """End a request for approval whose time is over, unless somebody has decided meanwhile."""
    version = await Registry(work.session).version(model, number)
    if version is not None and version.state == State.PENDING:
        await reject(work, version, "nobody decided in time", State.EXPIRED)


async def _rollout(work: Work, model: str, number: int, how: str) -> None:
    version = await _version(work, model, number)
    version.rollout = how
    work.session.add(version)


async def _version(work: Work, model: str, number: int) -> VersionRow:
    version = await Registry(work.session).version(model, number)
    if version is None:
        raise NotYet(f"{model} has no version {number} here yet")
    return version


def _signal(work: Work, model: str, version: int, kind: str, detail: str) -> None:
    work.session.add(
        SignalRow(id=f"{work.root}:{kind}", model=model, version=version, kind=kind, detail=detail, at=work.now)
    )
