"""What a worker tells of a job, without Ray."""

import json
import threading
from typing import Any

from headrace.contracts import CheckpointRef
from headrace.testkit import a
from headrace.testkit.s3 import S3
from headrace.trainer.worker.jobs import Begun, Checkpointed, Step
from headrace.trainer.worker.process import _MOST_STEPS, Worker
from headrace.trainer.worker.wishes import checkpoint_asked, listen


def a_worker(buckets: S3) -> Worker:
    """One that has a job."""
    worker = Worker(buckets.settings.model_dump_json(), 1 << 30, 1)
    worker._job = "run-1"
    return worker


def told(worker: Worker) -> dict[str, Any]:
    """Its report."""
    found = worker.report()
    assert found is not None
    return dict(json.loads(found))


def test_words_about_one_stage_are_few_but_none_that_matters_is_left_out(buckets: S3) -> None:
    """Each checkpoint is told, however fast they come, and from where an attempt goes on."""
    worker = a_worker(buckets)
    made = Checkpointed(checkpoint=a(CheckpointRef))

    worker._tell(Step(stage="fitting", step=0, of=9))
    for step in (1, 2, 3):
        worker._tell(Step(stage="fitting", step=step, of=9))
        worker._tell(Step(stage="fitting", step=step, of=9, checkpointed=made, urgent=True))
    worker._tell(Step(stage="fitting", step=0, of=9, begun=Begun(), urgent=True))

    steps = told(worker)["steps"]
    assert [each["step"] for each in steps if each["checkpointed"]] == [1, 2, 3]
    assert [each["step"] for each in steps if each["begun"]] == [0]
    assert len(steps) == 5


def test_the_report_of_a_long_job_stays_small(buckets: S3) -> None:
    """Its beginning is told no more, and how much that was is said."""
    worker = a_worker(buckets)
    assert told(worker)["first"] == 0

    for step in range(5 * _MOST_STEPS):
        worker._tell(Step(stage="fitting", step=step, of=step, urgent=True))

    found = told(worker)
    assert found["first"] + len(found["steps"]) == 5 * _MOST_STEPS
    assert len(found["steps"]) <= 2 * _MOST_STEPS
    assert [each["step"] for each in found["steps"]] == [*range(found["first"], 5 * _MOST_STEPS)]


def test_a_job_alone_hears_that_a_checkpoint_is_asked_for(buckets: S3) -> None:
    """Not another one of its worker, nor one that comes later; and what runs elsewhere hears nothing."""
    worker = a_worker(buckets)
    heard, asked = [], worker._asked

    def job() -> None:
        listen(asked)
        for name, wanted in (("run-1", True), ("run-1", False), ("run-2", True)):
            worker.ask(name, wanted)
            heard.append(checkpoint_asked().is_set())

    thread = threading.Thread(target=job)
    thread.start()
    thread.join()

    assert heard == [True, False, False]
    assert not checkpoint_asked().is_set()
