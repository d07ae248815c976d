"""One function per fact heard: load, decide, save, say."""

from headrace.bus import Refused, UnitOfWork
from headrace.contracts import (
    AlertRaised,
    AliasMoved,
    ReplicaLoaded,
    ReplicaReported,
    RolloutRequested,
    derive_id,
    is_person,
)
from headrace.deployer import domain
from headrace.deployer.domain import Decision, Impossible, Traffic
from headrace.deployer.tables import Repository

CHAMPION = "champion"  # the alias that serves; others are names for people


async def on_alias_moved(event: AliasMoved, work: UnitOfWork) -> None:
    """The champion is another version: move the traffic to it."""
    if event.alias != CHAMPION:
        return
    traffic = await Repository(work.session).get(event.model)
    at = work.cause.time if work.cause else work.now
    rollout = derive_id(work.root, "rollout", event.model, event.version)
    await keep(work, domain.champion_moved(traffic, event, id=rollout, at=at, now=work.now))


async def on_replica_loaded(event: ReplicaLoaded, work: UnitOfWork) -> None:
    """A replica has the new version, or cannot get it."""
    traffic = await Repository(work.session).get(event.model)
    await continue_rollout(work, traffic, domain.replica_loaded(traffic, event, work.now))


async def on_replica_reported(event: ReplicaReported, work: UnitOfWork) -> None:
    """What a replica saw of the versions during the last second."""
    traffic = await Repository(work.session).get(event.model)
    await continue_rollout(work, traffic, domain.replica_reported(traffic, event, work.now))


async def on_alert_raised(event: AlertRaised, work: UnitOfWork) -> None:
    """Something is wrong with a model; if it is the version that rolls out, it goes back."""
    traffic = await Repository(work.session).get(event.model)
    await keep(work, domain.alert_raised(traffic, event, work.now))


async def on_rollout_requested(event: RolloutRequested, work: UnitOfWork) -> None:
    """Somebody steers a rollout; what serves is decided by people, over HTTP with `deployer:write` or like this."""
    if not is_person(work.actor):
        raise Refused(f"a rollout is steered by a person who has shown who they are, not {work.actor}; use HTTP")
    try:
        await steer(work, event.model, event.action, version=event.version, reason=event.reason)
    except Impossible as error:
        raise Refused(str(error)) from error


async def steer(
    work: UnitOfWork, model: str, action: str, *, version: int | None = None, reason: str | None = None
) -> Traffic:
    """Do what a person asks; raises Impossible with the reason."""
    traffic = await Repository(work.session).get(model)
    told = f"{action} by {work.actor}" + (f": {reason}" if reason else "")
    decision = domain.steered(traffic, action, version=version, reason=told, now=work.now)
    await keep(work, decision)
    return decision.traffic


async def tick(work: UnitOfWork, model: str) -> None:
    """Go on where a deadline has passed."""
    traffic = await Repository(work.session).get(model)
    await continue_rollout(work, traffic, domain.time_passed(traffic, work.now))


async def continue_rollout(work: UnitOfWork, before: Traffic, decision: Decision) -> None:
    """Keep a decision that belongs to the chain of events that started the rollout, whatever brought it about now."""
    if decision.facts and before.rollout and (row := await Repository(work.session).row(before.rollout.id)):
        work.correlationid, work.traceparent = row.correlationid, row.traceparent
        work.actor = row.actor
    await keep(work, decision)


async def keep(work: UnitOfWork, decision: Decision) -> None:
    """Save what was decided and say what follows."""
    for fact in decision.facts:
        work.emit(fact)
    await Repository(work.session).save(
        decision, actor=work.actor, correlationid=work.correlationid, traceparent=work.traceparent
    )
