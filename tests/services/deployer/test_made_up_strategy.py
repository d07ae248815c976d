"""A rollout strategy that nobody else knows, added from this file alone: from the declaration to the end of rollouts.

Blue and green: all callers meet the new version at once, and go back to the old one where it fails during the bake.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import cast

import pytest

from headrace.contracts import (
    AliasMoved,
    ContractError,
    ReplicaLoaded,
    ReplicaReported,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    RouteChanged,
    Serving,
    VersionTraffic,
)
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings
from headrace.registry.policy import FIELDS
from headrace.strategies import STRATEGIES, Placement, Strategy
from headrace.tasks import parse_declaration
from headrace.testkit.builders import a
from headrace.testkit.clock import FakeClock
from headrace.testkit.harness import Harness

BAKE = timedelta(seconds=30)


class BlueGreen(Strategy):
    """All at once, and back."""

    name = "blue_green"
    about = "all traffic at once, watched, and back"
    protects = False

    def placement(self, share: int) -> Placement:
        """The old version waits for its return."""
        return Placement(0, "canary", 100)


@pytest.fixture(autouse=True)
def made_up() -> Iterator[None]:
    """The one line that a strategy takes, undone after the test."""
    strategies = cast("dict[str, Strategy]", STRATEGIES)
    strategies["blue_green"] = BlueGreen()
    yield
    del strategies["blue_green"]


@pytest.fixture
async def on(harness: Callable[..., Harness], database_url: str, clock: FakeClock) -> AsyncIterator[Harness]:
    """The control loop with a champion, whose second version rolls out by the strategy."""
    async with harness(build, DeployerSettings, clock=clock, database_url=database_url) as running:
        await move(running, 1)
        await load(running, 1)
        await running.heard(RolloutCompleted)
        await move(running, 2)
        yield running


def digest(version: int) -> str:
    """A digest for a version."""
    return f"{version:064x}"


async def move(on: Harness, version: int) -> None:
    """The champion alias moves, and replicas are told of the version."""
    serving = Serving(strategy="blue_green", bake="PT30S")
    await on.say(a(AliasMoved, model="m", alias="champion", version=version, digest=digest(version), serving=serving))
    await on.heard(RouteChanged, where=lambda event: any(route.version == version for route in event.routes))


async def load(on: Harness, version: int) -> None:
    """A replica has a version."""
    revision = on.all(RouteChanged)[-1].data.revision
    told = {"replica": "r1", "ok": True, "revision": revision}
    await on.say(a(ReplicaLoaded, model="m", version=version, digest=digest(version), **told))


async def report(on: Harness, clock: FakeClock, requests: int, errors: int) -> None:
    """A replica tells of the second version's traffic."""
    seen = VersionTraffic(version=2, role="canary", requests=requests, errors=errors, p50_ms=1.0, p99_ms=5.0)
    now = clock()
    await on.say(ReplicaReported(replica="r1", model="m", since=now, until=now + timedelta(seconds=1), versions=[seen]))
    await on.quiet()


def shares(on: Harness) -> dict[int, int]:
    """Percents of the newest route table."""
    return {route.version: route.percent for route in on.all(RouteChanged)[-1].data.routes}


def test_it_is_checked_when_it_is_declared() -> None:
    """By its name; to take it instead of one that protects callers is a loosening of the policy."""
    document = {"name": "m", "data": {"dataset": "d", "target": "y"}}

    assert parse_declaration({**document, "serving": {"strategy": "blue_green"}}).serving.strategy == "blue_green"
    with pytest.raises(ContractError, match="did you mean 'blue_green'"):
        parse_declaration({**document, "serving": {"strategy": "blue_gren"}})
    loosens = FIELDS["serving.strategy"]
    assert loosens("canary", "blue_green")
    assert not loosens("blue_green", "canary")


async def test_it_takes_over_after_its_bake(on: Harness, clock: FakeClock) -> None:
    """All traffic at once; the old version is there until the end."""
    started = on.all(RolloutStarted)[-1].data
    assert (started.strategy, started.steps) == ("blue_green", [100])
    assert shares(on) == {1: 0, 2: 100}

    await load(on, 2)
    await on.heard(RolloutAdvanced)
    await report(on, clock, requests=50, errors=0)
    clock.advance(BAKE)
    await report(on, clock, requests=1, errors=0)

    await on.heard(RolloutCompleted, where=lambda event: event.version == 2)
    assert shares(on) == {2: 100}


async def test_it_goes_back_where_the_version_fails(on: Harness, clock: FakeClock) -> None:
    """As any other, by what replicas saw."""
    await load(on, 2)
    await on.heard(RolloutAdvanced)

    await report(on, clock, requests=50, errors=25)

    back = (await on.heard(RolloutRolledBack)).data
    assert "25 of 50 requests failed" in back.reason
    assert shares(on) == {1: 100}
