"""Searches without Ray: what is searched, what is proposed next, and what becomes of trials and of their run."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from headrace.contracts import TrainingFailed, TrainingProgressed, TrainingRequested, TrainingStarted
from headrace.contracts.search import dimensions
from headrace.tasks import parse_declaration
from headrace.trainer.comparison import compared
from headrace.trainer.domain import Impossible, Run, State
from headrace.trainer.giving_way import heard  # as the dispatcher hears of any run
from headrace.trainer.scheduling import MOST_ATTEMPTS
from headrace.trainer.search import wish_of, wish_problems
from headrace.trainer.submission import known_trial
from headrace.trainer.tables import RunRow
from headrace.trainer.trials import as_run, trial_id
from headrace.trainer.worker.asking import Asker
from headrace.trainer.worker.jobs import Failure, Searched, SearchJob, Step, Tried
from headrace.trainer.worker.searching import Trials, stopped

from .test_transitions import DATASET, HOUR, LOST, NOON, a_job, a_run, trained

SPACE = {
    "learning_rate": {"from": 0.01, "to": 0.3, "scale": "log"},
    "num_leaves": {"from": 5, "to": 60, "step": 10},
    "subsample_freq": {"one_of": [0, 1, 5]},
    "extra_trees": {"one_of": [True, False]},
}
DIMENSIONS = dimensions(SPACE, "lightgbm", "lightgbm.LGBMClassifier")
WISH = {
    "space": SPACE, "metric": "roc_auc", "greater_is_better": True, "trials": 3, "parallel": 1, "fraction": 0.2,
    "stop_early": True,
}  # fmt: skip


def asker(known: list[Tried] | None = None, seed: int = 7, **told: Any) -> Asker:
    """An asker over the space."""
    return Asker(DIMENSIONS, seed, greater_is_better=True, known=known or [], **told)


def judged(number: int, params: dict[str, Any], **told: Any) -> Tried:
    """A trial that is as good as it learns fast."""
    return Tried(**{"number": number, "state": "completed", "params": params, "value": params["learning_rate"], **told})


def played(trials: int, known: list[Tried] | None = None, seed: int = 7) -> list[Tried]:
    """So many trials one after the other, after those that are known."""
    found, done = list(known or []), asker(known, seed)
    for number in range(len(found) + 1, trials + 1):
        found.append(judged(number, done.ask(number)))
        done.tell(found[-1])
    return found


def test_what_is_proposed_lies_within_the_space() -> None:
    """With the types that the parameters take; choices are given as they were written."""
    for each in played(30):
        assert 0.01 <= each.params["learning_rate"] <= 0.3
        assert each.params["num_leaves"] in (5, 15, 25, 35, 45, 55)
        assert each.params["subsample_freq"] in (0, 1, 5)
        assert type(each.params["num_leaves"]) is int
        assert type(each.params["extra_trees"]) is bool


def test_a_search_is_the_same_for_the_same_seed_and_another_one_for_another() -> None:
    """One trial at a time; with more the order of their ends is chance."""
    assert played(15) == played(15)
    assert played(15) != played(15, seed=8)


def test_a_search_learns_from_its_trials() -> None:
    """After ten at random TPE tries where it is good: mostly fast learning here."""
    rates = [each.params["learning_rate"] for each in played(40)]

    assert sorted(rates[:10])[5] < 0.15 < sorted(rates[25:])[7]


@pytest.mark.parametrize("after", [1, 9, 14])
def test_a_search_that_goes_on_proposes_what_it_would_have_proposed(after: int) -> None:
    """Whatever was lost: all that counts is which trials have ended."""
    whole = played(18)
    kept = [Tried.model_validate_json(each.model_dump_json()) for each in whole[:after]]

    assert played(18, kept) == whole


def test_a_trial_that_had_begun_is_proposed_as_it_was() -> None:
    """It has been told of with these parameters."""
    first = played(3)
    begun = Tried(number=4, state="running", params={**first[0].params, "num_leaves": 55})

    assert asker([*first, begun]).ask(4) == begun.params


@pytest.mark.parametrize(
    "told",
    [
        {"state": "failed", "value": None, "because": "data", "reason": "no"},
        {"state": "stopped", "reached": 3, "reason": "behind"},
    ],
)
def test_what_failed_or_was_stopped_is_told_and_can_be_gone_on_from(told: dict[str, Any]) -> None:
    """TPE counts neither as good."""
    one, done = asker(), []
    for number in range(1, 14):
        done.append(judged(number, one.ask(number), **(told if number % 2 else {})))
        one.tell(done[-1])

    assert asker(done).ask(14) == one.ask(14)


def test_choices_that_a_study_would_take_for_the_same_stay_apart() -> None:
    """1 and true are equal in Python, and lists are no choices of Optuna."""
    space = dimensions(
        {"hidden_layer_sizes": {"one_of": [[8], [8, 4]]}, "warm_start": {"one_of": [True, False]}},
        "sklearn", "sklearn.neural_network.MLPClassifier",
    )  # fmt: skip
    one = Asker(space, 1, greater_is_better=False)
    params = one.ask(1)
    one.tell(Tried(number=1, state="completed", params=params, value=0.5))

    assert params["hidden_layer_sizes"] in ([8], [8, 4])
    known = [Tried(number=1, state="completed", params=json.loads(json.dumps(params)), value=0.5)]
    assert Asker(space, 1, greater_is_better=False, known=known).ask(2) == one.ask(2)


def a_search(**told: Any) -> SearchJob:
    """A search of three trials."""
    train = a_job().model_copy(
        update={"framework": "lightgbm", "estimator": "lightgbm.LGBMClassifier", "attempt": 1, "params": {}}
    )
    return SearchJob(**{"train": train, "memory_mb": 100, **WISH, **told})


def tell_all(job: SearchJob, **of: dict[str, Any]) -> tuple[list[Step], Any]:
    """Play a search whose trials end as is said of them by number; answers what was told, and what came of it."""
    steps: list[Step] = []
    trials = Trials(job, steps.append)
    while following := trials.next():
        number, params = following
        trials.began(number, params)
        trials.ended(Tried(**{"number": number, "params": params, "state": "completed", **of[f"t{number}"]}))
    return steps, trials.outcome()


def test_the_best_trial_is_that_of_the_metric_s_direction() -> None:
    """Of equals the one with the least number."""
    values = {"t1": {"value": 0.6}, "t2": {"value": 0.8}, "t3": {"value": 0.8}}

    assert tell_all(a_search(), **values)[1].best.number == 2
    assert tell_all(a_search(greater_is_better=False), **values)[1].best.number == 1


def test_trials_are_told_as_they_begin_and_end() -> None:
    """In the words of a run's progress; none of them may be left out."""
    steps, _ = tell_all(a_search(), t1={"value": 0.6}, t2={"value": 0.8}, t3={"value": 0.7})

    assert [(each.tried.number, each.tried.state, each.step, each.of) for each in steps if each.tried] == [
        (1, "running", 0, 3), (1, "completed", 1, 3), (2, "running", 1, 3),
        (2, "completed", 2, 3), (3, "running", 2, 3), (3, "completed", 3, 3),
    ]  # fmt: skip
    assert all(each.urgent and each.stage == "searching" for each in steps)
    assert steps[1].message == "trial 1 completed: roc_auc 0.6"


def test_a_trial_that_fails_stops_no_other() -> None:
    """It is counted, and never the best."""
    failed = {"state": "failed", "because": "data", "reason": "metric roc_auc has no value"}
    steps, found = tell_all(
        a_search(), t1=failed, t2={"value": 0.8}, t3={"state": "stopped", "value": 0.9, "reached": 2}
    )

    assert (found.best.number, found.trials, found.failed, found.stopped) == (2, 3, 1, 1)
    assert steps[1].message == "trial 1 failed: metric roc_auc has no value"


def test_where_all_trials_fail_the_search_fails_with_the_kind_of_most() -> None:
    """And with the words of the first."""
    memory = {"state": "failed", "because": "memory", "reason": "too much"}
    _, found = tell_all(a_search(), t1={"state": "failed", "because": "code", "reason": "bad"}, t2=memory, t3=memory)

    assert found == Failure(because="memory", reason="all 3 of 3 trials failed; trial 1: bad")


def test_a_trial_that_is_lost_ends_the_attempt_and_is_done_again_by_the_next() -> None:
    """Of it nothing is told; trials that had ended are known then, and not done twice."""
    lost = {"state": "failed", "because": "lost", "reason": "its node is gone"}
    steps, found = tell_all(a_search(), t1={"value": 0.6}, t2=lost, t3={"value": 0.7})
    assert (found.because, found.reason) == ("lost", "1 trials are lost: its node is gone")
    assert [each.tried.number for each in steps if each.tried and each.tried.state == "completed"] == [1]

    known = [each.tried for each in (steps[1], steps[2]) if each.tried]
    again, found = tell_all(a_search(known=known), t2={"value": 0.5}, t3={"value": 0.7})

    assert [each.tried.number for each in again if each.tried and each.tried.state == "completed"] == [2, 3]
    assert again[0].tried.params == steps[2].tried.params
    assert (found.best.number, found.trials) == (3, 3)


def test_a_search_whose_trials_are_all_done_says_which_was_the_best() -> None:
    """Its worker was lost after the last one."""
    known = played(3)

    steps, found = tell_all(a_search(known=known))

    assert steps == []
    assert found.best == max(known, key=lambda each: each.value or 0)


def test_a_trial_that_was_stopped_says_when_and_why() -> None:
    """With its figure by then."""
    found = stopped(4, {"num_leaves": 5}, {"value": 0.6, "steps": 12, "time_total_s": 1.5})

    assert (found.state, found.value, found.reached, found.seconds) == ("stopped", 0.6, 12, 1.5)
    assert "behind at 12 steps" in (found.reason or "")


# what a run searches


def declared(**training: Any) -> Any:
    """A model of LightGBM with a search."""
    told = {"framework": "lightgbm", "search": {"space": SPACE, "trials": 5}, **training}
    data = {"dataset": "flights", "target": "late"}
    return parse_declaration({"name": "delay", "task": "binary", "data": data, "training": told})


def asked(**told: Any) -> TrainingRequested:
    """A request for a run."""
    return TrainingRequested(model="delay", **told)


def test_the_declared_search_is_resolved_when_a_run_is_asked_for() -> None:
    """Metric, direction, and all that has a default."""
    wish = wish_of(declared(), asked())

    assert wish == {
        "space": SPACE, "metric": "roc_auc", "greater_is_better": True, "trials": 5, "parallel": 2, "fraction": 0.2,
        "stop_early": True,
    }  # fmt: skip
    assert wish_of(declared(search=None), asked()) is None


def test_a_metric_that_falls_when_models_get_better_is_searched_downwards() -> None:
    """The catalogue of metrics knows."""
    wish = wish_of(declared(search={"space": SPACE, "metric": "log_loss"}), asked())

    assert wish
    assert (wish["metric"], wish["greater_is_better"]) == ("log_loss", False)


def test_a_search_that_is_asked_for_replaces_the_declared_one() -> None:
    """Whole: nothing of the declared one is left."""
    wish = wish_of(declared(), asked(search={"space": {"num_leaves": {"from": 2, "to": 9}}}))

    assert wish
    assert (wish["space"], wish["trials"]) == ({"num_leaves": {"from": 2, "to": 9}}, 32)


def test_a_parameter_that_is_asked_for_is_not_searched() -> None:
    """Under any of its names; where none is left, nothing is searched."""
    wish = wish_of(declared(), asked(params={"eta": 0.1, "extra_trees": True}))

    assert wish
    assert list(wish["space"]) == ["num_leaves", "subsample_freq"]
    assert (
        wish_of(declared(search={"space": {"num_leaves": {"from": 2, "to": 9}}}), asked(params={"max_leaf": 9})) is None
    )


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"space": {"num_leafs": {"from": 2, "to": 9}}},
            "search.space.num_leafs: lightgbm.LGBMClassifier has no param",
        ),
        (
            {"space": {"num_leaves": {"from": 1, "to": 9}}},
            "search.space.num_leaves: the parameter takes an integer from",
        ),
        (
            {"space": {"max_depth": {"from": 2, "to": 9}}},
            "search.space.max_depth: is fixed by training.params.max_depth",
        ),
        ({"space": SPACE, "trials": 0}, "search.trials: should be greater than or equal to 1"),
        ({"space": SPACE, "metric": "rmse"}, "search.metric: rmse is no metric of binary"),
        ({"trials": 3}, "search.space"),
        ({"space": SPACE, "trails": 3}, "search.trails"),
    ],
)
def test_a_search_that_is_asked_for_is_judged_as_if_it_were_declared(wanted: dict[str, Any], told: str) -> None:
    """With the parameters that the run would have."""
    found = list(wish_problems(declared(), asked(search=wanted, params={"max_depth": 5})))

    assert found
    assert told in str(found[0])


def test_without_a_search_there_is_nothing_to_judge() -> None:
    """The declared one was judged at `apply`."""
    assert list(wish_problems(declared(), asked())) == []
    assert list(wish_problems(declared(), asked(search={"space": SPACE}))) == []


# what becomes of the run


def searching() -> Run:
    """A run that searches, started at noon."""
    return a_run(search=WISH).taken(3, NOON, HOUR).started(a_job(), DATASET).after


def step(number: int, state: str, **told: Any) -> Step:
    """A word about a trial."""
    tried = Tried(**{"number": number, "state": state, "params": {"num_leaves": 9}, **told})
    metrics = {"roc_auc": tried.value} if tried.value is not None else {}
    return Step(stage="searching", step=number, of=3, metrics=metrics, tried=tried, urgent=True)


def test_each_word_about_a_trial_is_an_event_of_the_run() -> None:
    """With the id under which the trial is listed."""
    run = searching()
    decision = heard(run, [step(1, "running"), step(1, "completed", value=0.8, seconds=2)], None, DATASET, NOON)

    begun, ended = decision.facts
    assert isinstance(begun, TrainingProgressed)
    assert isinstance(ended, TrainingProgressed)
    assert begun.trial
    assert (begun.trial.state, begun.trial.value, begun.trial.of) == ("running", None, 3)
    assert ended.trial
    assert (ended.trial.value, ended.trial.metric, ended.metrics) == (0.8, "roc_auc", {"roc_auc": 0.8})
    assert begun.trial.run == ended.trial.run == trial_id("run-1", 1)
    assert trial_id("run-1", 1) not in (trial_id("run-1", 2), trial_id("run-2", 1))


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"state": "running"}, State.RUNNING),
        ({"state": "completed", "value": 0.8}, State.COMPLETED),
        ({"state": "stopped", "value": 0.6, "reached": 4, "reason": "behind"}, State.CANCELLED),
        ({"state": "failed", "because": "memory", "reason": "too much"}, State.FAILED),
    ],
)
def test_a_trial_is_a_run_to_look_at_and_is_known_again_from_it(told: dict[str, Any], state: State) -> None:
    """What the next attempt goes on from is what the rows say."""
    run = searching()
    (fact,) = heard(run, [step(2, **told)], None, DATASET, NOON).facts
    assert isinstance(fact, TrainingProgressed)
    assert fact.trial

    trial = as_run(run, fact.trial, NOON)

    assert (trial.state, trial.trial_of, trial.trial, trial.params) == (state, "run-1", 2, {"num_leaves": 9})
    assert trial.job
    assert trial.job["params"] == {**a_job().params, "num_leaves": 9}
    assert known_trial(RunRow(**vars(trial))) == Tried(number=2, params={"num_leaves": 9}, **told)


def test_trials_stand_side_by_side() -> None:
    """As runs do: parameters and metrics."""
    run = searching()
    facts = [heard(run, [step(n, "completed", value=n / 10)], None, DATASET, NOON).facts[0] for n in (1, 2)]
    trials = [as_run(run, fact.trial, NOON) for fact in facts if isinstance(fact, TrainingProgressed) and fact.trial]

    lines = {(each.part, each.name): list(each.values) for each in compared(trials)}

    assert lines["metrics", "roc_auc"] == [0.1, 0.2]
    assert lines["parameters", "num_leaves"] == [9, 9]


BEST = Tried(number=2, state="completed", params={"num_leaves": 9}, value=0.8)
FOUND = Searched(best=BEST, trials=3, failed=1, stopped=0)


def test_the_best_parameters_are_trained_as_those_of_any_run() -> None:
    """By a further attempt, on a worker of the run's own size; its completion says what was searched."""
    run = searching()
    assert run.searches

    decision = heard(run, [], FOUND, DATASET, NOON)

    after, (fact,) = decision.after, decision.facts
    assert not after.searches
    assert (after.state, after.attempt, after.begun, after.said) == (State.RUNNING, 2, False, 0)
    assert after.job
    assert after.job["params"] == {**a_job().params, "num_leaves": 9}
    assert isinstance(fact, TrainingStarted)
    assert (fact.params, fact.attempt) == ({**a_job().params, "num_leaves": 9}, 2)
    assert [each.detail for each in decision.history] == ["trial 2 of 3 is the best: roc_auc 0.8"]
    (done,) = after.completed(trained(), DATASET, NOON + HOUR / 2).facts
    assert done.search.model_dump() == {  # type: ignore[attr-defined]
        "trials": 3, "failed": 1, "stopped": 0, "best": 2, "metric": "roc_auc", "value": 0.8,
    }  # fmt: skip


def test_a_lost_search_goes_on_and_trials_that_ended_make_up_for_losses() -> None:
    """Only a search that gets no further is given up."""
    run = searching()
    for _ in range(MOST_ATTEMPTS + 1):
        run = heard(run, [], LOST, DATASET, NOON).after
        if run.state is State.FAILED:
            break
        assert run.searches
        run = heard(run, [step(1, "completed", value=0.8)], None, DATASET, NOON).after
    assert run.state is State.RUNNING
    for _ in range(MOST_ATTEMPTS):
        run = heard(run, [step(2, "running")], LOST, DATASET, NOON).after if not run.state.ended else run
    assert run.state is State.FAILED


def test_the_time_of_a_run_is_that_of_search_and_training_together() -> None:
    """There is one end."""
    run = heard(searching(), [], FOUND, DATASET, NOON + timedelta(minutes=50)).after

    (fact,) = run.late(DATASET, NOON + HOUR).facts

    assert isinstance(fact, TrainingFailed)
    assert fact.kind == "timeout"


def test_a_trial_is_neither_promoted_nor_cancelled() -> None:
    """It learned a part of the rows, and ends with its search."""
    run = replace(searching(), run="t", trial_of="run-1", trial=1)

    with pytest.raises(Impossible, match="is a trial, which ends with its search: cancel run run-1"):
        run.cancelled("no", "key:ann", NOON)
    with pytest.raises(Impossible, match="cannot be promoted: it is a trial, and learned a part of the rows"):
        run.promoted("key:ann", "best", DATASET)


def test_a_run_that_searches_nothing_is_told_of_no_search() -> None:
    """A worker that says so is wrong."""
    with pytest.raises(Impossible, match="searches for nothing"):
        heard(a_run().taken(3, NOON, HOUR).started(a_job(), DATASET).after, [], FOUND, DATASET, NOON)
