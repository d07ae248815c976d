"""How traffic moves: the decisions, one sentence each, and a machine that plays all of them in any order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from headrace.contracts import (
    AlertRaised,
    AliasMoved,
    AnswersCompared,
    ContractError,
    ReplicaLoaded,
    ReplicaReported,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    RouteChanged,
    Serving,
    ShadowPolicy,
    VersionTraffic,
)
from headrace.deployer import domain
from headrace.deployer.api import RolloutView
from headrace.deployer.domain import Decision, Impossible, Phase, Traffic
from headrace.strategies.evidence import FEWEST_REQUESTS
from headrace.testkit.builders import a
from headrace.testkit.examples import examples

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BAKE = timedelta(seconds=30)


def digest(version: int) -> str:
    """A digest for a version."""
    return f"{version:064x}"


def moved(version: int, **serving: Any) -> AliasMoved:
    """The champion alias points to a version."""
    return a(
        AliasMoved, model="m", alias="champion", version=version, digest=digest(version), serving=Serving(**serving)
    )


def loaded(traffic: Traffic, version: int, ok: bool = True, **fields: Any) -> ReplicaLoaded:
    """A replica tells of a version, asked for by the present route table."""
    told = {"replica": "r1", "revision": traffic.revision, **fields}
    return a(ReplicaLoaded, model="m", version=version, digest=digest(version), ok=ok, **told)


def reported(
    version: int,
    requests: int,
    errors: int = 0,
    p99_ms: float = 5.0,
    at: datetime = NOW,
    compared: AnswersCompared | None = None,
) -> ReplicaReported:
    """A second of a replica's traffic."""
    told = {"role": "shadow" if compared else "canary", "requests": requests, "errors": errors, "compared": compared}
    seen = VersionTraffic(version=version, p50_ms=1.0, p99_ms=p99_ms, **told)
    return ReplicaReported(replica="r1", model="m", since=at, until=at + timedelta(seconds=1), versions=[seen])


def beside(rows: int, same: int | None = None, gap: float = 0.0) -> AnswersCompared:
    """A shadow's answers beside a champion's that are 0 and 2 by turns: their standard deviation is 1."""
    told = {"same": rows if same is None else same, "gap": gap * rows, "total": float(rows), "squares": 2.0 * rows}
    return AnswersCompared(rows=rows, numbers=rows, **told)


def shadowing(requests: int, at: datetime = NOW, **compared: Any) -> ReplicaReported:
    """A second of a shadow, one row a request."""
    return reported(2, requests, at=at, compared=beside(requests, **compared))


def start(traffic: Traffic, version: int, now: datetime = NOW, **serving: Any) -> Decision:
    """Move the alias."""
    return domain.champion_moved(traffic, moved(version, **serving), id=f"rollout-{version}", at=now, now=now)


def serving(version: int = 1) -> Traffic:
    """Traffic of a model whose champion is in place."""
    traffic = start(Traffic("m"), version).traffic
    return domain.replica_loaded(traffic, loaded(traffic, version), NOW).traffic


def rolling(**policy: Any) -> Traffic:
    """Version 2 in its first step, version 1 the champion."""
    traffic = start(serving(), 2, **policy).traffic
    return domain.replica_loaded(traffic, loaded(traffic, 2), NOW).traffic


def kinds(decision: Decision) -> list[type]:
    """What was said."""
    return [type(fact) for fact in decision.facts]


def shares(traffic: Traffic) -> dict[tuple[str, int], int]:
    """The route table in short."""
    return {(route.role, route.version): route.percent for route in traffic.routes()}


def test_a_first_version_gets_all_traffic_at_once() -> None:
    """There is nothing to protect: it is routed directly, and done when a replica has it."""
    started = start(Traffic("m"), 1)
    done = domain.replica_loaded(started.traffic, loaded(started.traffic, 1), NOW)

    assert kinds(started) == [RolloutStarted, RouteChanged]
    assert shares(started.traffic) == {("champion", 1): 100}
    assert kinds(done) == [RolloutCompleted]
    assert done.traffic.champion is not None
    assert done.traffic.champion.version == 1


def test_a_canary_waits_for_a_replica_before_it_bakes() -> None:
    """The bake begins when somebody can answer with the version."""
    started = start(serving(), 2)
    late = domain.time_passed(started.traffic, NOW + BAKE)
    begun = domain.replica_loaded(started.traffic, loaded(started.traffic, 2), NOW)

    assert shares(started.traffic) == {("champion", 1): 90, ("canary", 2): 10}
    assert late.facts == ()
    assert kinds(begun) == [RolloutAdvanced]
    assert begun.traffic.rollout is not None
    assert begun.traffic.rollout.deadline == NOW + BAKE


def test_a_canary_climbs_its_steps_and_takes_over() -> None:
    """10, 50, 100 percent, each for a bake; without traffic the time alone decides."""
    traffic, seen, now = rolling(), [], NOW
    while traffic.rollout is not None:
        seen.append(shares(traffic)["canary", 2])
        now += BAKE
        traffic = domain.replica_reported(traffic, reported(2, 0), now).traffic
        decision = domain.time_passed(traffic, now)
        traffic = decision.traffic

    assert seen == [10, 50, 100]
    assert shares(traffic) == {("champion", 2): 100}
    assert kinds(decision) == [RolloutCompleted, RouteChanged]


def test_a_step_waits_for_a_live_replica() -> None:
    """When nobody that has the version shows signs of life, nothing is known about it."""
    silent = domain.time_passed(rolling(), NOW + BAKE)
    traffic = domain.replica_reported(silent.traffic, reported(2, 0), NOW + BAKE).traffic
    heard = domain.time_passed(traffic, NOW + BAKE)

    assert silent.facts == ()
    assert kinds(heard) == [RolloutAdvanced, RouteChanged]


@pytest.mark.parametrize(
    ("requests", "errors", "p99_ms", "reason"),
    [(100, 2, 5.0, "2 of 100 requests failed; at most 1.00% may"), (100, 0, 300.0, "p99 of 300.0 ms")],
    ids=["errors", "latency"],
)
def test_a_bad_version_goes_back_before_its_bake_is_over(
    requests: int, errors: int, p99_ms: float, reason: str
) -> None:
    """Enough requests that fail, or are slow, decide at once."""
    decision = domain.replica_reported(rolling(), reported(2, requests, errors, p99_ms), NOW)

    assert kinds(decision) == [RolloutRolledBack, RouteChanged]
    assert reason in decision.facts[0].reason  # type: ignore[attr-defined]
    assert shares(decision.traffic) == {("champion", 1): 100}


def test_few_requests_decide_only_at_the_end_of_the_bake() -> None:
    """One failure of three says little now, but enough when no more came."""
    early = domain.replica_reported(rolling(), reported(2, 3, 1), NOW + BAKE)
    end = domain.time_passed(early.traffic, NOW + BAKE)

    assert early.facts == ()
    assert kinds(end) == [RolloutRolledBack, RouteChanged]


def test_evidence_is_counted_anew_at_each_step() -> None:
    """What was seen at 10 percent does not excuse what is seen at 50."""
    traffic = domain.replica_reported(rolling(), reported(2, 1000), NOW + BAKE).traffic
    advanced = domain.time_passed(traffic, NOW + BAKE)

    assert advanced.facts[0].evidence.requests == 1000  # type: ignore[attr-defined]
    assert advanced.traffic.rollout is not None
    assert advanced.traffic.rollout.seen.requests == 0


def test_a_replica_that_cannot_load_it_ends_the_rollout() -> None:
    """A version that does not load anywhere must not be routed to."""
    traffic = start(serving(), 2).traffic
    decision = domain.replica_loaded(traffic, loaded(traffic, 2, ok=False, error="digest differs"), NOW)

    assert kinds(decision) == [RolloutRolledBack, RouteChanged]
    assert "digest differs" in decision.facts[0].reason  # type: ignore[attr-defined]


def test_news_of_an_earlier_attempt_do_not_count() -> None:
    """A failure that belongs to an older route table says nothing about this rollout."""
    traffic = start(serving(), 2).traffic
    old = loaded(traffic, 2, ok=False, revision=1)

    assert domain.replica_loaded(traffic, old, NOW) == Decision(traffic)


def test_a_version_that_nobody_loads_goes_back() -> None:
    """After the time limit; with the reason."""
    traffic = start(serving(), 2).traffic
    decision = domain.time_passed(traffic, NOW + domain.LOAD_TIMEOUT)

    assert kinds(decision) == [RolloutRolledBack, RouteChanged]
    assert "no replica loaded it" in decision.facts[0].reason  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("version", "severity", "ends"), [(2, "critical", True), (1, "critical", False), (2, "warning", False)]
)
def test_only_a_critical_alert_about_the_new_version_ends_its_rollout(version: int, severity: Any, ends: bool) -> None:
    """An alert about the old version is no evidence against the new one."""
    alert = a(AlertRaised, model="m", severity=severity, version=version)

    assert bool(domain.alert_raised(rolling(), alert, NOW).facts) is ends


def test_a_newer_version_supersedes_a_running_rollout() -> None:
    """Both versions are accounted for, and one route table tells of the change."""
    decision = start(rolling(), 3)

    assert kinds(decision) == [RolloutRolledBack, RolloutStarted, RouteChanged]
    assert decision.facts[0].reason == "superseded by version 3"  # type: ignore[attr-defined]
    assert shares(decision.traffic) == {("champion", 1): 90, ("canary", 3): 10}


def test_an_alias_that_moves_back_to_what_serves_rolls_out_nothing() -> None:
    """The registry follows a rollback with its alias; that is no news."""
    back = domain.time_passed(start(serving(), 2).traffic, NOW + domain.LOAD_TIMEOUT).traffic

    assert start(back, 1).facts == ()


def test_an_alias_that_moves_back_during_a_rollout_ends_it() -> None:
    """The registry changed its mind."""
    assert kinds(start(rolling(), 1)) == [RolloutRolledBack, RouteChanged]


def test_the_same_alias_move_twice_changes_nothing() -> None:
    """A repeated fact is no second rollout."""
    traffic = rolling()

    assert start(traffic, 2).facts == ()


def test_an_older_alias_move_that_comes_late_is_no_news() -> None:
    """The stream's order may be broken by retries; the time of the fact decides."""
    assert start(serving(2), 1, now=NOW - BAKE).facts == ()


def test_going_back_to_the_version_before_takes_no_steps() -> None:
    """It served before and is proven: the way back is short."""
    traffic = rolling(steps=[100], bake="PT0S")
    traffic = domain.time_passed(traffic, NOW).traffic

    decision = start(traffic, 1)

    assert decision.facts[0].strategy == "direct"  # type: ignore[attr-defined]


def test_a_direct_rollout_is_loaded_before_it_is_asked() -> None:
    """No request waits for a load: the replicas have the version before traffic moves."""
    started = start(serving(), 2, strategy="direct")
    done = domain.replica_loaded(started.traffic, loaded(started.traffic, 2), NOW)

    assert shares(started.traffic) == {("champion", 1): 100, ("canary", 2): 0}
    assert shares(done.traffic) == {("champion", 2): 100}


def test_a_shadow_answers_nobody_until_it_has_baked() -> None:
    """It sees the traffic, the champion answers."""
    traffic = rolling(strategy="shadow")
    traffic = domain.replica_reported(traffic, shadowing(50), NOW + BAKE).traffic
    done = domain.time_passed(traffic, NOW + BAKE)

    assert shares(traffic) == {("champion", 1): 100, ("shadow", 2): 100}
    assert shares(done.traffic) == {("champion", 2): 100}


def test_a_shadow_that_was_asked_nothing_is_not_promoted() -> None:
    """It says what it waits for, goes on waiting, and is done as soon as it has shown what it can do."""
    traffic = rolling(strategy="shadow")
    traffic = domain.replica_reported(traffic, shadowing(19), NOW + BAKE).traffic
    waiting = domain.time_passed(traffic, NOW + BAKE)
    later = domain.time_passed(waiting.traffic, NOW + 2 * BAKE)
    asked = domain.replica_reported(later.traffic, shadowing(1, at=NOW + 3 * BAKE), NOW + 3 * BAKE).traffic
    done = domain.time_passed(asked, NOW + 3 * BAKE)

    assert (waiting.facts, later.facts) == ((), ())
    assert waiting.traffic.rollout is not None
    assert "19 of the 20 requests" in (waiting.traffic.rollout.waits or "")
    assert "19 of the 20 requests" in (RolloutView.of("m", waiting.traffic.rollout).waits or "")
    assert asked.rollout is not None
    assert asked.rollout.waits is None
    assert shares(done.traffic) == {("champion", 2): 100}


@pytest.mark.parametrize(
    ("compared", "why"),
    [
        ({"same": 70}, "equal the champion's on 70.0% of 100 rows; at least 80.0% must"),
        ({"gap": 1.5}, "differ from the champion's by 1.50 standard deviations"),
    ],
)
def test_a_shadow_that_answers_otherwise_waits_for_a_person(compared: dict[str, Any], why: str) -> None:
    """Its figures stand beside the reason; with better ones it goes on, and a person may decide before."""
    traffic = domain.replica_reported(rolling(strategy="shadow"), shadowing(100, **compared), NOW + BAKE).traffic
    held = domain.time_passed(traffic, NOW + BAKE)

    assert held.facts == ()
    assert held.traffic.rollout is not None
    assert why in (held.traffic.rollout.waits or "")
    view = RolloutView.of("m", held.traffic.rollout)
    assert (view.evidence.compared, why in (view.waits or "")) == (100, True)
    promoted = domain.steered(held.traffic, "promote", version=2, reason="it is right", now=NOW + BAKE)
    (done,) = [fact for fact in promoted.facts if isinstance(fact, RolloutCompleted)]
    assert done.evidence is not None
    assert (done.evidence.agreement, done.evidence.distance) == (
        compared.get("same", 100) / 100,
        pytest.approx(compared.get("gap", 0.0)),
    )

    later = NOW + 2 * BAKE
    better = domain.replica_reported(held.traffic, shadowing(900, at=later), later).traffic
    assert shares(domain.time_passed(better, later).traffic) == {("champion", 2): 100}


def test_what_a_shadow_may_differ_by_is_declared() -> None:
    """The same figures hold it under one declaration, and not under another."""
    for agreement, serves in ((0.5, 2), (0.9, 1)):
        traffic = rolling(strategy="shadow", shadow=ShadowPolicy(agreement=agreement, distance=10.0))
        traffic = domain.replica_reported(traffic, shadowing(100, same=70, gap=5.0), NOW + BAKE).traffic
        done = domain.time_passed(traffic, NOW + BAKE).traffic
        assert done.champion is not None
        assert done.champion.version == serves


def test_a_shadow_that_was_never_compared_is_untried() -> None:
    """Answers to callers who asked for it by its version say nothing of what it answers in the champion's place."""
    traffic = domain.replica_reported(rolling(strategy="shadow"), reported(2, 500), NOW + BAKE).traffic
    waiting = domain.time_passed(traffic, NOW + BAKE).traffic

    assert waiting.rollout is not None
    assert "0 of the 20 requests" in (waiting.rollout.waits or "")


def test_a_waiting_shadow_is_still_in_a_persons_hand() -> None:
    """Promote takes it without evidence, rollback takes it away, and its failures end it while it waits."""
    waiting = domain.time_passed(rolling(strategy="shadow"), NOW + BAKE).traffic
    promoted = domain.steered(waiting, "promote", version=2, reason="sure", now=NOW + BAKE)
    dropped = domain.steered(waiting, "rollback", version=2, reason="no", now=NOW + BAKE)
    failed = domain.replica_reported(waiting, reported(2, 20, errors=5), NOW + BAKE)

    assert shares(promoted.traffic) == {("champion", 2): 100}
    assert shares(dropped.traffic) == shares(failed.traffic) == {("champion", 1): 100}


def test_a_pause_stops_the_clock_and_resume_bakes_anew() -> None:
    """While paused, neither time nor evidence moves the rollout."""
    paused = domain.steered(rolling(), "pause", version=None, reason="look", now=NOW).traffic
    still = domain.time_passed(paused, NOW + 10 * BAKE)
    resumed = domain.steered(paused, "resume", version=None, reason="go", now=NOW + BAKE).traffic

    assert still.facts == ()
    assert resumed.rollout is not None
    assert resumed.rollout.deadline == NOW + 2 * BAKE


def test_promote_skips_the_rest() -> None:
    """A person may decide; but only for a version that somebody has."""
    decision = domain.steered(rolling(), "promote", version=2, reason="sure", now=NOW)

    assert kinds(decision) == [RolloutCompleted, RouteChanged]
    with pytest.raises(Impossible, match="no replica has loaded version 2"):
        domain.steered(start(serving(), 2).traffic, "promote", version=None, reason="", now=NOW)


def test_a_rollback_after_the_rollout_restores_the_version_before() -> None:
    """Once; there is no way further back."""
    traffic = domain.steered(rolling(), "promote", version=None, reason="", now=NOW).traffic
    decision = domain.steered(traffic, "rollback", version=None, reason="bad day", now=NOW)

    assert kinds(decision) == [RolloutRolledBack, RouteChanged]
    assert shares(decision.traffic) == {("champion", 1): 100}
    with pytest.raises(Impossible, match="no earlier version"):
        domain.steered(decision.traffic, "rollback", version=None, reason="again", now=NOW)


def test_a_request_about_another_version_steers_nothing() -> None:
    """It was meant for a rollout that is over."""
    with pytest.raises(Impossible, match="concerns version 2 now, not version 3"):
        domain.steered(rolling(), "rollback", version=3, reason="", now=NOW)


@pytest.mark.parametrize(
    ("given", "taken"), [([10, 50, 100], (10, 50, 100)), ([50, 10], (10, 50, 100)), ([0, 200], (100,))]
)
def test_steps_rise_and_end_with_all_traffic(given: list[int], taken: tuple[int, ...]) -> None:
    """Whatever order a declaration has them in."""
    assert domain.policy_of(moved(1, steps=given)).steps == taken


class AnyOrder(RuleBasedStateMachine):
    """Facts, requests and time in any order never lead to a route table that makes no sense."""

    @initialize()
    def begin(self) -> None:
        """Nothing serves."""
        self.now = NOW
        self.traffic = Traffic("m")
        self.said: list[Any] = []
        self.open: set[str] = set()
        self.promoted: set[str] = set()
        self.newest = 0

    def _take(self, decide: Callable[[], Decision]) -> None:
        try:
            decision = decide()
        except Impossible:
            return
        self.traffic = decision.traffic
        for fact in decision.facts:
            self.said.append(fact)
            if isinstance(fact, RolloutStarted):
                self.open.add(fact.rollout)
            if isinstance(fact, RolloutCompleted):
                self.open.remove(fact.rollout)
            if isinstance(fact, RolloutRolledBack):
                self.open.discard(fact.rollout)

    @rule(version=st.integers(1, 4), strategy=st.sampled_from(["canary", "direct", "shadow"]))
    def alias_moves(self, version: int, strategy: str) -> None:
        """The registry decides."""
        self.newest += 1
        event = moved(version, strategy=strategy)
        self._take(lambda: domain.champion_moved(self.traffic, event, id=f"{self.newest}", at=self.now, now=self.now))

    @rule(version=st.integers(1, 4), ok=st.booleans(), behind=st.integers(0, 3))
    def replica_tells(self, version: int, ok: bool, behind: int) -> None:
        """A replica has, or has not, a version; perhaps for an older table."""
        event = loaded(self.traffic, version, ok, revision=max(0, self.traffic.revision - behind))
        self._take(lambda: domain.replica_loaded(self.traffic, event, self.now))

    @rule(
        version=st.integers(1, 4),
        requests=st.integers(0, 100),
        errors=st.integers(0, 3),
        p99=st.floats(0, 400),
        same=st.floats(0.5, 1),
    )
    def replica_reports(self, version: int, requests: int, errors: int, p99: float, same: float) -> None:
        """Traffic, good or bad."""
        compared = beside(requests, same=int(requests * same))
        event = reported(version, max(requests, errors), errors, p99, self.now, compared)
        self._take(lambda: domain.replica_reported(self.traffic, event, self.now))

    @rule(seconds=st.integers(1, 400))
    def time_goes_by(self, seconds: int) -> None:
        """The clock is looked at."""
        self.now += timedelta(seconds=seconds)
        self._take(lambda: domain.time_passed(self.traffic, self.now))

    @rule(action=st.sampled_from(["rollback", "pause", "resume", "promote"]))
    def person_steers(self, action: Any) -> None:
        """Somebody interferes."""
        if action == "promote" and self.traffic.rollout is not None:
            self.promoted.add(self.traffic.rollout.id)
        self._take(lambda: domain.steered(self.traffic, action, version=None, reason="", now=self.now))

    @invariant()
    def shares_add_up(self) -> None:
        """Those who answer share all requests, exactly once, or nobody serves at all."""
        routes = self.traffic.routes()
        answering = [route for route in routes if route.role != "shadow"]
        assert not routes or sum(route.percent for route in answering) == 100
        assert len({route.version for route in routes}) == len(routes)
        assert sum(route.role == "champion" for route in routes) == (1 if routes else 0)

    @invariant()
    def no_shadow_is_done_untried(self) -> None:
        """Unless a person promoted it, a shadow has answered some requests before it serves, and like the champion."""
        settled = self.traffic.settled
        if settled is not None and settled.policy.strategy == "shadow" and settled.id not in self.promoted:
            assert settled.seen.compared.rows >= FEWEST_REQUESTS
            assert settled.seen.compared.agreement >= settled.policy.agreement

    @invariant()
    def the_last_table_said_is_the_true_one(self) -> None:
        """Replicas know no other table than the present one, and revisions rise one by one."""
        tables = [fact for fact in self.said if isinstance(fact, RouteChanged)]
        assert [table.revision for table in tables] == list(range(1, len(tables) + 1))
        assert not tables or tables[-1].routes == self.traffic.routes()

    @invariant()
    def rollouts_that_ended_were_said_to(self) -> None:
        """Exactly the running one has no end yet."""
        assert self.open == ({self.traffic.rollout.id} if self.traffic.rollout else set())
        assert self.traffic.rollout is None or self.traffic.rollout.phase in (Phase.LOADING, Phase.BAKING)


AnyOrder.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=30)
TestAnyOrder = AnyOrder.TestCase


def test_an_action_that_is_not_known_is_refused_with_the_nearest() -> None:
    """The same function decides for HTTP and for the event."""
    with pytest.raises(ContractError, match="action: 'promot' is not known; did you mean 'promote'"):
        domain.steered(rolling(), "promot", version=None, reason="", now=NOW)


def test_a_strategy_of_a_newer_registry_is_refused_by_name() -> None:
    """The move is set aside with the reason; it is replayed when the deployer knows the strategy."""
    newer = moved(2, strategy="blue-green")

    with pytest.raises(ContractError, match=r"serving\.strategy: 'blue-green' is not known"):
        domain.policy_of(newer)
