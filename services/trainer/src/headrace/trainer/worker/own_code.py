"""Own code in a worker: its package and environment, what it says on the way, its log and its checkpoints."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headrace.code.archive import Limits, unpack
from headrace.code.errors import BadPackage
from headrace.contracts import Artifact
from headrace.frameworks import CodeFailed, CodeLimits, OwnCode, Said
from headrace.objects import ObjectError, SyncObjectStore
from headrace.runtimes import BadModel
from headrace.runtimes.process.environments import environment_of
from headrace.trainer.worker.jobs import CodeJob, Step, Tell, TrainJob
from headrace.trainer.worker.locks import requirements_of

_MIB = 1 << 20
_TELL_S = 0.5  # between two words about progress, and more in a run that works for long
_ANY = Limits(files=1 << 20, size=1 << 40)  # it was judged when it was pushed


@contextmanager
def own_code(job: TrainJob, store: SyncObjectStore, tell: Tell) -> Iterator[OwnCode | None]:
    """What the framework needs to run a job's package; None where it has none. Raises CodeFailed."""
    if job.code is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="headrace-run-", ignore_cleanup_errors=True) as scratch:
        root = Path(scratch)
        root.chmod(0o711)  # the program runs as another user where that can be
        package = _fetched(job.code, store, root)
        heard, log, checkpoints = Heard(tell), LogPieces(store, job), Checkpoints(store, job)
        yield OwnCode(
            run=job.run,
            package=package,
            scratch=root,
            limits=_limits(job, job.code),
            hear=heard,
            log=log.add,
            checkpoint=checkpoints.keep,
            entry=job.code.entry,
            command=tuple(job.code.command or ()),
            python=_python(package, job.code, tell),
            resume=checkpoints.last(root / "resume"),
        )
        heard.flush()


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

    def add(self, data: bytes) -> None:
        """Keep a piece. While the store is away it is kept here, since a log never ends a run."""
        self._kept += data
        if not self._kept:
            return
        with suppress(ObjectError):
            self._store.put(self._bucket, self._kept, key=f"{self._before}{self._number:06}", content_type="text/plain")
            self._number, self._kept = self._number + 1, b""


class Checkpoints:
    """Checkpoints of a run in the object store: a folder each, and beside it a description, which is written last."""

    def __init__(self, store: SyncObjectStore, job: TrainJob) -> None:
        self._store, self._job = store, job
        self._number = 0
        self._place = f"{job.model}/{job.run}/checkpoints/"

    def keep(self, folder: Path, step: int) -> None:
        """Store a copy of a checkpoint."""
        name = f"{self._place}{self._job.attempt:04}-{self._number:06}"
        kept = self._store.put_directory(self._job.bucket, folder, prefix=name)
        self._store.put(self._job.bucket, kept.model_dump_json().encode(), key=f"{name}.json")
        self._number += 1

    def last(self, to: Path) -> Path | None:
        """The newest checkpoint of earlier attempts, fetched to a folder; None where there is none."""
        if self._job.attempt <= 1:
            return None
        described = [each for each in self._store.list(self._job.bucket, self._place) if each.key.endswith(".json")]
        if not described:
            return None
        newest = max(described, key=lambda each: each.key)
        data = b"".join(self._store.read(self._job.bucket, newest.key))
        self._store.get_directory(Artifact.model_validate_json(data), to)
        return to
