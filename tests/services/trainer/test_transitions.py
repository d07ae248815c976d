"""Every step of a run and of an evaluation, and the steps that there are not, without anything around them."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace.contracts import (
    CheckpointRef,
    DatasetRef,
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationRequested,
    TrainingCancelled,
    TrainingCheckpointed,
    TrainingCompleted,
    TrainingFailed,
    TrainingPreempted,
    TrainingProgressed,
    TrainingQueued,
    TrainingStarted,
)
from headrace.testkit import a
from headrace.trainer.domain import Decision, Impossible, Run, State
from headrace.trainer.evaluations import Evaluation
from headrace.trainer.giving_way import Yielding, asked_to_yield, heard, must_yield, spared, taken_up, yielded
from headrace.trainer.scheduling import MOST_ATTEMPTS, MOST_WITH_CHECKPOINTS
from headrace.trainer.tables import EvaluationRow, RunRow
from headrace.trainer.usage import Rate
from headrace.trainer.worker.jobs import (
    Begun,
    Checkpointed,
    CodeJob,
    Data,
    Evaluated,
    Failure,
    Learned,
    Step,
    Trained,
    TrainJob,
    Used,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DATASET = DatasetRef(name="flights", version=3, digest="d" * 64)
EVENT = a(TrainingCompleted)
LOST = Failure(because="lost", reason="the worker is gone")
OTHER = Yielding(run="run-9", model="fraud", priority=5, until=NOON + timedelta(minutes=1))
LOADING, FITTING = Step(stage="loading", step=1, of=2), Step(stage="fitting", step=2, of=2)


def a_run(**fields: Any) -> Run:
    """A run that waits for a worker."""
    told = {"run": "run-1", "model": "delay", "dataset": "flights", "reason": "asked", "requested_by": "key:ann"}
    return Run(**{**told, "asked_at": NOON, "declared_revision": 2, **fields})


def a_job() -> TrainJob:
    """What the run is resolved into."""
    data = Data(dataset="flights", digest="d" * 64, manifest=EVENT.reference, parts=1)
    same = {name: getattr(EVENT, name) for name in ("features", "target", "framework", "estimator", "params", "seed")}
    told = {"run": "run-1", "attempt": 0, "model": "delay", "data": data, "columns": ["wind"], "bucket": "models"}
    rest = {"task": "binary", "time": None, "by": "random", "fraction": 0.2, "metrics": ["roc_auc"], "created": NOON}
    return TrainJob.model_validate({**told, **same, **rest})


def running() -> Run:
    """A run with a worker, started at noon, with an hour to go."""
    return a_run().taken(3, NOON, HOUR).started(a_job(), DATASET).after


def trained() -> Trained:
    """What a worker tells at the end."""
    same = ("artifact", "signature", "holdout", "metrics", "train_rows", "reference", "packages")
    return Trained(
        **{name: getattr(EVENT, name) for name in same},
        learned=Learned(object=EVENT.reference, columns=["wind"], rows=10),
        code_version=EVENT.code_version,
        python=EVENT.python,
        unlabelled_rows=0,
        largest_difference=0.0,
    )


def said(decision: Decision[Any]) -> list[type]:
    """The kinds of facts that follow."""
    return [type(fact) for fact in decision.facts]


def test_the_rows_hold_what_the_domain_knows() -> None:
    """Beside it, only the chain of events and the lock of the row."""
    run, evaluation = set(RunRow.model_fields), set(EvaluationRow.model_fields)

    chain = {"correlation", "causation", "trace", "lock"}
    assert run - {each.name for each in fields(Run)} == chain
    assert evaluation - {each.name for each in fields(Evaluation)} == chain | {"asked_at", "requested_by"}


@pytest.mark.parametrize(("waits", "state"), [("data", State.WAITING), ("capacity", State.QUEUED)])
def test_a_run_that_is_asked_for_waits(waits: str, state: State) -> None:
    """Its first line of history has the reason that it was asked for."""
    decision = a_run().asked(waits)

    assert (decision.after.state, decision.after.waits_for) == (state, waits)
    assert [(line.state, line.detail) for line in decision.history] == [(state, "asked")]
    assert said(decision) == [TrainingQueued]


def test_new_data_release_a_run_that_waits_for_them() -> None:
    """One that waits for a later version, or for a worker already, stays as it is."""
    waiting = a_run(newer_than=3).asked("data").after

    assert waiting.released(4).after.state is State.QUEUED
    assert said(waiting.released(4)) == [TrainingQueued]
    assert waiting.released(3) == Decision(waiting)
    assert a_run().released(4) == Decision(a_run())


def test_a_run_says_what_it_waits_for() -> None:
    """A node that is large enough, with the reason; and again when there is one."""
    lacking = a_run(gpus=4).found_room("no node has 4 GPUs")

    assert (lacking.after.waits_for, lacking.facts[0].detail) == ("resources", "no node has 4 GPUs")
    assert lacking.after.found_room(None).after.waits_for == "capacity"


def test_a_started_run_has_a_job_a_time_limit_and_a_first_attempt() -> None:
    """The job is that of the attempt, under its number."""
    decision = a_run().taken(3, NOON, HOUR).started(a_job(), DATASET)

    run = decision.after
    assert (run.state, run.attempt, run.begun, run.due_at) == (State.RUNNING, 1, False, NOON + HOUR)
    assert run.job is not None
    assert run.job["attempt"] == 1
    assert said(decision) == [TrainingStarted]
    assert decision.history[0].detail == "flights version 3"


def test_each_step_of_the_work_is_told_once() -> None:
    """A report holds all steps so far."""
    first = running().heard([LOADING], None, DATASET, NOON)
    second = first.after.heard([LOADING, FITTING], None, DATASET, NOON)

    assert said(first) == said(second) == [TrainingProgressed]
    assert (second.after.said, second.after.progress) == (2, FITTING.progress)
    assert second.after.heard([LOADING, FITTING], None, DATASET, NOON) == Decision(second.after)


def test_a_run_that_is_done_has_a_model() -> None:
    """What it was made of comes from its job, how long it took from its start."""
    decision = running().heard([LOADING], trained(), DATASET, NOON + timedelta(minutes=5))

    progressed, completed = decision.facts
    assert isinstance(progressed, TrainingProgressed)
    assert isinstance(completed, TrainingCompleted)
    assert (completed.seconds, completed.params, completed.declared_revision) == (300, EVENT.params, 2)
    assert (decision.after.state, decision.after.ended_at) == (State.COMPLETED, NOON + timedelta(minutes=5))


def test_what_is_lost_is_tried_again_and_not_for_ever() -> None:
    """Each attempt has a job of its own, and tells its steps anew; the last failure says how many there were."""
    run, facts = running().heard([LOADING], None, DATASET, NOON).after, []
    while run.state is State.RUNNING:
        decision = run.heard([], LOST, DATASET, NOON)
        facts, run = [*facts, *decision.facts], decision.after

    assert (run.attempt, run.state) == (MOST_ATTEMPTS, State.FAILED)
    assert [fact.reason for fact in facts] == [f"the worker is gone ({MOST_ATTEMPTS} attempts)"]
    again = running().heard([], LOST, DATASET, NOON).after
    assert (again.attempt, again.begun, again.said) == (2, False, 0)
    assert again.job is not None
    assert again.job["attempt"] == 2


def test_a_long_report_leaves_out_its_beginning() -> None:
    """Steps are told once, by their place among all of them."""
    first = running().heard([LOADING] * 5, None, DATASET, NOON)
    second = first.after.heard([LOADING, FITTING, FITTING], None, DATASET, NOON, 4)
    late = second.after.heard([FITTING], None, DATASET, NOON, 10)

    assert [len(each.facts) for each in (first, second, late)] == [5, 2, 1]
    assert late.after.said == 11


def a_checkpoint(step: int, name: str = "0001-000000") -> CheckpointRef:
    """What a worker tells of a checkpoint."""
    return a(CheckpointRef, name=name, step=step, digest="c" * 64, size=10)


def a_step(step: int, name: str = "0001-000000", *removed: str) -> Step:
    """A word of a worker about a checkpoint."""
    made = Checkpointed(checkpoint=a_checkpoint(step, name), removed=removed)
    return Step(stage="fitting", step=step, of=step, checkpointed=made, urgent=True)


def begun(found: CheckpointRef | None = None, *warnings: str) -> Step:
    """A word of a worker about where a later attempt begins."""
    made = Begun(resumed_from=found, warnings=warnings)
    return Step(stage="fitting", step=0, of=1, message="attempt 2 goes on", begun=made, urgent=True)


def test_a_checkpoint_is_told_by_an_event_of_its_own_and_is_no_progress() -> None:
    """The run remembers the last one; who looks at its progress sees the last figures."""
    decision = running().heard([FITTING, a_step(7, "0001-000003", "0001-000000")], None, DATASET, NOON)

    told = decision.facts[-1]
    assert said(decision) == [TrainingProgressed, TrainingCheckpointed]
    assert (told.attempt, told.checkpoint.step, told.removed) == (1, 7, ["0001-000000"])
    assert decision.after.progress == FITTING.progress
    assert decision.after.checkpoint is not None
    assert decision.after.checkpoint["name"] == "0001-000003"


def test_an_attempt_that_goes_on_says_from_where() -> None:
    """It is a start that names its attempt, the checkpoint and what was passed over; history has the same lines."""
    lost = running().heard([a_step(7)], LOST, DATASET, NOON)
    decision = lost.after.heard([begun(a_checkpoint(7), "one is damaged")], None, DATASET, NOON)

    (fact,) = decision.facts
    assert isinstance(fact, TrainingStarted)
    assert (fact.attempt, fact.resumed_from, fact.warnings) == (2, a_checkpoint(7), ["one is damaged"])
    assert [line.detail for line in lost.history] == ["attempt 1 is lost: the worker is gone"]
    assert [line.detail for line in decision.history] == ["one is damaged", "attempt 2 goes on"]
    assert decision.after.resumed_from == a_checkpoint(7).model_dump(mode="json", exclude_none=True)
    assert decision.after.heard([], LOST, DATASET, NOON).after.resumed_from is None


def test_an_attempt_that_finds_no_checkpoint_begins_anew() -> None:
    """Which is told as well."""
    decision = running().heard([], LOST, DATASET, NOON).after.heard([begun()], None, DATASET, NOON)

    (fact,) = decision.facts
    assert (fact.attempt, fact.resumed_from, fact.warnings) == (2, None, None)
    assert decision.after.resumed_from is None


def test_a_checkpoint_that_its_worker_could_not_tell_of_is_told_by_the_next_one() -> None:
    """It was stored, and its worker lost a moment later: the next attempt goes on from what no event had named."""
    lost = running().heard([a_step(7)], LOST, DATASET, NOON).after
    decision = lost.heard([begun(a_checkpoint(8, "0001-000001"))], None, DATASET, NOON)

    assert said(decision) == [TrainingCheckpointed, TrainingStarted]
    assert (decision.facts[0].attempt, decision.facts[0].checkpoint.name) == (1, "0001-000001")
    assert decision.after.checkpoint == decision.after.resumed_from


def test_all_that_a_lost_worker_stored_and_did_not_tell_of_is_told_once() -> None:
    """Each by an event of its own, oldest first; what was told of is not told again."""
    lost = running().heard([a_step(7)], LOST, DATASET, NOON).after
    earlier = [a_checkpoint(7), a_checkpoint(8, "0001-000001")]
    begun = Begun(resumed_from=a_checkpoint(9, "0001-000002"), earlier=earlier)
    step = Step(stage="fitting", step=0, of=1, message="attempt 2 goes on", begun=begun, urgent=True)

    decision = lost.heard([step], None, DATASET, NOON)

    assert said(decision) == [TrainingCheckpointed, TrainingCheckpointed, TrainingStarted]
    assert [fact.checkpoint.step for fact in decision.facts[:2]] == [8, 9]


def test_losses_between_which_a_run_gets_further_do_not_end_it() -> None:
    """A week on nodes that come and go is lost often; twenty attempts are enough for all the same."""
    run = running()
    for step in range(1, MOST_WITH_CHECKPOINTS + 1):
        assert run.state is State.RUNNING
        run = run.heard([a_step(step, f"{run.attempt:04}-000000")], LOST, DATASET, NOON).after

    assert (run.state, run.attempt) == (State.FAILED, MOST_WITH_CHECKPOINTS)


def test_losses_between_which_a_run_gets_no_further_end_it() -> None:
    """Whatever it makes again: it may be what takes its workers down."""
    run = running()
    while run.state is State.RUNNING:
        run = run.heard([a_step(3, f"{run.attempt:04}-000000")], LOST, DATASET, NOON).after

    assert run.attempt == MOST_ATTEMPTS


ENDS = {
    "completed": (lambda run: run.completed(trained(), DATASET, NOON), NOON),
    "failed": (lambda run: run.failed(LOST, DATASET, NOON), NOON + HOUR),
    "abandoned": (lambda run: run.abandoned("broken", NOON), NOON + HOUR),
    "cancelled": (lambda run: run.cancelled("not needed", "key:ann", NOON), NOON + HOUR),
}


@pytest.mark.parametrize("end", ENDS)
def test_checkpoints_go_at_once_where_there_is_a_model_and_else_after_a_while(end: str) -> None:
    """Only own code makes any."""
    code = CodeJob(package="net", version=1, object=EVENT.reference, entry="m:f", checkpoints_seconds=3600)
    job = a_job().model_copy(update={"code": code, "bucket": "models"})
    run = a_run().taken(3, NOON, HOUR).started(job, DATASET).after
    step, until = ENDS[end]

    over = step(run).after

    assert over.checkpoints_until == until
    assert over.checkpoints_removed().after.checkpoints_until is None
    assert step(running()).after.checkpoints_until is None


def test_a_run_whose_job_is_damaged_can_be_given_up() -> None:
    """What cannot be read keeps no checkpoints."""
    for job in ([], {"code": 3}, "job"):
        assert replace(running(), job=job).abandoned("broken", NOON).after.checkpoints_until is None


def test_what_failed_has_failed() -> None:
    """Its author reads why, with the kind of failure before it in the history."""
    decision = running().heard([], Failure(because="code", reason="no such column"), DATASET, NOON)

    assert said(decision) == [TrainingFailed]
    assert decision.history[0].detail == "code: no such column"
    assert decision.after.outcome is not None
    assert decision.after.outcome["reason"] == "no such column"


def test_a_run_whose_time_is_over_has_failed_unless_it_is_done() -> None:
    """A result that comes with the limit counts."""
    in_time, late = NOON + HOUR - timedelta(seconds=1), NOON + HOUR

    assert running().late(DATASET, in_time) == Decision(running())
    assert running().late(DATASET, late).after.state is State.FAILED
    done = running().heard([], trained(), DATASET, late).then(lambda run: run.late(DATASET, late))
    assert done.after.state is State.COMPLETED


def test_a_run_is_given_up_with_nothing_of_it_read() -> None:
    """Also where its job is no job."""
    decision = replace(running(), job={"no": "job"}).abandoned("start: broken", NOON)

    assert (decision.after.state, decision.facts[0].kind) == (State.FAILED, "code")


@pytest.mark.parametrize("run", [a_run(), a_run(state=State.WAITING), running()])
def test_a_run_is_cancelled_wherever_it_is(run: Run) -> None:
    """The history says by whom."""
    decision = run.cancelled("not needed", "key:ann", NOON)

    assert said(decision) == [TrainingCancelled]
    assert (decision.after.state, decision.history[0].detail) == (State.CANCELLED, "not needed (key:ann)")


def asked() -> Run:
    """A run that has made a checkpoint at step 3, and is asked to make room at noon."""
    return asked_to_yield(running().heard([a_step(3, "0001-000000")], None, DATASET, NOON).after, OTHER).after


def test_a_run_that_is_asked_to_give_way_says_until_when_and_for_whom() -> None:
    """It goes on meanwhile."""
    run = running().heard([a_step(3, "0001-000000")], None, DATASET, NOON).after

    decision = asked_to_yield(run, OTHER)

    assert said(decision) == [TrainingProgressed]
    assert "until 12:01:00, and to give its place to run run-9 of fraud, of priority 5" in decision.facts[0].message
    assert decision.history[0].detail == decision.facts[0].message
    assert decision.after.state is State.RUNNING
    assert decision.after.heard([LOADING], None, DATASET, NOON).after.state is State.RUNNING


def test_a_run_gives_its_place_up_once_its_checkpoint_is_kept() -> None:
    """It is queued again with what is left of its time, and says from where it will go on."""
    steps = [a_step(3, "0001-000000"), a_step(4, "0001-000001")]

    decision = heard(asked(), steps, None, DATASET, NOON + HOUR / 4)

    run, preempted = decision.after, decision.facts[-2]
    assert said(decision)[-2:] == [TrainingPreempted, TrainingQueued]
    assert (preempted.in_time, preempted.checkpoint.step, preempted.attempt) == (True, 4, 1)
    assert (preempted.for_run, preempted.for_model, preempted.for_priority) == ("run-9", "fraud", 5)
    assert (run.state, run.left_s, run.preemptions, run.yields) == (State.QUEUED, 2700.0, 1, None)
    assert run.waits_detail == decision.facts[-1].detail == decision.history[-1].detail
    assert "it goes on from the checkpoint of step 4" in str(run.waits_detail)


def test_a_run_that_makes_no_checkpoint_in_time_goes_back_to_its_last_one() -> None:
    """Not before the time is over."""
    run = asked()

    assert yielded(run, NOON + timedelta(seconds=59)) == Decision(run)
    late = yielded(run, NOON + timedelta(seconds=60))

    assert (late.facts[0].in_time, late.facts[0].checkpoint.step) == (False, 3)
    assert not must_yield(run, NOON)
    assert must_yield(run, NOON + HOUR)


def test_a_run_that_ends_while_it_is_asked_has_ended() -> None:
    """With its model, or with its failure: only a program that ends with its checkpoint made gives way."""
    done = heard(asked(), [a_step(3, "0001-000000")], trained(), DATASET, NOON)
    failed = heard(asked(), [], Failure(because="code", reason="no"), DATASET, NOON)
    made = [a_step(3, "0001-000000"), a_step(4, "0001-000001")]
    gave_way = heard(asked(), made, Failure(because="code", reason="it saved nothing"), DATASET, NOON)

    assert (done.after.state, done.after.yields) == (State.COMPLETED, None)
    assert failed.after.state is State.FAILED
    assert gave_way.after.state is State.QUEUED


def test_a_run_that_may_stay_after_all_is_asked_nothing_any_more() -> None:
    """Whatever checkpoint it makes then."""
    run = spared(asked()).after

    assert run.yields is None
    assert heard(run, [a_step(3), a_step(4, "0001-000001")], None, DATASET, NOON + HOUR).after.state is State.RUNNING


def test_a_run_that_gave_way_goes_on_with_what_is_left_of_its_time() -> None:
    """The next attempt, on the same data; what it waited costs nothing, and counts as waiting."""
    waiting = yielded(asked(), NOON + HOUR / 4).after

    again = taken_up(waiting, NOON + HOUR)
    run = again.after

    assert said(again) == []
    assert (run.state, run.attempt, run.begun, run.paused_s) == (State.RUNNING, 2, False, 2700.0)
    assert run.due_at == NOON + HOUR + 3 * HOUR / 4
    assert run.job is not None
    assert run.job["attempt"] == 2
    done = run.completed(trained(), DATASET, NOON + HOUR + HOUR / 4)
    assert (done.after.usage or {})["seconds"] == 1800.0
    assert (done.after.usage or {})["queued_seconds"] == 2700.0
    cancelled = waiting.cancelled("not needed", "key:ann", NOON + HOUR)
    assert cancelled.facts[0].usage.seconds == 900.0


def test_giving_way_is_no_loss() -> None:
    """However often: only losses end a run."""
    run = asked()
    for number in range(1, MOST_WITH_CHECKPOINTS + 5):
        made = [a_step(9, f"{run.attempt:04}-{number:06}")]
        run = taken_up(heard(asked_to_yield(run, OTHER).after, made, None, DATASET, NOON, run.said).after, NOON).after

    assert run.attempt > MOST_WITH_CHECKPOINTS
    assert run.heard([], LOST, DATASET, NOON).after.state is State.RUNNING


def test_new_data_are_not_taken_by_a_run_that_gave_way() -> None:
    """It goes on with the version that it began with."""
    waiting = yielded(asked(), NOON + HOUR).after

    assert waiting.bound_to == 3
    assert not waiting.takes(4)


STEPS = {
    "found_room": lambda run: run.found_room(None),
    "taken": lambda run: run.taken(3, NOON, HOUR),
    "started": lambda run: run.started(a_job(), DATASET),
    "taken_up": lambda run: taken_up(run, NOON),
    "asked_to_yield": lambda run: asked_to_yield(run, OTHER),
    "heard": lambda run: run.heard([], None, DATASET, NOON),
    "completed": lambda run: run.completed(trained(), DATASET, NOON),
    "failed": lambda run: run.failed(LOST, DATASET, NOON),
    "abandoned": lambda run: run.abandoned("broken", NOON),
    "cancelled": lambda run: run.cancelled("not needed", "key:ann", NOON),
}
POSSIBLE = {
    State.WAITING: {"failed", "abandoned", "cancelled"},
    State.QUEUED: {"found_room", "taken", "started", "taken_up", "failed", "abandoned", "cancelled"},
    State.RUNNING: {"asked_to_yield", "heard", "completed", "failed", "abandoned", "cancelled"},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_does_not_fit_is_refused_with_where_the_run_is(state: State, step: str) -> None:
    """Nothing happens to a run that has ended; nothing is heard of one that has no worker."""
    run = replace(running(), state=state)

    if step in POSSIBLE.get(state, set()):
        STEPS[step](run)
    else:
        with pytest.raises(Impossible, match=f"run run-1 cannot be .*: it is {state}"):
            STEPS[step](run)


def an_evaluation(**fields: Any) -> Evaluation:
    """An evaluation that has a worker."""
    request = a(EvaluationRequested, model="delay").model_dump(mode="json")
    return Evaluation(**{"evaluation": "eval-1", "model": "delay", "request": request, **fields}).started().after


def test_an_evaluation_ends_with_figures_or_with_a_reason() -> None:
    """The candidate is the one that was asked about."""
    found = Evaluated(rows=10, candidate={"roc_auc": 0.8}, champion=None, comparisons=())

    done, failed = an_evaluation().heard(found), an_evaluation().heard(Failure(because="data", reason="no rows"))

    assert said(done) == [EvaluationCompleted]
    assert (done.after.state, done.facts[0].rows) == (State.COMPLETED, 10)
    assert said(failed) == [EvaluationFailed]
    assert (failed.after.state, failed.facts[0].reason) == (State.FAILED, "no rows")


def test_a_lost_evaluation_is_tried_again_and_not_for_ever() -> None:
    """As a run is."""
    evaluation, attempts = an_evaluation(), []
    while evaluation.state is State.RUNNING:
        attempts.append(evaluation.attempt)
        evaluation = evaluation.heard(LOST).after

    assert attempts == [*range(1, MOST_ATTEMPTS + 1)]
    assert evaluation.state is State.FAILED


def test_an_evaluation_that_cannot_be_read_ends_all_the_same() -> None:
    """Then nothing can be said of it."""
    decision = an_evaluation(request={"no": "request"}).abandoned("broken")

    assert (decision.after.state, decision.facts) == (State.FAILED, ())


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED, State.CANCELLED])
def test_an_evaluation_that_has_ended_has_ended(state: State) -> None:
    """No step is left."""
    over = replace(an_evaluation(), state=state)

    for step in (over.started, lambda: over.heard(LOST), lambda: over.failed("late"), lambda: over.abandoned("late")):
        with pytest.raises(Impossible, match=f"it is {state}"):
            step()


PRICED = Rate(an_hour=6.0, currency="EUR")


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (lambda run, at: run.completed(trained(), DATASET, at), TrainingCompleted),
        (lambda run, at: run.failed(Failure(because="code", reason="it broke"), DATASET, at), TrainingFailed),
        (lambda run, at: run.abandoned("a fault of ours", at), TrainingFailed),
        (lambda run, at: run.cancelled("enough", "key:ann", at), TrainingCancelled),
    ],
)
def test_every_end_tells_what_the_run_took_and_what_it_cost(end: Any, kind: type) -> None:
    """The run keeps what its event tells; half an hour at 6 an hour is 3."""
    run = a_run().taken(3, NOON, HOUR, PRICED).started(a_job(), DATASET).after

    decision = end(run, NOON + HOUR / 2)

    (fact,) = decision.facts
    assert isinstance(fact, kind)
    told = fact.usage  # type: ignore[attr-defined]
    assert (told.seconds, told.cost, told.currency, told.attempts) == (1800.0, 3.0, "EUR", 1)
    assert decision.after.usage == told.model_dump(mode="json", exclude_none=True)


def test_lost_attempts_count_as_long_as_they_lasted() -> None:
    """The cluster was taken all the same; only what the last worker measured is known of processors."""
    used = Used(cpu_seconds=3.0, peak_memory_mb=500.0)
    first = a_run().taken(3, NOON, HOUR, PRICED).started(a_job(), DATASET).after
    again = first.heard((), LOST, DATASET, NOON + HOUR / 4).after

    done = again.completed(trained().model_copy(update={"used": used}), DATASET, NOON + HOUR / 2)

    told = done.facts[0].usage  # type: ignore[attr-defined]
    assert (told.attempts, told.seconds, told.cost) == (2, 1800.0, 3.0)
    assert (told.cpu_seconds, told.peak_memory_mb) == (3.0, 500.0)


def tried(**fields: Any) -> Run:
    """A completed run of an experiment."""
    run = a_run(experiment="depth").taken(3, NOON, HOUR).started(a_job(), DATASET).after
    return replace(run.completed(trained(), DATASET, NOON + HOUR).after, **fields)


def test_a_run_of_an_experiment_says_so_in_all_of_its_events() -> None:
    """Whoever makes versions of completed runs must know that this is none."""
    asked = a_run(experiment="depth").asked("capacity")
    started = asked.after.taken(3, NOON, HOUR).started(a_job(), DATASET)
    done = started.after.completed(trained(), DATASET, NOON + HOUR)

    told = [fact.experiment for fact in (*asked.facts, *started.facts, *done.facts)]  # type: ignore[attr-defined]
    assert told == ["depth"] * 3


def test_a_promotion_says_the_completion_anew_as_that_of_a_version() -> None:
    """The same facts, without the experiment, and with who promoted it."""
    run = tried()

    decision = run.promoted("key:bea", "best of all", DATASET)

    (fact,) = decision.facts
    assert isinstance(fact, TrainingCompleted)
    assert (fact.experiment, fact.promoted_by, fact.requested_by) == (None, "key:bea", "key:ann")
    assert (fact.metrics, fact.seconds, fact.artifact) == (trained().metrics, 3600.0, trained().artifact)
    assert decision.after.promoted_by == "key:bea"
    assert "best of all (key:bea)" in decision.history[0].detail


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (tried(experiment=None), "makes a version by itself"),
        (tried(state=State.FAILED), "failed, not completed"),
        (tried(state=State.RUNNING), "running, not completed"),
        (tried(promoted_by="key:bea"), "key:bea had it promoted already"),
    ],
)
def test_what_is_no_completed_experiment_is_not_promoted(run: Run, why: str) -> None:
    """Nor is a run promoted twice: it would be two versions of one model."""
    with pytest.raises(Impossible, match=why):
        run.promoted("key:cem", "again", DATASET)


def test_a_run_that_has_not_begun_is_not_promoted() -> None:
    """It has no dataset version that its completion could tell of."""
    with pytest.raises(Impossible, match="waiting, not completed"):
        a_run(experiment="depth").asked("data").after.promoted("key:cem", "too early", None)
