"""Own code in a worker: its package and environment, what it says on the way, its log and its checkpoints."""

import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headrace.code.archive import Limits, unpack
from headrace.code.errors import BadPackage
from headrace.code.scratch import scratch
from headrace.frameworks import CodeFailed, CodeLimits, OwnCode, Said
from headrace.objects import ObjectError, SyncObjectStore
from headrace.runtimes import BadModel
from headrace.runtimes.process.environments import environment_of
from headrace.trainer.worker.checkpoints import Checkpoints, Found, Place
from headrace.trainer.worker.jobs import Begun, Checkpointed, CodeJob, Step, Tell, TrainJob
from headrace.trainer.worker.locks import requirements_of
from headrace.trainer.worker.wishes import checkpoint_asked

_MIB = 1 << 20
_TELL_S = 0.5  # between two words about progress, and more in a run that works for long
_ANY = Limits(files=1 << 20, size=1 << 40)  # it was judged when it was pushed


@contextmanager
def own_code(job: TrainJob, store: SyncObjectStore, tell: Tell) -> Iterator[OwnCode | None]:
    """What the framework needs to run a job's package; None where it has none. Raises CodeFailed."""
    if job.code is None:
        yield None
        return
    with scratch("headrace-run-") as root:
        root.chmod(0o711)  # the program runs as another user where that can be
        package = _fetched(job.code, store, root)
        heard, log = Heard(tell), LogPieces(store, job)
        warn = Warnings(heard, log)
        place = Place.of(job, store)
        with Checkpoints(place, job.attempt, job.code.checkpoints, heard.checkpointed, warn) as checkpoints:
            found = checkpoints.resume(root / "resume")
            _begin(job, found, tell, warn)
            yield OwnCode(
                run=job.run,
                package=package,
                scratch=root,
                limits=_limits(job, job.code),
                hear=heard,
                log=log.add,
                checkpoint=checkpoints.keep,
                warn=warn,
                entry=job.code.entry,
                command=tuple(job.code.command or ()),
                python=_python(package, job.code, tell),
                attempt=job.attempt,
                resume=found.resumed,
                asked=checkpoint_asked().is_set,
            )
            heard.flush()


def _begin(job: TrainJob, found: Found, tell: Tell, warn: "Warnings") -> None:
    """Say from where an attempt goes on; the first one begins at the beginning, of which there is nothing to say."""
    for text in found.damaged:
        warn(text)
    if job.attempt == 1 and found.checkpoint is None:
        return
    step = f"the checkpoint of step {found.checkpoint.step}" if found.checkpoint else "the beginning"
    begun = Begun(resumed_from=found.checkpoint, earlier=found.earlier, warnings=found.damaged)
    told = f"attempt {job.attempt} goes on from {step}"
    tell(Step(stage="fitting", step=0, of=1, message=told, begun=begun, urgent=True))


def _fetched(code: CodeJob, store: SyncObjectStore, root: Path) -> Path:
    archive = store.download(code.object, root / "package.tar")
    try:
        unpack(archive, root / "package", _ANY)
    except BadPackage as error:
        raise CodeFailed("code", f"package {code.package}@{code.version} is damaged: {error}") from error
    return root / "package"


def _limits(job: TrainJob, code: CodeJob) -> CodeLimits:
    return CodeLimits(
        memory=(job.memory_mb or 0) * _MIB,
        disk=code.disk_mb * _MIB,
        seconds=job.seconds,
        processes=code.processes,
        threads=code.threads,
        network=code.network,
    )


def _python(package: Path, code: CodeJob, tell: Tell) -> Path | None:
    """The interpreter of the package's own environment, made of its lock where no run has done so here."""
    if code.environment is None:
        return None
    lock = package / code.environment
    if not lock.is_file():
        raise CodeFailed("environment", f"package {code.package}@{code.version} has no file {code.environment}")
    tell(Step(stage="loading", step=0, of=1, message=f"the environment of {code.environment}"))
    try:
        return environment_of(requirements_of(lock)) / "bin" / "python"
    except BadModel as error:
        raise CodeFailed("environment", str(error)) from error


class Heard:
    """What a program says of its progress, told on in moderation: the newest place, and the newest of each metric."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._begun = self._told = time.monotonic()
        self._step, self._of = 0, 0
        self._message: str | None = None
        self._metrics: dict[str, float] = {}
        self._news = False

    def __call__(self, said: Said) -> None:
        """Take a word; it may be told later, together with others."""
        self._step, self._of = said.step, said.of or max(self._of, said.step)
        self._message = said.message or self._message
        self._metrics |= said.metrics
        self._news = True
        now = time.monotonic()
        if now - self._told >= max(_TELL_S, (now - self._begun) / 300):
            self.flush()

    def checkpointed(self, made: Checkpointed) -> None:
        """Tell of a checkpoint at once."""
        ref = made.checkpoint
        step, of = ref.step, max(self._of, ref.step)
        told = {"step": step, "of": of, "metrics": ref.metrics or {}}
        self._tell(Step(stage="fitting", **told, checkpointed=made, urgent=True))

    def remark(self, text: str) -> None:
        """Tell something for people at once."""
        of = max(self._of, self._step)
        self._tell(Step(stage="fitting", step=self._step, of=of, message=text, urgent=True))

    def flush(self) -> None:
        """Tell what was not told yet."""
        if not self._news:
            return
        self._news, self._told = False, time.monotonic()
        of = max(self._of, self._step)
        step = Step(stage="fitting", step=self._step, of=of, message=self._message, metrics=self._metrics)
        self._metrics = {}
        self._tell(step)


class LogPieces:
    """A run's log in the object store, as it grows: pieces under keys that are in order, those of each attempt too."""

    def __init__(self, store: SyncObjectStore, job: TrainJob) -> None:
        self._store, self._bucket = store, job.bucket
        self._before = f"{job.logs}{job.attempt:04}-"
        self._number, self._kept = 0, b""
        self._one = threading.Lock()  # checkpoints are stored, and spoken of, in a thread of their own

    def add(self, data: bytes) -> None:
        """Keep a piece. While the store is away it is kept here, since a log never ends a run."""
        with self._one:
            self._kept += data
            if self._kept:
                self._put()

    def _put(self) -> None:
        with suppress(ObjectError):
            self._store.put(self._bucket, self._kept, key=f"{self._before}{self._number:06}", content_type="text/plain")
            self._number, self._kept = self._number + 1, b""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be kept, or not be used."""


class Warnings:
    """What the author of a run should know: told at once, in its log, and among the warnings of its end."""

    def __init__(self, heard: Heard, log: LogPieces) -> None:
        self._heard, self._log = heard, log

    def __call__(self, text: str) -> None:
        """Say something."""
        warnings.warn(text, CheckpointWarning, stacklevel=2)
        self._heard.remark(text)
        self._log.add(f"[{text}]\n".encode())
