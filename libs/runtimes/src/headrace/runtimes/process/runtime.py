"""Loading a model directory into child processes, and asking them."""

import os
import secrets
import shutil
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.code.scratch import Held, held
from headrace.contracts import Signature
from headrace.runtimes import serve_process
from headrace.runtimes.base import Columns
from headrace.runtimes.directory import read_example
from headrace.runtimes.errors import BadAnswer, BadModel, Unavailable
from headrace.runtimes.process.answers import joined
from headrace.runtimes.process.child import Plan
from headrace.runtimes.process.columns import BATCH_ROWS, batches
from headrace.runtimes.process.environments import environment_of
from headrace.runtimes.process.options import Options, options_of
from headrace.runtimes.process.workers import Terms, Workers

_PREFIX = "headrace-process-"  # of the folders that processes run from
MODULE = "headrace_serve"  # by which a process's Python finds `serve_process.py`
_USERS = range(61184, 65520)  # systemd gives these to services without a user of their own; nobody else has them
_MOST_PROCESSES = 256  # and threads
_MOST_FILES = 1024
_LARGEST_FILE = 1 << 30  # bytes
_PATH = "/usr/local/bin:/usr/bin:/bin"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # one core a process, as ONNX graphs have


class ProcessModel:
    """A model that answers in processes of its own."""

    platform = "headrace_process"
    matrix = None

    def __init__(self, signature: Signature, workers: Workers, slots: int, home: "_Home") -> None:
        self.signature = signature
        self.slots = slots
        self._workers = workers
        self.close = weakref.finalize(self, _end, workers, home)  # also where nobody says it

    @property
    def memory_bytes(self) -> int:
        """What its processes hold in memory now."""
        return self._workers.memory_bytes

    @property
    def problem(self) -> str | None:
        """Why nothing answers now; None where something does, or soon will."""
        return self._workers.problem

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name, one entry a row; raises BadValue, BadAnswer, Unavailable."""
        parts = batches(self.signature.inputs, columns, strict=strict)
        return joined([self._workers.ask(part) for part in parts])

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """The same for rows that lie in one matrix, its columns in the order of the signature."""
        return self.answer({each.name: matrix[:, at] for at, each in enumerate(self.signature.inputs)})


class Process:
    """Starts the command, or the Python function, that a model directory names."""

    name = "process"
    starts_slowly = True

    def load(self, folder: Path, signature: Signature) -> ProcessModel:
        """Start the processes; raises BadModel, where they do not say hello with the last lines that they wrote."""
        options = options_of(folder)
        home = _home(folder)
        try:
            plan = _plan(home, options)
            hello = {"signature": signature.model_dump(mode="json", exclude_none=True), "batch_rows": BATCH_ROWS}
            workers = Workers(plan, home.path / "scratch", hello, _terms(signature, options))
        except BaseException:
            home.remove()
            raise
        model = ProcessModel(signature, workers, options.workers, home)
        _answer_example(model, read_example(folder))
        return model


def _terms(signature: Signature, options: Options) -> Terms:
    return Terms(
        count=options.workers,
        outputs=signature.outputs,
        start=options.start_timeout_s,
        answer=options.timeout_ms / 1000,
        merge=options.merge,
    )


def _answer_example(model: ProcessModel, example: Columns) -> None:
    """A model that does not answer the row that its own directory shows would fail the first caller."""
    if not example or any(tensor.name not in example for tensor in model.signature.inputs):
        return
    try:
        model.answer({name: values[:1] for name, values in example.items()})
    except (BadAnswer, Unavailable) as error:
        model.close()
        raise BadModel(f"it does not answer the first row of its input example: {error}") from error


@dataclass(frozen=True)
class _Home:
    """A private folder: a copy of the model that its processes cannot change, and their scratch folders."""

    folder: Held
    user: int | None

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def model(self) -> Path:
        return self.path / "model"

    def remove(self) -> None:
        self.folder.remove()


def _home(folder: Path) -> _Home:
    """The copy outlives the folder that was loaded, and a user without rights can read it."""
    if links := [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink()]:
        raise BadModel(f"{folder.name} has links ({', '.join(links[:5])}); a model directory has files alone")
    user = secrets.choice(_USERS) if os.geteuid() == 0 else None
    home = _Home(held(_PREFIX), user)
    shutil.copytree(folder, home.model, copy_function=_copied)
    shutil.copyfile(serve_process.__file__, home.path / f"{MODULE}.py")
    (home.path / "scratch").mkdir()
    if user is not None:
        os.chown(home.path, 0, user)
    home.path.chmod(0o700 if user is None else 0o710)
    for path in (home.model, home.path / "scratch", *(p for p in home.model.rglob("*") if p.is_dir())):
        path.chmod(0o755)
    return home


def _copied(source: str, target: str) -> None:
    """A file that anybody in the folder may read; executable where it was."""
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if Path(source).stat().st_mode & 0o100 else 0o644)


def _plan(home: _Home, options: Options) -> Plan:
    prefix = environment_of(home.model / options.environment) if options.environment else Path(sys.prefix)
    command = _command(home, options)
    variables = {
        "PATH": f"{prefix / 'bin'}:{_PATH}",
        "LANG": "C.UTF-8",
        "HEADRACE_PROTOCOL": "1",
        "HEADRACE_ANSWERS": "/dev/fd/3",
        "PYTHONPATH": str(home.path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(_ONE_THREAD, "1"),
    }
    limits = {"DATA": options.memory_mb << 20, "NOFILE": _MOST_FILES, "FSIZE": _LARGEST_FILE, "CORE": 0}
    reads = home.user is not None and not all(map(_reachable, (home.path.parent, *_interpreters(prefix))))
    return Plan(command, home.model, variables, limits, _MOST_PROCESSES, options.network, home.user, reads)


def _command(home: _Home, options: Options) -> tuple[str, ...]:
    """The argv: a path of the directory is made whole, since the process may look elsewhere for a name."""
    if options.python is not None:
        entry = options.python
        return ("python", str(home.path / f"{MODULE}.py"), entry.module, entry.function, str(home.model / entry.path))
    program = options.command[0]
    return (str(home.model / program) if "/" in program else program, *options.command[1:])


def _interpreters(prefix: Path) -> tuple[Path, ...]:
    return prefix, (prefix / "bin" / "python").resolve()


def _reachable(path: Path) -> bool:
    """Whether a user without rights gets there; a Python below somebody's home folder may be out of reach."""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _end(workers: Workers, home: _Home) -> None:
    workers.close()
    home.remove()
