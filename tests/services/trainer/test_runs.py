"""A run outlives the trainer, its worker and Ray; it ends once, and can be ended."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
import pytest

from headrace.contracts import (
    CancelRequested,
    RequestRefused,
    TrainingCancelled,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingQueued,
    TrainingRequested,
    TrainingStarted,
)
from headrace.testkit import FakeClock, Harness

from .conftest import name_of, workers

pytestmark = pytest.mark.resilience

ASK = TrainingRequested(model="delay", reason="asked")
SLOW = {"estimator": "lightgbm.LGBMClassifier", "framework": "lightgbm", "params": {"n_estimators": 2000}}
ENDS = (TrainingCompleted, TrainingFailed, TrainingCancelled)


def ends(on: Harness) -> list[str]:
    """How runs ended, in order."""
    return [type(each.data).__name__ for each in on.envelopes if isinstance(each.data, ENDS)]


async def fitting(on: Harness) -> TrainingProgressed:
    """Wait until a run fits."""
    said = await on.heard(TrainingProgressed, where=lambda event: event.stage == "fitting", timeout=120)
    return said.data


async def begin(on: Harness, world: Any, **training: Any) -> None:
    """Declare, ingest, ask, and wait until the run fits."""
    await on.say(world.declared(training=training or SLOW))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    await on.say(ASK, as_="operator")
    await fitting(on)


async def test_a_run_outlives_the_trainer(alone: Harness, world: Any) -> None:
    """The trainer stops in the middle of a run; the next one finds the worker, and tells what it did."""
    on = alone
    await begin(on, world)

    await on.restart()

    done = await on.heard(TrainingCompleted, timeout=180)
    assert done.data.params == SLOW["params"]
    assert ends(on) == ["TrainingCompleted"]
    assert "/1/model" in done.data.artifact.prefix  # the first attempt: nothing was done twice


async def test_a_run_whose_worker_dies_starts_over(on: Harness, world: Any, ray_head: Any) -> None:
    """Killed -9 in the middle: the run ends once, as a success of a later attempt."""
    await begin(on, world)

    for worker in workers(ray_head):
        worker.kill()

    done = await on.heard(TrainingCompleted, timeout=180)
    attempt = done.data.artifact.prefix.split("/")[2]  # a worker of a busy machine may be lost once more by itself
    assert attempt in ("2", "3")
    assert ends(on) == ["TrainingCompleted"]
    assert len(on.all(TrainingStarted)) == 1


async def test_a_run_that_loses_every_worker_fails_once(
    on: Harness, world: Any, ray_head: Any, eventually: Any
) -> None:
    """Three attempts, then the run is lost, with a reason."""
    await begin(on, world)

    def kill_all() -> bool:
        for worker in workers(ray_head):
            worker.kill()
        return bool(on.all(TrainingFailed))

    await eventually(kill_all, timeout=120)

    failed = on.all(TrainingFailed)
    assert [each.data.kind for each in failed] == ["lost"]
    assert "3 attempts" in failed[0].data.reason
    assert ends(on) == ["TrainingFailed"]


async def test_a_run_outlives_a_new_ray_head(alone: Harness, world: Any, ray_head: Any, kept_drivers: Any) -> None:
    """Ray dies with everything on it and comes back: the trainer serves on, and the run ends once."""
    on = alone
    kept_drivers.end()
    await begin(on, world)

    ray_head.kill()
    assert (await on.http.get("/queue")).json()["running"]
    ray_head.start()

    await on.heard(TrainingCompleted, timeout=120)
    assert ends(on) == ["TrainingCompleted"]


async def test_a_dead_gateway_is_replaced(alone: Harness, world: Any, kept_drivers: Any) -> None:
    """The process that speaks with Ray is killed: another finds the run again, which goes on meanwhile."""
    on = alone
    await begin(on, world)

    drivers = [
        each for each in psutil.Process(os.getpid()).children() if "headrace.trainer.ray_driver" in name_of(each)
    ]
    (own,) = [each for each in drivers if each.pid not in kept_drivers.pids]
    own.send_signal(signal.SIGKILL)

    done = await on.heard(TrainingCompleted, timeout=180)
    assert "/1/model" in done.data.artifact.prefix


async def test_a_running_run_can_be_cancelled(on: Harness, world: Any, eventually: Any) -> None:
    """It ends at once, says by whom, and its worker does other things."""
    await begin(on, world)
    run = on.all(TrainingStarted)[0].data.run

    await on.say(CancelRequested(model="delay", run=run, reason="wrong data"), as_="operator")

    told = (await on.heard(TrainingCancelled)).data
    assert (told.run, told.by, told.reason) == (run, "nats:operator", "wrong data")
    await on.say(world.declared(revision=2))
    await on.quiet()
    await on.say(ASK, as_="operator")
    assert (await on.heard(TrainingCompleted, timeout=120)).data.declared_revision == 2
    assert ends(on) == ["TrainingCancelled", "TrainingCompleted"]


async def test_a_waiting_run_can_be_cancelled_and_an_ended_one_cannot(on: Harness, world: Any) -> None:
    """The second wish is refused with the reason."""
    await on.say(world.declared())
    await on.quiet()
    await on.say(ASK, as_="operator")
    run = (await on.heard(TrainingQueued)).data.run

    for _ in range(2):
        await on.say(CancelRequested(model="delay", run=run), as_="operator")

    refused = (await on.heard(RequestRefused)).data
    assert "cancelled already" in refused.reason
    assert ends(on) == ["TrainingCancelled"]


async def test_a_run_trains_under_the_declaration_that_it_was_asked_for(on: Harness, world: Any) -> None:
    """What is declared while it waits concerns later runs, also where it arrives in another order."""
    await on.say(world.declared(training={"params": {"C": 2.0}}, revision=2))
    await on.quiet()
    await on.say(ASK, as_="operator")
    await on.heard(TrainingQueued)
    await on.say(world.declared(training={"params": {"C": 3.0}, "on": ["new-data"]}, revision=3))
    await on.say(world.declared(training={"params": {"C": 1.0}}, revision=1))
    await on.quiet()

    await on.say(world.ingested(world.flights()))

    await on.heard(TrainingCompleted, where=lambda _: len(on.all(TrainingCompleted)) == 2, timeout=120)
    told = {each.data.declared_revision: each.data for each in on.all(TrainingCompleted)}
    assert {revision: done.params for revision, done in told.items()} == {2: {"C": 2.0}, 3: {"C": 3.0}}
    assert told[3].reason == "new data: flights version 1"  # the new revision got a run of its own


async def test_a_run_that_takes_too_long_is_ended(
    trainer: Callable[..., Harness], world: Any, clock: FakeClock
) -> None:
    """After the declaration's timeout, by the trainer's clock."""
    async with trainer(clock=clock) as on:
        await begin(on, world, **SLOW, timeout="PT10M")

        clock.advance(timedelta(minutes=10))

        failed = (await on.heard(TrainingFailed, timeout=20)).data
        assert (failed.kind, "training.timeout" in failed.reason) == ("timeout", True)
        assert ends(on) == ["TrainingFailed"]


async def test_one_model_does_not_block_another(trainer: Callable[..., Harness], world: Any) -> None:
    """With one worker and three wishes, the other model goes second."""
    async with trainer(capacity=1) as on:
        for name in ("delay", "other"):
            event = world.declared(training={"params": {"max_iter": 60}})
            told = event.declaration.model_copy(update={"name": name})
            await on.say(event.model_copy(update={"name": name, "declaration": told}))
        await on.quiet()
        for model in ("delay", "delay", "other"):
            await on.say(TrainingRequested(model=model, reason=model), as_="operator")
            await on.quiet()

        await on.say(world.ingested(world.flights()))

        await on.heard(TrainingCompleted, where=lambda _: len(on.all(TrainingCompleted)) == 3, timeout=120)
        assert [each.data.model for each in on.all(TrainingStarted)] == ["delay", "other", "delay"]


@pytest.mark.parametrize("size", [{"cpus": 2}, {"cpus": 0.5, "memory_mb": 900}, {"gpus": 1}])
async def test_a_run_gets_the_resources_it_asks_for(on: Harness, world: Any, size: dict[str, float]) -> None:
    """More than one CPU, or a GPU, means a worker of its own."""
    await on.say(world.declared(training={"resources": size}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()

    await on.say(ASK, as_="operator")

    await on.heard(TrainingCompleted, timeout=120)
