"""Runs on an object store that hangs: they wait for it, and spend no attempt on it."""

from typing import Any

import pytest

from headrace.contracts import TrainingCompleted, TrainingFailed, TrainingProgressed, TrainingRequested, TrainingStarted
from headrace.testkit import Harness, eventually

pytestmark = pytest.mark.resilience

ASK = TrainingRequested(model="delay", reason="asked")
SLOW = {"estimator": "lightgbm.LGBMClassifier", "framework": "lightgbm", "params": {"n_estimators": 1000}}


@pytest.fixture
def server(own_s3: Any) -> Any:
    """A store of the test's own, going on at the end."""
    yield own_s3
    own_s3[0].resume()


async def becomes(on: Harness, status: int) -> None:
    """Wait until readiness has a status."""

    async def is_so() -> bool:
        answer = await on.http.get("/ready")
        return answer.status_code == status and (status == 503) == ("objects" in answer.json()["problems"])

    await eventually(is_so)


async def prepared(on: Harness, buckets: Any, world: Any, **training: Any) -> None:
    """A model and its data, without a run."""
    await on.say(world.declared(training=training))
    await on.say(type(world)(buckets).ingested(world.flights()))
    await on.quiet()


async def test_a_run_waits_for_a_store_that_hangs(trainer: Any, server: Any, world: Any) -> None:
    """Asked for meanwhile, it stays in the queue; caught by it, it is tried again later, and ends once."""
    store, buckets = server
    objects = buckets.settings.model_copy(update={"read_timeout_s": 10.0})
    async with trainer(own_driver=True, objects=objects) as on:
        await prepared(on, buckets, world, **SLOW)
        store.suspend()
        await becomes(on, 503)
        await on.say(ASK, as_="operator")
        await on.quiet()
        assert (await run_of(on))["state"] == "queued"
        assert not on.all(TrainingStarted)

        store.resume()
        await on.heard(TrainingProgressed, where=lambda event: event.stage == "fitting", timeout=120)
        assert (await run_of(on))["attempt"] == 1
        store.suspend()
        await eventually(lambda: is_tried_again(on), 120)
        store.resume()
        await on.heard(TrainingCompleted, timeout=120)
        assert len(on.all(TrainingCompleted)) == 1
        assert not on.all(TrainingFailed)
        assert (await run_of(on))["attempt"] == 2


async def run_of(on: Harness) -> dict[str, Any]:
    """The only run."""
    (run,) = (await on.http.get("/runs")).json()["items"]
    return dict(run)


async def is_tried_again(on: Harness) -> bool:
    """Whether its second attempt has come."""
    return bool((await run_of(on))["attempt"] == 2)
