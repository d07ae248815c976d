"""The control loop on a real broker and database: from alias.moved to rollout.completed, through restarts."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from headrace.contracts import (
    AlertRaised,
    AliasMoved,
    ReplicaLoaded,
    ReplicaReported,
    RequestRefused,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRequested,
    RolloutRolledBack,
    RolloutStarted,
    RouteChanged,
    Serving,
    VersionTraffic,
)
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings
from headrace.testkit.builders import a
from headrace.testkit.clock import FakeClock
from headrace.testkit.harness import Harness

BAKE = timedelta(seconds=30)


@pytest.fixture
async def deployer(harness: Callable[..., Harness], database_url: str, clock: FakeClock) -> AsyncIterator[Harness]:
    """The control loop, on both kinds of database, with a clock that we move."""
    async with harness(build, DeployerSettings, clock=clock, database_url=database_url) as running:
        yield running


def digest(version: int) -> str:
    """A digest for a version."""
    return f"{version:064x}"


async def move(harness: Harness, version: int, **envelope: Any) -> RouteChanged:
    """The champion alias moves; returns the route table that follows."""
    serving = Serving(steps=[10, 100], bake="PT30S")
    event = a(AliasMoved, model="m", alias="champion", version=version, digest=digest(version), serving=serving)
    await harness.say(event, **envelope)
    heard = await harness.heard(RouteChanged, where=lambda e: any(r.version == version for r in e.routes))
    return heard.data  # type: ignore[return-value]


async def load(harness: Harness, version: int, revision: int, **fields: Any) -> None:
    """A replica tells of a version."""
    told = {"replica": "r1", "ok": True, **fields}
    await harness.say(a(ReplicaLoaded, model="m", version=version, digest=digest(version), revision=revision, **told))


async def report(harness: Harness, clock: FakeClock, version: int, requests: int = 0, errors: int = 0) -> None:
    """A replica tells what it saw of a version."""
    seen = VersionTraffic(version=version, role="canary", requests=requests, errors=errors, p50_ms=1.0, p99_ms=2.0)
    span = {"since": clock(), "until": clock() + timedelta(seconds=1)}
    await harness.say(ReplicaReported(replica="r1", model="m", versions=[seen], **span))
    await harness.quiet()


async def serve_first(harness: Harness) -> None:
    """Version 1 serves."""
    table = await move(harness, 1)
    await load(harness, 1, table.revision)
    await harness.heard(RolloutCompleted, where=lambda e: e.version == 1)


async def begin_canary(harness: Harness) -> None:
    """Version 2 is in its first step."""
    table = await move(harness, 2)
    await load(harness, 2, table.revision)
    await harness.heard(RolloutAdvanced, where=lambda e: (e.version, e.percent) == (2, 10))


async def test_a_version_rolls_out_by_its_steps(deployer: Harness, clock: FakeClock) -> None:
    """First version at once, second by canary; the events tell of each step, and HTTP shows them."""
    await serve_first(deployer)
    await begin_canary(deployer)
    for percent in (100, None):
        clock.advance(BAKE)
        await report(deployer, clock, 2, requests=100)
        if percent:
            await deployer.heard(RolloutAdvanced, where=lambda e, p=percent: e.percent == p)  # type: ignore[misc]
    done = (await deployer.heard(RolloutCompleted, where=lambda e: e.version == 2)).data

    tables = [each.data for each in deployer.all(RouteChanged)]
    assert [table.revision for table in tables] == list(range(1, len(tables) + 1))  # type: ignore[attr-defined]
    assert done.seconds == 60  # type: ignore[attr-defined]
    routes = (await deployer.http.get("/routes/m")).json()
    assert [(r["role"], r["version"], r["percent"]) for r in routes["routes"]] == [("champion", 2, 100)]
    rollouts = (await deployer.http.get("/rollouts", params={"model": "m"})).json()["items"]
    assert [(r["version"], r["state"]) for r in rollouts] == [(2, "completed"), (1, "completed")]
    assert (await deployer.http.get(f"/rollouts/{rollouts[0]['id']}")).json()["evidence"]["requests"] == 100


async def test_a_restart_in_mid_bake_forgets_nothing(deployer: Harness, clock: FakeClock) -> None:
    """The deadline lies in the database: the step comes when its time has come, not later and not at once."""
    await serve_first(deployer)
    await begin_canary(deployer)
    clock.advance(BAKE / 2)
    await deployer.restart()
    await report(deployer, clock, 2)
    assert not [each for each in deployer.all(RolloutAdvanced) if each.data.percent == 100]  # type: ignore[attr-defined]

    await deployer.stop()
    clock.advance(BAKE / 2)
    await deployer.restart()

    await report(deployer, clock, 2)
    await deployer.heard(RolloutAdvanced, where=lambda e: e.percent == 100)


async def test_errors_of_the_canary_bring_the_champion_back(deployer: Harness, clock: FakeClock) -> None:
    """Before the bake is over, with the evidence."""
    await serve_first(deployer)
    await begin_canary(deployer)

    await report(deployer, clock, 2, requests=100, errors=30)

    back = (await deployer.heard(RolloutRolledBack)).data
    assert (back.version, back.restored, back.evidence.errors) == (2, 1, 30)  # type: ignore[attr-defined]
    table = deployer.all(RouteChanged)[-1].data
    assert [(r.version, r.percent) for r in table.routes] == [(1, 100)]  # type: ignore[attr-defined]


async def test_a_replica_that_refuses_the_version_brings_the_champion_back(deployer: Harness) -> None:
    """A tampered artifact ends its rollout."""
    await serve_first(deployer)
    table = await move(deployer, 2)

    await load(deployer, 2, table.revision, ok=False, error="digest differs")

    back = (await deployer.heard(RolloutRolledBack)).data
    assert "digest differs" in back.reason  # type: ignore[attr-defined]


async def test_a_critical_alert_brings_the_champion_back(deployer: Harness) -> None:
    """Monitor's word about the new version counts."""
    await serve_first(deployer)
    await begin_canary(deployer)

    alert = AlertRaised(model="m", alert="7", kind="performance", severity="critical", message="AUC 0.5", version=2)
    await deployer.say(alert)

    back = (await deployer.heard(RolloutRolledBack)).data
    assert back.reason == "critical performance alert: AUC 0.5"  # type: ignore[attr-defined]


async def test_what_follows_belongs_to_the_chain_that_began_it(deployer: Harness, clock: FakeClock) -> None:
    """Correlation, trace and actor of the alias move are those of the last step, also when a timer brought it about."""
    await serve_first(deployer)
    trace = "00-" + "e" * 32 + "-" + "f" * 16 + "-01"
    table = await move(deployer, 2, correlationid="upload-1", traceparent=trace, authid="key:ann")
    await load(deployer, 2, table.revision)
    await deployer.heard(RolloutAdvanced)
    for _ in range(2):
        clock.advance(BAKE)
        await report(deployer, clock, 2)
        await deployer.heard(RolloutAdvanced, where=lambda e: e.percent == 100)

    done = await deployer.heard(RolloutCompleted, where=lambda e: e.version == 2)

    assert (done.correlationid, done.authid) == ("upload-1", "key:ann")
    assert done.traceparent is not None
    assert done.traceparent[3:35] == "e" * 32


async def test_other_aliases_move_no_traffic(deployer: Harness) -> None:
    """Only the champion serves."""
    await deployer.say(a(AliasMoved, model="m", alias="challenger", version=7))
    await deployer.quiet()

    assert deployer.all(RolloutStarted) == []
    assert (await deployer.http.get("/routes/m")).status_code == 404


async def test_the_same_alias_move_said_twice_is_one_rollout(deployer: Harness) -> None:
    """A replay, or another event that says the same, starts nothing."""
    await move(deployer, 1)
    await move(deployer, 1)
    await deployer.quiet()

    assert len(deployer.all(RolloutStarted)) == 1


async def test_a_person_steers_by_http(deployer: Harness, clock: FakeClock) -> None:
    """Pause, resume, promote and rollback do what they say; 409 with the reason where that makes no sense."""
    await serve_first(deployer)
    await begin_canary(deployer)

    await deployer.http.post("/models/m/pause", json={"reason": "look first"})
    clock.advance(BAKE)
    await report(deployer, clock, 2)
    paused = (await deployer.http.get("/rollouts", params={"model": "m"})).json()["items"][0]
    await deployer.http.post("/models/m/resume")
    promoted = (await deployer.http.post("/models/m/promote")).json()
    back = (await deployer.http.post("/models/m/rollback", json={"reason": "complaints"})).json()
    again = await deployer.http.post("/models/m/rollback")

    assert (paused["paused"], paused["percent"]) == (True, 10)
    assert promoted["routes"][0]["version"] == 2
    assert back["routes"][0]["version"] == 1
    assert again.status_code == 409
    assert "no earlier version" in again.json()["detail"]
    reason = (await deployer.heard(RolloutRolledBack)).data.reason  # type: ignore[attr-defined]
    assert reason == "rollback by key:anonymous: complaints"


async def test_a_request_steers_as_http_does(deployer: Harness) -> None:
    """By event, from who authenticated a person; a request that makes no sense is refused with the reason."""
    await serve_first(deployer)
    await begin_canary(deployer)

    await deployer.say(RolloutRequested(model="m", action="rollback"), as_="console", authid="key:ann")
    await deployer.heard(RolloutRolledBack)
    await deployer.say(RolloutRequested(model="m", action="pause"), as_="console", authid="key:ann")

    refused = (await deployer.heard(RequestRefused)).data
    assert "no rollout of model 'm' is running" in refused.reason  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ["rollback", "pause", "resume", "promote"])
@pytest.mark.parametrize("speaker", ["outsider", "operator"])
async def test_who_has_not_shown_who_they_are_steers_nothing(deployer: Harness, speaker: str, action: str) -> None:
    """A key to the broker is no right to decide what serves, whatever name the request bears."""
    await serve_first(deployer)
    await begin_canary(deployer)

    await deployer.say(RolloutRequested(model="m", action=action), as_=speaker, authid="key:admin")

    refused = (await deployer.heard(RequestRefused)).data
    assert f"not nats:{speaker}; use HTTP" in refused.reason  # type: ignore[attr-defined]
    running = (await deployer.http.get("/rollouts")).json()["items"][0]
    assert (running["state"], running["paused"], running["percent"]) == ("baking", False, 10)


async def test_pages_lead_through_every_rollout(deployer: Harness) -> None:
    """The cursor asks for the part that follows."""
    for version in (1, 2, 3):
        await move(deployer, version)

    first = (await deployer.http.get("/rollouts", params={"limit": 2})).json()
    second = (await deployer.http.get("/rollouts", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [each["version"] for each in first["items"] + second["items"]] == [3, 2, 1]
    assert second["next_cursor"] is None
