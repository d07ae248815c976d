"""What happens by the clock: training by schedule, once for each time; alerts once for each finding."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.contracts import (
    AlertRaised,
    DriftDetected,
    ModelDeclared,
    TrainingRequested,
    WindowEvaluated,
)
from headrace.monitor.service import build
from headrace.monitor.settings import MonitorSettings
from headrace.testkit import FakeClock, Harness, a
from headrace.testkit.builders import a_declaration
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

from .conftest import DECLARATION, answer_day, declared

NOON = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    """The time, as the tests set it."""
    return FakeClock(NOON)


@pytest.fixture
async def timed(harness: Callable[..., Harness], database_url: str, s3: S3, clock: FakeClock) -> AsyncIterator[Harness]:
    """The monitor with a clock that tests set."""
    fast = {"monitor_look_every": 0.05, "objects": s3.settings, "database_url": database_url}
    async with harness(build, MonitorSettings, clock=clock, **fast) as running:
        yield running


def scheduled(every: str, revision: int = 1, **retraining: Any) -> ModelDeclared:
    """A model that is trained again by a schedule."""
    document = {**DECLARATION, "retraining": {"on": ["schedule"], "every": every, "cooldown": "PT10M", **retraining}}
    return a(ModelDeclared, name="flights", revision=revision, declaration=a_declaration(**document))


async def due(on: Harness) -> datetime | None:
    """When the next training is due."""
    told = (await on.http.get("/models/flights/status")).json().get("retraining_due")
    return datetime.fromisoformat(told) if told else None


async def is_due(on: Harness, time: datetime) -> None:
    """Wait until the next training is due at a time."""

    async def told() -> bool:
        return await due(on) == time

    await eventually(told)


@pytest.mark.parametrize(
    ("every", "first"),
    [
        ("@hourly", datetime(2026, 1, 5, 13, tzinfo=UTC)),
        ("PT15M", datetime(2026, 1, 5, 12, 45, tzinfo=UTC)),
        ("0 6 * * 1", datetime(2026, 1, 12, 6, tzinfo=UTC)),
    ],
)
async def test_training_is_asked_for_at_its_time(timed: Harness, clock: FakeClock, every: str, first: datetime) -> None:
    """With the reason, on the newest data, in the monitor's own name; and not before."""
    await timed.say(scheduled(every))
    await is_due(timed, first)
    assert timed.all(TrainingRequested) == []

    clock.now = first + timedelta(seconds=1)

    asked = await timed.heard(TrainingRequested)
    assert (asked.data.model, asked.data.data, asked.authid) == ("flights", "latest", "service:monitor")
    assert every in asked.data.reason
    assert f"{first:%H:%M}" in asked.data.reason


async def test_times_that_passed_while_the_monitor_was_away_are_one_request(timed: Harness, clock: FakeClock) -> None:
    """Once for all of them, over restarts; the next time is a new one."""
    await timed.say(scheduled("@hourly"))
    await is_due(timed, NOON.replace(hour=13, minute=0))
    await timed.stop()
    clock.now = NOON + timedelta(hours=5)

    await timed.restart()
    await timed.heard(TrainingRequested)
    await timed.restart()
    await is_due(timed, NOON.replace(hour=18, minute=0))
    await timed.quiet()
    assert len(timed.all(TrainingRequested)) == 1

    clock.now = NOON + timedelta(hours=6)
    await is_due(timed, NOON.replace(hour=19, minute=0))
    await timed.quiet()
    assert len(timed.all(TrainingRequested)) == 2


async def test_two_copies_ask_once(
    timed: Harness, harness: Callable[..., Harness], database_url: str, s3: S3, clock: FakeClock
) -> None:
    """Both see that it is due; one is faster, and the other sees that it was."""
    fast = {"monitor_look_every": 0.05, "objects": s3.settings, "database_url": database_url}
    await timed.say(scheduled("@hourly"))
    await is_due(timed, NOON.replace(hour=13, minute=0))
    async with harness(build, MonitorSettings, clock=clock, **fast) as copy:
        clock.now = NOON + timedelta(hours=1)
        await is_due(timed, NOON.replace(hour=14, minute=0))
        clock.now = NOON + timedelta(hours=2)
        await is_due(copy, NOON.replace(hour=15, minute=0))
        await timed.quiet()

    assert len(timed.all(TrainingRequested)) == 2


async def test_a_schedule_within_the_cooldown_waits_for_its_end(timed: Harness, clock: FakeClock) -> None:
    """Two requests are at least the cool-down apart; none is lost."""
    await timed.say(scheduled("PT15M", cooldown="PT1H"))
    await is_due(timed, NOON.replace(minute=45))
    clock.now = NOON.replace(minute=45)
    await is_due(timed, NOON.replace(hour=13, minute=0))

    clock.now = NOON.replace(hour=13, minute=0)
    await is_due(timed, NOON.replace(hour=13, minute=45))
    await timed.quiet()
    assert len(timed.all(TrainingRequested)) == 1

    clock.now = NOON.replace(hour=13, minute=45)
    await is_due(timed, NOON.replace(hour=14, minute=0))
    await timed.quiet()
    assert len(timed.all(TrainingRequested)) == 2


async def test_a_new_declaration_changes_or_ends_the_schedule(timed: Harness, clock: FakeClock) -> None:
    """One that leaves it as it is does not begin it anew."""
    await timed.say(scheduled("@daily"))
    await is_due(timed, datetime(2026, 1, 6, tzinfo=UTC))
    clock.now = NOON + timedelta(hours=1)
    await timed.say(scheduled("@daily", 2, cooldown="PT1M"))
    await timed.say(scheduled("@hourly", 3))
    await is_due(timed, datetime(2026, 1, 5, 14, tzinfo=UTC))

    await timed.say(declared(4))
    await timed.quiet()

    assert await due(timed) is None


async def test_one_finding_is_one_alert(watched: Harness) -> None:
    """The fact is told of each window; somebody is called once, until it is over and comes again."""
    for day in (0, 1, 2):
        await answer_day(watched, day, shift=1.0)
    await answer_day(watched, 3)
    for day in (4, 5):
        await answer_day(watched, day, shift=1.0)

    await watched.heard(WindowEvaluated, where=lambda event: event.window.number == 5)

    assert [each.data.window.number for each in watched.all(DriftDetected)] == [1, 2, 3, 5]
    assert [each.data.window.number for each in watched.all(AlertRaised)] == [1, 5]


async def test_a_finding_that_grows_is_told_again(watched: Harness) -> None:
    """From a warning to something critical: a rollout goes back only for that."""
    for day, right in ((0, 0.83), (1, 0.6), (2, 0.95)):
        await answer_day(watched, day, right=right)

    await watched.heard(WindowEvaluated, where=lambda event: event.window.number == 2)

    assert [each.data.severity for each in watched.all(AlertRaised)] == ["warning", "critical"]
