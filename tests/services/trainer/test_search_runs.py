"""Searches on a real Ray: trials are played, seen and compared, and the best parameters are trained."""

from typing import Any

import pytest

from headrace.contracts import (
    CancelRequested,
    RequestRefused,
    TrainingCancelled,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingRequested,
    TrainingStarted,
)
from headrace.testkit import Harness

from .conftest import children, name_of, workers

ASK = TrainingRequested(model="delay", reason="asked")
ENDS = (TrainingCompleted, TrainingFailed, TrainingCancelled)
SPACE = {
    "learning_rate": {"from": 0.02, "to": 0.5, "scale": "log"},
    "num_leaves": {"from": 2, "to": 15},
    "extra_trees": {"one_of": [True, False]},
}
SIX = {"space": SPACE, "metric": "roc_auc", "trials": 6, "parallel": 2, "stop_early": False}
BOOSTED = {"framework": "lightgbm", "estimator": "lightgbm.LGBMClassifier", "params": {"n_estimators": 20}}


async def ready(on: Harness, world: Any, **training: Any) -> None:
    """A model that is declared, and data for it."""
    await on.say(world.declared(training={**BOOSTED, **training}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()


def trials(on: Harness, state: str) -> list[Any]:
    """What was said of trials in a state, in order."""
    told = [each.data.trial for each in on.all(TrainingProgressed) if each.data.trial]
    return [each for each in told if each.state == state]


async def ended_of(on: Harness, eventually: Any) -> Any:
    """How the run ended; fails with its reason where it should have been completed."""
    found = lambda: [each.data for each in on.envelopes if isinstance(each.data, ENDS)]  # noqa: E731  asked again
    await eventually(found, timeout=200)
    (end,) = found()
    assert isinstance(end, TrainingCompleted), end
    return end


async def test_the_best_of_some_trials_is_trained_on_all_rows(on: Harness, world: Any, eventually: Any) -> None:
    """Each trial begins and ends in the events and is a run; the run completes with the parameters of the best."""
    await ready(on, world, search=SIX)
    await on.say(ASK, as_="operator")

    done = await ended_of(on, eventually)

    ended = trials(on, "completed")
    assert sorted(each.number for each in ended) == [1, 2, 3, 4, 5, 6]
    assert {each.number for each in trials(on, "running")} == {1, 2, 3, 4, 5, 6}
    best = min(ended, key=lambda each: (-each.value, each.number))
    assert done.params == {"n_estimators": 20, **best.params}
    assert done.search.model_dump() == {
        "trials": 6, "failed": 0, "stopped": 0, "best": best.number, "metric": "roc_auc", "value": best.value,
    }  # fmt: skip
    assert done.train_rows == 480  # of 600, without the holdout: those too that judged the trials
    started = [each.data for each in on.all(TrainingStarted)]
    assert [(each.params, each.attempt) for each in started] == [({"n_estimators": 20}, None), (done.params, 2)]

    listed = (await on.http.get(f"/runs?trial_of={done.run}")).json()["items"]
    assert {each["trial"]: each["outcome"]["metrics"]["roc_auc"] for each in listed} == {
        each.number: each.value for each in ended
    }
    two = [each.run for each in ended[:2]]
    lines = (await on.http.get("/comparison", params={"run": two})).json()["lines"]
    shown = {(each["part"], each["name"]): each["values"] for each in lines}
    assert shown["parameters", "num_leaves"] == [each.params["num_leaves"] for each in ended[:2]]
    assert shown["metrics", "roc_auc"] == [each.value for each in ended[:2]]
    refused = await on.http.post(f"/runs/{two[0]}/promote")
    assert refused.status_code == 409 or "it is a trial" in refused.text
    assert "ends with its search" in (await on.http.post(f"/runs/{two[0]}/cancel")).text


@pytest.mark.resilience
async def test_one_trial_at_a_time_is_the_same_search_again(on: Harness, world: Any, eventually: Any) -> None:
    """Stopped early or not, by the run's seed: the same trials with the same figures, and so the same model."""
    await ready(on, world, search={**SIX, "trials": 4, "parallel": 1, "stop_early": True}, seed=11)

    for count in (1, 2):
        await on.say(TrainingRequested(model="delay", reason=f"run {count}"), as_="operator")
        await eventually(lambda many=count: len(on.all(TrainingCompleted)) + len(on.all(TrainingFailed)) >= many, 200)

    one, other = (each.data for each in on.all(TrainingCompleted))
    told = [
        [
            (each.data.trial.number, each.data.trial.state, each.data.trial.params, each.data.trial.value)
            for each in on.all(TrainingProgressed)
            if each.data.run == run.run and each.data.trial
        ]
        for run in (one, other)
    ]
    assert told[0] == told[1]
    assert (one.params, one.metrics, one.search) == (other.params, other.metrics, other.search)


@pytest.mark.resilience
async def test_a_trial_that_fails_stops_no_other_and_all_that_fail_end_the_run(
    on: Harness, world: Any, eventually: Any
) -> None:
    """A bad parameter that no catalogue knows of fails its own trial, with the reason; and a run of such trials."""
    odd = {"objective": {"one_of": ["binary", "cross_entropy"]}, "bagging_freq": {"one_of": [1, 2]}}
    await ready(on, world, params={"n_estimators": 3, "boosting_type": "rf"}, search={**SIX, "space": odd, "trials": 2})
    await on.say(ASK, as_="operator")

    await eventually(lambda: on.all(TrainingFailed), 200)

    (failed,) = (each.data for each in on.all(TrainingFailed))
    assert failed.kind == "code"
    assert failed.reason.startswith("all 2 of 2 trials failed; trial 1: ")
    assert [each.state for each in sorted(trials(on, "failed"), key=lambda each: each.number)] == ["failed"] * 2
    run = (await on.http.get(f"/runs/{failed.run}")).json()
    assert (run["state"], run["search"]["trials"]) == ("failed", 2)


async def test_a_search_is_refused_as_early_as_it_can_be(on: Harness, world: Any) -> None:
    """By HTTP and by event, in the same words; nothing is queued."""
    await ready(on, world)
    bad = {"space": {"num_leaf": {"from": 1, "to": 9}, "num_leavs": {"from": 2, "to": 9}}}

    over_http = await on.http.post("/models/delay/runs", json={"search": bad})
    await on.say(TrainingRequested(model="delay", search=bad), as_="operator")
    refused = (await on.heard(RequestRefused)).data

    assert over_http.status_code in (409, 422)
    for told in (over_http.text, refused.reason):
        assert "search.space.num_leaf: the parameter takes an integer from 2 to 131072; not all from 1 to 9" in told
        assert "search.space.num_leavs: lightgbm.LGBMClassifier has no parameter 'num_leavs'" in told
    assert (await on.http.get("/runs")).json()["items"] == []


@pytest.mark.resilience
async def test_cancelling_a_search_ends_all_of_its_trials(
    on: Harness, world: Any, ray_head: Any, eventually: Any
) -> None:
    """Their actors end with the worker that plays it, and their rows with the run."""
    await ready(
        on, world, params={"n_estimators": 20_000}, search={**SIX, "space": {"num_leaves": {"from": 8, "to": 15}}}
    )
    await on.say(ASK, as_="operator")
    await eventually(lambda: len(trials(on, "running")) >= 2, 200)
    await eventually(lambda: trial_actors(ray_head), 60)

    run = on.all(TrainingStarted)[0].data.run
    await on.say(CancelRequested(model="delay", run=run), as_="operator")
    await on.heard(TrainingCancelled)

    await eventually(lambda: not trial_actors(ray_head), 60)
    listed = (await on.http.get(f"/runs?trial_of={run}")).json()["items"]
    assert len(listed) == 2
    assert {each["state"] for each in listed} == {"cancelled"}
    assert {each["outcome"]["reason"] for each in listed} == {"its search ended before it did"}


@pytest.mark.resilience
async def test_a_search_whose_processes_die_goes_on_from_its_trials(
    on: Harness, world: Any, ray_head: Any, eventually: Any
) -> None:
    """Killed -9, worker and trials, and the trainer restarts: what had ended is not done again, nothing is lost."""
    space = {"num_leaves": {"from": 4, "to": 15}}
    search = {**SIX, "space": space, "trials": 5, "parallel": 1}
    await ready(on, world, params={"n_estimators": 800}, search=search)
    await on.say(ASK, as_="operator")
    await eventually(lambda: len(trials(on, "completed")) >= 2, 200)

    for process in [*workers(ray_head), *trial_actors(ray_head)]:
        process.kill()
    await on.restart()

    done = await ended_of(on, eventually)
    ended = [each.number for each in trials(on, "completed")]
    assert sorted(ended) == [1, 2, 3, 4, 5]
    assert done.search.trials == 5
    begun = {each.number: each.params for each in trials(on, "running")}
    assert all(each.params == begun[each.number] for each in trials(on, "completed"))
    history = (await on.http.get(f"/runs/{done.run}")).json()["history"]
    assert any("is lost" in each["detail"] for each in history)


def trial_actors(ray_head: Any) -> list[Any]:
    """The processes that play trials: Tune calls its actors so."""
    return [each for each in children(ray_head.pid) if "ImplicitFunc" in name_of(each) or "attempt" in name_of(each)]
