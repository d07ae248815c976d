"""How traffic moves to an approved version, and back.

Pure: the standard library, contracts and strategies only. Every decision takes the traffic of one model and answers the
new traffic with the facts to say; nothing here knows a clock, a database or a broker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from headrace.contracts import (
    AlertRaised,
    AliasMoved,
    Artifact,
    Event,
    ReplicaLoaded,
    ReplicaReported,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    Route,
    RouteChanged,
    Signature,
)
from headrace.contracts.catalogs import CATALOGS
from headrace.contracts.durations import parse_duration
from headrace.strategies import AT_ONCE, CATALOG, STRATEGIES, Strategy
from headrace.strategies.evidence import Policy, Seen

REPLICA_SILENCE = timedelta(seconds=10)  # replicas report every second while there is a canary
SHORTEST_WAIT = timedelta(seconds=1)  # between two looks at a shadow without traffic
LOAD_TIMEOUT = timedelta(minutes=5)  # the largest models of ours load in seconds, from a slow store in a minute


class Impossible(ValueError):
    """What was asked cannot be done now; the message says why and what would be right."""


class Phase(StrEnum):
    """Where a rollout is; the last two are for ever."""

    LOADING = "loading"
    BAKING = "baking"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Served:
    """A version as routes name it."""

    version: int
    digest: str
    artifact: Artifact
    signature: Signature

    def same_as(self, other: "Served | None") -> bool:
        """Whether both are the same version with the same bytes."""
        return other is not None and (self.version, self.digest) == (other.version, other.digest)


@dataclass(frozen=True)
class Rollout:
    """One attempt to make a version serve."""

    id: str
    target: Served
    previous: Served | None
    policy: Policy
    started_at: datetime
    revision: int
    """Revision of the route table that first named the target; older replica facts are about another attempt."""
    phase: Phase = Phase.LOADING
    step: int = 0
    deadline: datetime | None = None
    paused: bool = False
    seen: Seen = field(default_factory=Seen)
    alive: Mapping[str, datetime] = field(default_factory=dict)
    """Replicas that have loaded the target, with their last sign of life."""
    waits: str | None = None
    """Why it does not go on although its bake is over."""
    ended_at: datetime | None = None
    reason: str | None = None

    @property
    def held(self) -> str | None:
        """Why it may not go on by itself although its bake is over; None where it may."""
        return self.strategy.held(self.policy, self.seen)

    @property
    def strategy(self) -> Strategy:
        """How it goes; raises ContractError for one that is not known here."""
        return STRATEGIES[CATALOG.known(self.policy.strategy, "serving.strategy")]

    @property
    def share(self) -> int:
        """Percent of the traffic that the present step gives to the target."""
        return self.policy.steps[self.step]

    def lives(self, now: datetime) -> bool:
        """Whether a replica that has loaded the target showed itself lately."""
        return any(now - at <= REPLICA_SILENCE for at in self.alive.values())

    def heard_from(self, replica: str, now: datetime) -> "Rollout":
        """With a sign of life of a replica that has loaded the target."""
        return replace(self, alive={**self.alive, replica: now})

    def ended(self, phase: Phase, now: datetime, reason: str | None = None) -> "Rollout":
        """Over, for good or bad."""
        return replace(self, phase=phase, ended_at=now, reason=reason, deadline=None, paused=False, waits=None)


@dataclass(frozen=True)
class Traffic:
    """Who answers for one model: the champion, and a rollout that may replace it."""

    model: str
    revision: int = 0
    champion: Served | None = None
    rollout: Rollout | None = None
    """The running one."""
    settled: Rollout | None = None
    """The one that made the champion; its `previous` is where a later rollback goes."""
    moved_at: datetime | None = None
    """Time of the newest alias.moved heard; older ones that come late are no news."""

    def routes(self) -> list[Route]:
        """The full route table."""
        if self.rollout is None:
            return [_route("champion", self.champion, 100)] if self.champion else []
        return _while_rolling(self.champion, self.rollout)


@dataclass(frozen=True)
class Decision:
    """What became of the traffic, what to say about it, and which rollouts ended."""

    traffic: Traffic
    facts: tuple[Event, ...] = ()
    ended: tuple[Rollout, ...] = ()

    def then(self, other: "Decision") -> "Decision":
        """Both: first this, then what was decided upon it."""
        return Decision(other.traffic, self.facts + other.facts, self.ended + other.ended)


# facts heard


def champion_moved(traffic: Traffic, moved: AliasMoved, *, id: str, at: datetime, now: datetime) -> Decision:
    """The registry wants another version to serve: start its rollout, unless it serves or rolls out already."""
    if traffic.moved_at is not None and at < traffic.moved_at:
        return Decision(traffic)
    traffic = replace(traffic, moved_at=at)
    target = Served(moved.version, moved.digest, moved.artifact, moved.signature)
    running = traffic.rollout
    if running is not None and target.same_as(running.target):
        return Decision(traffic)
    if target.same_as(traffic.champion):
        return (
            _roll_back(traffic, f"alias moved back to version {target.version}", now) if running else Decision(traffic)
        )
    superseded = _drop(traffic, f"superseded by version {target.version}", now)
    return superseded.then(_start(superseded.traffic, target, policy_of(moved), id, now))


def replica_loaded(traffic: Traffic, loaded: ReplicaLoaded, now: datetime) -> Decision:
    """A replica has, or could not get, a version: the first one lets the bake begin, a failure ends the rollout."""
    rollout = traffic.rollout
    if rollout is None or loaded.revision < rollout.revision:
        return Decision(traffic)
    if (loaded.version, loaded.digest) != (rollout.target.version, rollout.target.digest):
        return Decision(traffic)
    if not loaded.ok:
        return _roll_back(
            traffic, f"replica {loaded.replica} could not load it: {loaded.error or 'no reason given'}", now
        )
    return _proceed(replace(traffic, rollout=rollout.heard_from(loaded.replica, now)), now)


def replica_reported(traffic: Traffic, reported: ReplicaReported, now: datetime) -> Decision:
    """What a replica saw counts for the present step; what is clearly bad ends the rollout before its bake does."""
    rollout = traffic.rollout
    if rollout is None or reported.since < rollout.started_at:
        return Decision(traffic)
    mine = [seen for seen in reported.versions if seen.version == rollout.target.version]
    if not mine:
        return Decision(traffic)
    seen = rollout.seen
    for part in mine:
        seen = seen.plus(part)
    heard = replace(rollout.heard_from(reported.replica, now), seen=seen)
    if heard.waits and heard.held is None and not heard.paused:
        heard = replace(heard, waits=None, deadline=now)
    traffic = replace(traffic, rollout=heard)
    fault = None if rollout.paused else rollout.policy.fault(seen, at_end=False)
    return _roll_back(traffic, fault, now) if fault else Decision(traffic)


def alert_raised(traffic: Traffic, alert: AlertRaised, now: datetime) -> Decision:
    """A critical alert about the version that rolls out ends its rollout; one about another version is no evidence."""
    rollout = traffic.rollout
    if rollout is None or alert.severity != "critical" or alert.version != rollout.target.version:
        return Decision(traffic)
    return _roll_back(traffic, f"critical {alert.kind} alert: {alert.message}", now)


def time_passed(traffic: Traffic, now: datetime) -> Decision:
    """Go on where a deadline has passed: next step, end, or back."""
    rollout = traffic.rollout
    if rollout is None or rollout.paused or rollout.deadline is None or now < rollout.deadline:
        return Decision(traffic)
    if rollout.phase is Phase.LOADING:
        return _roll_back(traffic, f"no replica loaded it within {LOAD_TIMEOUT}", now)
    if fault := rollout.policy.fault(rollout.seen, at_end=True):
        return _roll_back(traffic, fault, now)
    if why := rollout.held:
        longer = now + max(rollout.policy.bake, SHORTEST_WAIT)
        return Decision(replace(traffic, rollout=replace(rollout, waits=why, deadline=longer)))
    return _advance(traffic, rollout, now) if rollout.lives(now) else Decision(traffic)


def steered(traffic: Traffic, action: str, *, version: int | None, reason: str, now: datetime) -> Decision:
    """What a person asks of a rollout; raises Impossible with the reason."""
    CATALOGS["rollout-action"].known(action, "action")
    _check_version(traffic, action, version)
    if action == "rollback" and traffic.rollout is None:
        return _undo(traffic, reason, now)
    rollout = traffic.rollout
    if rollout is None:
        raise Impossible(f"no rollout of model {traffic.model!r} is running, so there is nothing to {action}")
    match action:
        case "rollback":
            return _roll_back(traffic, reason, now)
        case "pause":
            return Decision(replace(traffic, rollout=replace(rollout, paused=True, deadline=None)))
        case "resume":
            return _resume(traffic, rollout, now)
        case "promote":
            return _promote(traffic, rollout, now)
    raise Impossible(f"a rollout cannot be steered by {action!r}")


def policy_of(moved: AliasMoved) -> Policy:
    """The declaration's serving part, its steps in rising order and ending with all traffic."""
    serving = moved.serving
    strategy = CATALOG.known(serving.strategy, "serving.strategy")
    return Policy(
        strategy,
        STRATEGIES[strategy].steps(serving.steps),
        parse_duration(serving.bake),
        serving.max_error_rate,
        serving.max_p99_ms,
        serving.shadow.agreement,
        serving.shadow.distance,
    )


# what follows


def _start(traffic: Traffic, target: Served, policy: Policy, id: str, now: datetime) -> Decision:
    champion = traffic.champion
    if champion is None or target.same_as(traffic.settled.previous if traffic.settled else None):
        # Nothing to protect, or back to what served before and is proven: no steps.
        policy = replace(policy, strategy=AT_ONCE, steps=(100,))
    rollout = Rollout(
        id=id,
        target=target,
        previous=champion,
        policy=policy,
        started_at=now,
        revision=traffic.revision + 1,
        # A first version has nothing to go back to: it waits for a replica as long as it takes.
        deadline=now + LOAD_TIMEOUT if champion else None,
    )
    started = RolloutStarted(
        rollout=id,
        model=traffic.model,
        version=target.version,
        digest=target.digest,
        previous=champion.version if champion else None,
        strategy=policy.strategy,
        steps=list(policy.steps),
    )
    return Decision(traffic, (started,)).then(_rerouted(replace(traffic, rollout=rollout)))


def _proceed(traffic: Traffic, now: datetime) -> Decision:
    """Begin the first step once a replica has the target; the rollout is over then where its strategy says so."""
    rollout = traffic.rollout
    if rollout is None or rollout.phase is not Phase.LOADING or rollout.paused or not rollout.alive:
        return Decision(traffic)
    if rollout.strategy.ends_when_loaded:
        return _complete(traffic, rollout, now)
    baking = replace(rollout, phase=Phase.BAKING, deadline=now + rollout.policy.bake)
    return Decision(replace(traffic, rollout=baking), (_advanced(traffic.model, baking, rollout.seen),))


def _advance(traffic: Traffic, rollout: Rollout, now: datetime) -> Decision:
    if rollout.step + 1 == len(rollout.policy.steps):
        return _complete(traffic, rollout, now)
    further = replace(rollout, step=rollout.step + 1, deadline=now + rollout.policy.bake, seen=Seen())
    said = Decision(traffic, (_advanced(traffic.model, further, rollout.seen),))
    return said.then(_rerouted(replace(traffic, rollout=further)))


def _complete(traffic: Traffic, rollout: Rollout, now: datetime) -> Decision:
    done = rollout.ended(Phase.COMPLETED, now)
    fact = RolloutCompleted(
        rollout=rollout.id,
        model=traffic.model,
        version=rollout.target.version,
        digest=rollout.target.digest,
        seconds=(now - rollout.started_at).total_seconds(),
        evidence=rollout.seen.evidence(),
    )
    settled = replace(traffic, champion=rollout.target, rollout=None, settled=done)
    said = Decision(traffic, (fact,), (done,))
    # A first version is routed as champion from the start: its table does not change when it is done.
    return said.then(_rerouted(settled) if traffic.routes() != settled.routes() else Decision(settled))


def _roll_back(traffic: Traffic, reason: str, now: datetime) -> Decision:
    dropped = _drop(traffic, reason, now)
    return dropped.then(_rerouted(dropped.traffic))


def _drop(traffic: Traffic, reason: str, now: datetime) -> Decision:
    """End the running rollout without a new route table; nothing where none runs."""
    rollout = traffic.rollout
    if rollout is None:
        return Decision(traffic)
    ended = rollout.ended(Phase.ROLLED_BACK, now, reason)
    fact = _rolled_back(traffic.model, ended, traffic.champion, reason)
    return Decision(replace(traffic, rollout=None), (fact,), (ended,))


def _undo(traffic: Traffic, reason: str, now: datetime) -> Decision:
    """Give the traffic back to the version that served before the champion."""
    settled = traffic.settled
    if settled is None or settled.previous is None:
        raise Impossible(f"model {traffic.model!r} has no earlier version to go back to")
    ended = settled.ended(Phase.ROLLED_BACK, now, reason)
    fact = _rolled_back(traffic.model, ended, settled.previous, reason)
    back = replace(traffic, champion=settled.previous, settled=None)
    return Decision(traffic, (fact,), (ended,)).then(_rerouted(back))


def _resume(traffic: Traffic, rollout: Rollout, now: datetime) -> Decision:
    if not rollout.paused:
        return Decision(traffic)
    wait = rollout.policy.bake if rollout.phase is Phase.BAKING else LOAD_TIMEOUT
    resumed = replace(rollout, paused=False, waits=None, deadline=now + wait if traffic.champion else None)
    return _proceed(replace(traffic, rollout=resumed), now)


def _promote(traffic: Traffic, rollout: Rollout, now: datetime) -> Decision:
    if not rollout.alive:
        raise Impossible(f"no replica has loaded version {rollout.target.version} yet; promote it once one has")
    return _complete(traffic, rollout, now)


def _check_version(traffic: Traffic, action: str, version: int | None) -> None:
    concerned = traffic.rollout.target if traffic.rollout else traffic.champion
    if version is not None and concerned is not None and version != concerned.version:
        raise Impossible(f"{action} concerns version {concerned.version} now, not version {version}")


def _rerouted(traffic: Traffic) -> Decision:
    """With the next revision of the route table, said in full."""
    traffic = replace(traffic, revision=traffic.revision + 1)
    return Decision(traffic, (RouteChanged(model=traffic.model, revision=traffic.revision, routes=traffic.routes()),))


def _while_rolling(champion: Served | None, rollout: Rollout) -> list[Route]:
    if champion is None:
        return [_route("champion", rollout.target, 100)]
    place = rollout.strategy.placement(rollout.share)
    return [_route("champion", champion, place.champion), _route(place.role, rollout.target, place.percent)]


def _route(role: str, served: Served, percent: int) -> Route:
    return Route(
        role=role,
        version=served.version,
        digest=served.digest,
        artifact=served.artifact,
        signature=served.signature,
        percent=percent,
    )


def _advanced(model: str, rollout: Rollout, seen: Seen) -> RolloutAdvanced:
    return RolloutAdvanced(
        rollout=rollout.id,
        model=model,
        version=rollout.target.version,
        percent=rollout.strategy.shown(rollout.share),
        step=rollout.step + 1,
        of=len(rollout.policy.steps),
        evidence=seen.evidence(),
    )


def _rolled_back(model: str, rollout: Rollout, restored: Served | None, reason: str) -> RolloutRolledBack:
    return RolloutRolledBack(
        rollout=rollout.id,
        model=model,
        version=rollout.target.version,
        digest=rollout.target.digest,
        restored=restored.version if restored else None,
        reason=reason,
        evidence=rollout.seen.evidence(),
    )
