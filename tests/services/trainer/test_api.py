"""HTTP: what runs and waits, and the two things one can ask for."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headrace.contracts import (
    CancelRequested,
    PromotionRequested,
    RequestRefused,
    TrainingCancelled,
    TrainingCompleted,
    TrainingQueued,
    TrainingRequested,
)
from headrace.testkit import Harness


@pytest.fixture
async def on(trainer: Callable[..., Harness], database_url: str) -> AsyncIterator[Harness]:
    """The trainer on each kind of database."""
    async with trainer(database_url=database_url) as harness:
        yield harness


async def test_a_run_can_be_asked_for_and_followed(on: Harness, world: Any) -> None:
    """The answer names the run; its page tells everything once it has ended, in one trace with the request."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()

    answer = await on.http.post("/models/delay/runs", json={"reason": "by hand", "params": {"C": 2.0}})

    assert answer.status_code == 202
    run = answer.json()["run"]
    done = await on.heard(TrainingCompleted, timeout=120)
    assert (done.data.run, done.data.requested_by) == (run, "key:anonymous")
    assert (done.traceparent or "")[3:35] == answer.headers["traceparent"][3:35]
    told = (await on.http.get(f"/runs/{run}")).json()
    assert (told["state"], told["params"], told["dataset_version"]) == ("completed", {"C": 2.0}, 1)
    assert [change["state"] for change in told["history"]] == ["queued", "running", "completed"]
    assert told["outcome"]["metrics"]["roc_auc"] > 0.8
    assert (told["usage"]["attempts"], told["usage"]["cpus"]) == (1, 1)
    assert told["usage"]["cpu_seconds"] > 0
    assert done.data.usage is not None
    assert done.data.usage.seconds == told["usage"]["seconds"]
    (sums,) = (await on.http.get("/costs", params={"by": "model"})).json()["items"]
    assert (sums["name"], sums["runs"], sums["cost"]) == ("delay", 1, None)


async def test_the_queue_tells_what_waits_for_what(on: Harness, world: Any) -> None:
    """Without data nothing can start; a run that waits can be cancelled."""
    await on.say(world.declared())
    await on.quiet()
    run = (await on.http.post("/models/delay/runs", json={})).json()["run"]

    queue = (await on.http.get("/queue")).json()
    cancelled = await on.http.post(f"/runs/{run}/cancel", json={"reason": "never mind"})

    assert [each["run"] for each in queue["waiting_for_data"]] == [run]
    assert queue["running"] == queue["queued"] == []
    assert cancelled.json()["state"] == "cancelled"
    assert (await on.heard(TrainingCancelled)).data.reason == "never mind"
    again = await on.http.post(f"/runs/{run}/cancel")
    assert again.status_code == 422
    assert "cancelled already" in again.json()["detail"]


async def test_runs_are_listed_page_by_page(on: Harness, world: Any) -> None:
    """The newest first, each exactly once, by model and by state."""
    await on.say(world.declared())
    await on.quiet()
    asked = [(await on.http.post("/models/delay/runs", json={})).json()["run"] for _ in range(5)]

    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await on.http.get("/runs", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [each["run"] for each in page["items"]]
        cursor = page["next_cursor"]

    assert seen == asked[::-1]
    assert len(on.all(TrainingQueued)) == 5 or await on.heard(TrainingQueued)
    assert (await on.http.get("/runs", params={"model": "other"})).json()["items"] == []
    assert len((await on.http.get("/runs", params={"state": "waiting"})).json()["items"]) == 5


async def test_wrong_requests_are_answered_with_what_would_be_right(on: Harness, world: Any) -> None:
    """Unknown models and runs, and bodies that no schema allows."""
    await on.say(world.declared())
    await on.quiet()

    nobody = await on.http.post("/models/nobody/runs", json={})
    wrong = await on.http.post("/models/delay/runs", json={"parms": {}})
    absurd = await on.http.post("/models/delay/runs", json={"data": "old"})
    gone = await on.http.get("/runs/run-0")

    assert (nobody.status_code, gone.status_code) == (404, 404)
    assert "headrace apply" in nobody.json()["detail"]
    assert "parms" in wrong.json()["detail"]
    assert (wrong.status_code, absurd.status_code) == (422, 422)


async def test_runs_of_an_experiment_are_compared_and_one_is_promoted(on: Harness, world: Any) -> None:
    """They make no version; the best one does once a person says so, by its completion said anew."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    wishes = [{"experiment": "strength", "params": {"C": each}} for each in (0.5, 2.0)]
    runs = [(await on.http.post("/models/delay/runs", json=wish)).json()["run"] for wish in wishes]
    done = [await on.heard(TrainingCompleted, where=lambda e, run=run: e.run == run, timeout=120) for run in runs]

    lines = (await on.http.get("/comparison", params={"run": runs, "differs": True})).json()["lines"]
    promoted = await on.http.post(f"/runs/{runs[1]}/promote", json={"reason": "stronger"})
    anew = await on.heard(TrainingCompleted, where=lambda event: event.promoted_by is not None)
    again = await on.http.post(f"/runs/{runs[1]}/promote")

    assert {each.data.experiment for each in done} == {"strength"}
    assert [each["values"] for each in lines if each["name"] == "C"] == [[0.5, 2.0]]
    assert "estimator" not in {each["name"] for each in lines}
    assert promoted.json()["promoted_by"] == "key:anonymous"
    assert (anew.data.run, anew.data.experiment, anew.data.promoted_by) == (runs[1], None, "key:anonymous")
    assert again.status_code == 422
    assert "promoted already" in again.json()["detail"]
    listed = (await on.http.get("/runs", params={"experiment": "strength"})).json()["items"]
    assert {each["run"] for each in listed} == set(runs)


async def test_a_run_can_be_promoted_by_an_event_of_who_asked_for_it(on: Harness, world: Any) -> None:
    """A key to the broker is no person: it promotes what it asked for itself, and nothing else."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.say(TrainingRequested(model="delay", experiment="one"), as_="operator")
    first = await on.heard(TrainingCompleted, timeout=120)

    await on.say(PromotionRequested(model="delay", run=first.data.run), as_="outsider")
    refused = await on.heard(RequestRefused)
    await on.say(PromotionRequested(model="delay", run=first.data.run), as_="operator")
    anew = await on.heard(TrainingCompleted, where=lambda event: event.promoted_by is not None)

    assert "was asked for by nats:operator" in refused.data.reason
    assert (anew.data.experiment, anew.data.promoted_by) == (None, "nats:operator")


@pytest.mark.parametrize(("request_", "what"), [(CancelRequested, "cancel"), (PromotionRequested, "promote")])
async def test_a_connection_acts_on_its_own_runs_alone(
    on: Harness, world: Any, request_: type[CancelRequested] | type[PromotionRequested], what: str
) -> None:
    """One rule for all that can be asked of a run: not on another's, not on one that its model does not have."""
    await on.say(world.declared())
    await on.say(TrainingRequested(model="delay", experiment="one"), as_="operator")
    run = (await on.heard(TrainingQueued)).data.run

    await on.say(request_(model="delay", run=run), as_="outsider")
    await on.say(request_(model="other", run=run), as_="operator")
    await on.quiet()

    refused = sorted(each.data.reason for each in on.all(RequestRefused))
    assert refused == [
        f"{run} was asked for by nats:operator, not by nats:outsider; {what} it over HTTP",
        f"model 'other' has no run '{run}'; GET /runs?model=other lists them",
    ]
    assert (await on.http.get(f"/runs/{run}")).json()["state"] == "waiting"
