"""One worker: a process with everything imported, that does one job at a time and answers meanwhile."""

import threading
import time

from threadpoolctl import threadpool_limits

from headrace.objects import ObjectSettings, sync_object_store
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.importing import bring
from headrace.trainer.worker.jobs import (
    JOB,
    AnyJob,
    Evaluated,
    ImportJob,
    Outcome,
    Report,
    SearchJob,
    Step,
    TrainJob,
    Used,
)
from headrace.trainer.worker.limit import at_most_for
from headrace.trainer.worker.memory import at_most, resident
from headrace.trainer.worker.meter import Meter
from headrace.trainer.worker.output import Captured
from headrace.trainer.worker.training import train
from headrace.trainer.worker.wishes import listen

_MOST_STEPS = 500  # of a search all: no trial is forgotten while the trainer is away
_SAME_STAGE_EVERY = 0.5  # seconds between two words about one stage: enough for a progress bar


class Worker:
    """Runs in an actor process of its own. The job has a thread, so that `report` answers while it works."""

    def __init__(self, objects: str, job_bytes: int, threads: int) -> None:
        self._threads = threads
        self._objects = objects
        self._store = sync_object_store(ObjectSettings.model_validate_json(objects))
        self._job_bytes = job_bytes
        self._job: str | None = None
        self._steps: list[Step] = []
        self._gone = 0  # steps at the beginning that are told no more
        self._outcome: Outcome | None = None
        self._told = 0.0
        self._most = _MOST_STEPS
        self._telling = threading.Lock()
        self._asked = threading.Event()

    def begin(self, name: str, job: str) -> bool:
        """Start a job; False where this worker has another one. Again for the same job changes nothing."""
        if self._job is not None:
            return self._job == name
        self._job, self._steps, self._gone, self._outcome, self._told = name, [], 0, None, 0.0
        found = JOB.validate_json(job)
        self._most = max(_MOST_STEPS, 2 * found.trials) if isinstance(found, SearchJob) else _MOST_STEPS
        self._asked = threading.Event()
        threading.Thread(target=self._run, args=(found, self._asked), name=name, daemon=True).start()
        return True

    def ask(self, name: str, checkpoint: bool) -> None:
        """Ask the job for a checkpoint soon, or no longer; another job than that is left alone."""
        if self._job == name:
            (self._asked.set if checkpoint else self._asked.clear)()

    def report(self) -> str | None:
        """The job's report as JSON; None while there is no job."""
        if self._job is None:
            return None
        outcome = self._outcome  # read first: all steps are told before the outcome is
        with self._telling:
            steps, first = tuple(self._steps), self._gone
        return Report(job=self._job, steps=steps, first=first, outcome=outcome).model_dump_json()

    def forget(self) -> int:
        """Drop a finished job and be free for the next; answers with the resident memory in bytes."""
        self._job, self._steps, self._outcome = None, [], None
        return resident()

    def _run(self, job: AnyJob, asked: threading.Event) -> None:
        listen(asked)
        captured, meter = Captured(), Meter()
        try:
            # Set here: OpenMP keeps its number of threads per thread. It is what Ray has set aside for this worker.
            with captured, at_most_for(job.seconds), threadpool_limits(self._threads), at_most(self._limit(job)):
                outcome = self._do(job)
        except BaseException as error:  # whatever the model's code raises is an outcome, never the worker's end
            outcome = failure_of(error)
        self._outcome = _with_words(outcome, captured, meter.used())

    def _limit(self, job: AnyJob) -> int:
        asked = job.memory_mb if isinstance(job, TrainJob) else None
        return min(self._job_bytes, asked << 20) if asked else self._job_bytes

    def _do(self, job: AnyJob) -> Outcome:
        if isinstance(job, TrainJob):
            return train(job, self._store, self._tell)
        if isinstance(job, SearchJob):
            from headrace.trainer.worker.searching import search  # Tune takes a second to import, and few runs search

            return search(job, self._objects, self._tell)
        if isinstance(job, ImportJob):
            return bring(job, self._store, self._tell)
        return evaluate(job, self._store, self._tell)

    def _tell(self, step: Step) -> None:
        now = time.monotonic()
        same = bool(self._steps) and self._steps[-1].stage == step.stage
        if same and not step.urgent and step.step < step.of and now - self._told < _SAME_STAGE_EVERY:
            return
        with self._telling:
            self._told = now
            self._steps.append(step)
            if len(self._steps) > 2 * self._most:  # a report has all of them, twenty times a second
                self._gone += self._most
                del self._steps[: self._most]


def _with_words(outcome: Outcome, captured: Captured, used: Used) -> Outcome:
    """The outcome with what libraries have said on the way, and what it took."""
    if isinstance(outcome, Evaluated):
        return outcome
    said = {"warnings": [*outcome.warnings, *captured.warnings], "log": captured.log, "used": used}
    return outcome.model_copy(update=said)
