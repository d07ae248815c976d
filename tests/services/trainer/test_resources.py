"""Which node could hold a run at all, and which has room for it now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.contracts import TrainingCompleted, TrainingQueued, TrainingRequested, TrainingStarted
from headrace.testkit import Harness
from headrace.trainer.resources import Room, Size, lacking
from headrace.trainer.scheduling import Queued, next_runs

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TWO = [Size(cpus=2), Size(cpus=4, gpus=1)]


def queued(run: str, **size: float) -> Queued:
    """A run of a model of its own, asked for in the order of the names."""
    return Queued(run, run, NOON + timedelta(minutes=ord(run[0])), Size(**size))


@pytest.mark.parametrize("size", [{"cpus": 0.5}, {"cpus": 1}, {"cpus": 4}, {"gpus": 1}, {"cpus": 2, "gpus": 0.5}])
def test_what_some_node_holds_is_not_lacking(size: dict[str, float]) -> None:
    """One node must hold all of it; a small run needs none."""
    assert lacking(Size(**size), TWO) is None
    assert lacking(Size(), []) is None


@pytest.mark.parametrize("size", [{"cpus": 64}, {"gpus": 2}, {"cpus": 5, "gpus": 1}])
def test_what_no_node_holds_is_said_with_what_there_is(size: dict[str, float]) -> None:
    """And what to do; the sum over nodes does not help."""
    said = lacking(Size(**size), TWO) or ""

    assert said.startswith(f"no node of the Ray cluster has {Size(**size)}: the largest has cpus 4, gpus 1.")
    assert "training.resources" in said


def test_runs_find_room_beside_each_other() -> None:
    """What runs takes its part; what is small always finds room."""
    room = Room([Size(cpus=4)], [Size(cpus=2), Size(cpus=1)])

    assert [room.take(Size(cpus=n)) for n in (1, 2, 1, 2)] == [True, True, True, False]


def test_a_large_run_is_not_overtaken_for_ever() -> None:
    """Where it waits for room, smaller ones behind it that need processors wait too; those that share go on."""
    room = Room([Size(cpus=4)], [Size(cpus=2)])

    assert [room.take(Size(cpus=n)) for n in (4, 2, 1)] == [False, False, True]


def test_a_run_without_room_keeps_no_place_from_others() -> None:
    """It is passed over, and its model counts as one without a run."""
    queue = [queued("a", cpus=4), queued("b", cpus=1), queued("c", cpus=1)]

    assert next_runs(queue, {}, 2, Room([Size(cpus=2)], []).take) == ["b", "c"]


@pytest.mark.parametrize(("size", "asked"), [({"cpus": 64}, "cpus 64"), ({"gpus": 2}, "cpus 1, gpus 2")])
async def test_a_run_that_no_node_holds_waits_as_what_it_is(
    on: Harness, world: Any, eventually: Any, size: dict[str, float], asked: str
) -> None:
    """It takes no place from others, and says so in the answer, at the run, and as an event; asked by event, too."""
    large = world.declared(training={"resources": size})
    named = large.declaration.model_copy(update={"name": "large"})
    await on.say(large.model_copy(update={"name": "large", "declaration": named}))
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    for _ in range(3):
        await on.say(TrainingRequested(model="large"), as_="operator")
    told = await on.heard(TrainingQueued, where=lambda event: event.waits_for == "resources", timeout=120)

    answer = (await on.http.post("/models/large/runs", json={})).json()
    await on.say(TrainingRequested(model="delay"), as_="operator")
    await on.heard(TrainingCompleted, "delay", timeout=120)

    assert asked in (told.data.detail or "")
    assert (answer["state"], answer["waits_for"]) == ("queued", "resources")
    assert asked in answer["waits_detail"]
    assert (await on.http.get(f"/runs/{told.data.run}")).json()["waits_for"] == "resources"

    async def all_wait() -> bool:
        return len((await on.http.get("/queue")).json()["waiting_for_resources"]) == 4

    await eventually(all_wait)
    assert [each.data.model for each in on.all(TrainingStarted)] == ["delay"]


async def test_a_run_starts_when_a_node_comes(on: Harness, world: Any, ray_head: Any) -> None:
    """The cluster grows: what waited for it goes on by itself."""
    await on.say(world.declared(training={"resources": {"cpus": 3}}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    await on.say(TrainingRequested(model="delay"), as_="operator")
    await on.heard(TrainingQueued, where=lambda event: event.waits_for == "resources", timeout=120)

    with ray_head.another_node(cpus=3):
        await on.heard(TrainingCompleted, timeout=180)

    assert [each.data.waits_for for each in on.all(TrainingQueued)] == ["capacity", "resources", "capacity"]
