"""Running a package: its folder, its process, its limits, and what becomes of it."""

import contextlib
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import headrace.code
from headrace.code import confine, protocol
from headrace.code.logs import BoundedLog
from headrace.frameworks.code.collecting import Foreign, collect, discard
from headrace.frameworks.code.watching import Events, memory_of, open_plain, size_of
from headrace.frameworks.errors import CodeFailed
from headrace.frameworks.own import OwnCode, Resumed, Said
from headrace.runtimes.process import launch

_USERS = range(61184, 65520)  # systemd gives these to services without a user of their own; nobody else has them
_LOOK_S, _MEASURE_S, _FLUSH_S = 0.05, 0.25, 1.0
_LAST_WORDS_S = 2.0  # for the end of the log, once the process is gone
_MOST_OPEN = 1024
_PIPE = 1 << 20  # bytes, the most that the kernel gives a user without rights
_ERROR_BYTES = 64 << 10
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON = ("LANG", "LC_ALL", "TZ", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
_ETC = (
    *(
        "ssl",
        "pki",
        "ca-certificates",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "resolv.conf",
        "hosts",
        "host.conf",
    ),
    *(
        "nsswitch.conf",
        "passwd",
        "group",
        "localtime",
        "fonts",
        "alternatives",
        "R",
        "services",
        "protocols",
        "gai.conf",
    ),
)
_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/proc", "/sys", "/dev", "/nix"),
    *(f"/etc/{name}" for name in _ETC),
)
_DEVICES = (
    *("null", "zero", "full", "random", "urandom", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "kfd", "dri"),
    *(f"nvidia{number}" for number in range(16)),
)
_TOO_LARGE = ("[Errno 27]", "[Errno 28]", "File too large", "No space left")  # EFBIG, ENOSPC


class Folder:
    """The private folder of one run; everything in it is the program's to read, and some of it to write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.code, self.data, self.out, self.tmp, self.lib = (
            root / name for name in ("code", "data", "out", "tmp", "lib")
        )
        self.checkpoints = self.out / protocol.CHECKPOINT_FOLDER
        self.asked = root / "checkpoint-asked"

    @property
    def writable(self) -> tuple[Path, ...]:
        """What the program may write to."""
        return (self.code, self.out, self.tmp)

    def make(self, package: Path, job: dict[str, Any]) -> None:
        """Put the package and the description of the job there."""
        shutil.copytree(package, self.code)
        for folder in (self.data, self.out, self.checkpoints, self.tmp):
            folder.mkdir()
        (self.root / "job.json").write_text(json.dumps(job))
        shutil.copytree(Path(headrace.code.__file__).parent, self.lib / "headrace" / "code")

    def resumed(self, checkpoint: Resumed | None) -> Path | None:
        """A checkpoint of an earlier attempt, moved to where the program may read it."""
        if checkpoint is None:
            return None
        found = Path(shutil.move(checkpoint.folder, self.root / "resume"))
        for each in (found, *found.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
        return found

    def ask(self, checkpoint: bool) -> None:
        """Let the program see that a checkpoint is wanted soon, or no longer."""
        if checkpoint != self.asked.exists():
            self.asked.touch() if checkpoint else self.asked.unlink()

    def give_to(self, user: int | None) -> None:
        """Let another user in, and let it write where it may."""
        if user is None:
            return
        self.root.chmod(0o755)
        for folder in self.writable:
            os.chown(folder, user, user)
            for each in folder.rglob("*"):
                os.chown(each, user, user, follow_symlinks=False)

    def variables(self, resume: Path | None) -> dict[str, str]:
        """Where a program finds what, by the names of the protocol."""
        told = {
            protocol.JOB: self.root / "job.json",
            protocol.DATA: self.data,
            protocol.OUT: self.out,
            protocol.CHECKPOINTS: self.checkpoints,
            protocol.ASKED: self.asked,
            protocol.MODEL: self.out / "model",
            protocol.EVENTS: self.out / "events.jsonl",
            protocol.ERROR: self.out / "error.json",
            "HOME": self.tmp,
            "TMPDIR": self.tmp,
            "PYTHONPATH": self.lib,
            **({protocol.RESUME: resume} if resume else {}),
        }
        return {name: str(path) for name, path in told.items()}


def run(code: OwnCode, folder: Folder) -> None:
    """Run the program to its end; raises CodeFailed with the kind of failure and a reason for its author."""
    log, events = BoundedLog(), Events(folder.out / "events.jsonl", code.hear)
    with _started(code, folder) as process:
        reader = threading.Thread(target=_read, args=(process, log), daemon=True)
        reader.start()
        try:
            _watch(process, code, folder, events, log)
        finally:
            _kill(process)
            reader.join(_LAST_WORDS_S)
            code.log(log.end())
            print(log.recent, end="")  # the end of it is kept with the outcome
    for said in events.read():
        _checkpoint(said, code, folder)
    if process.returncode:
        raise _failure(process.returncode, folder, log)


@contextmanager
def _started(code: OwnCode, folder: Folder) -> Iterator["subprocess.Popen[bytes]"]:
    user = random.SystemRandom().choice(_USERS) if os.geteuid() == 0 else None
    folder.give_to(user)
    nothing = os.open(os.devnull, os.O_WRONLY)
    spec = {
        "command": _confined(code, folder),
        "cwd": str(folder.code),
        "environment": _environment(code, folder),
        "answers": nothing,
        "user": user,
        "reads": True,
        "limits": {
            "DATA": code.limits.memory,
            "FSIZE": code.limits.disk,
            "NOFILE": _MOST_OPEN,
            "CORE": 0,
        },
        "processes": code.limits.processes,
        "network": code.limits.network,
        "parent": os.getpid(),
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", launch.__file__, json.dumps(spec)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[nothing],
        start_new_session=True,
        preexec_fn=_unlimited,
    )
    try:
        yield process
    finally:
        os.close(nothing)
        _kill(process)
        process.wait()


def _unlimited() -> None:
    """The worker's own soft limit on memory is another one; the program gets its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _confined(code: OwnCode, folder: Folder) -> list[str]:
    prefixes = [sys.prefix, sys.base_prefix, *([str(code.python.parent.parent)] if code.python else [])]
    reads = [*_SYSTEM, *prefixes, str(Path(sys.executable).resolve().parents[1]), str(folder.root)]
    writes = [*map(str, folder.writable), *(f"/dev/{name}" for name in _DEVICES)]
    spec = {"reads": reads, "writes": writes, "network": code.limits.network}
    return [sys.executable, "-I", "-S", confine.__file__, json.dumps(spec), *_command(code)]


def _command(code: OwnCode) -> Sequence[str]:
    if code.entry:
        return [str(code.python or sys.executable), "-m", "headrace.code.child", code.entry]
    return code.command


def _environment(code: OwnCode, folder: Folder) -> dict[str, str]:
    """Built anew: nothing of the worker's own, least of all its keys."""
    programs = str((code.python or Path(sys.executable)).parent)
    threads = str(code.limits.threads)
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PATH": f"{programs}:{_PATH}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "JOBLIB_MULTIPROCESSING": "0",  # it needs /dev/shm, and would warn in every log that it has none
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        **folder.variables(folder.resumed(code.resume)),
    }


def _read(process: "subprocess.Popen[bytes]", log: BoundedLog) -> None:
    assert process.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
        while data := os.read(process.stdout.fileno(), _PIPE):
            log.add(data)


def _watch(process: "subprocess.Popen[bytes]", code: OwnCode, folder: Folder, events: Events, log: BoundedLog) -> None:
    """Until it has ended; raises CodeFailed where it takes more than it may."""
    begun = time.monotonic()
    end = begun + code.limits.seconds if code.limits.seconds is not None else None
    measured = flushed = begun
    while process.poll() is None:
        time.sleep(_LOOK_S)
        now = time.monotonic()
        folder.ask(code.asked())
        for said in events.read():
            _checkpoint(said, code, folder)
        if end is not None and now >= end:
            raise CodeFailed("timeout", f"it still ran after {code.limits.seconds:.0f} s; training.timeout gives more")
        if now - measured >= _MEASURE_S:
            _measure(process, code, folder)
            measured = time.monotonic()
        if now - flushed >= max(_FLUSH_S, (now - begun) / 30):  # of a run of days some hundreds of pieces
            flushed = now
            code.log(log.fresh())


def _measure(process: "subprocess.Popen[bytes]", code: OwnCode, folder: Folder) -> None:
    limits = code.limits
    if sum(map(size_of, folder.writable)) > limits.disk:
        raise CodeFailed("disk", f"it wrote more than the {limits.disk >> 20} MiB that a run may keep on disk")
    if memory_of(process.pid) > limits.memory:
        raise CodeFailed("memory", f"it and what it started took more than the {limits.memory >> 20} MiB of the run")


def _checkpoint(said: Said, code: OwnCode, folder: Folder) -> None:
    """Keep a checkpoint; of one that cannot be taken over the author is told, and the run goes on."""
    name = (said.checkpoint or "").removeprefix(f"{folder.out}/")
    try:
        taken = _taken_over(folder.out, name, code.scratch)
    except (Foreign, OSError) as error:
        code.warn(f"the checkpoint of step {said.step} is not kept: {error}")
    else:
        code.checkpoint(taken, said)
    discard(folder.out, protocol.CHECKPOINT_FOLDER, name)


def _taken_over(out: Path, name: str, scratch: Path) -> Path:
    """A copy that the program cannot change; one that is not whole is removed, since the disk may be full."""
    taken = Path(tempfile.mkdtemp(prefix="checkpoint-", dir=scratch))
    try:
        collect(out, name, taken / "files")
    except BaseException:
        shutil.rmtree(taken, ignore_errors=True)
        raise
    return taken / "files"


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """The program and all that it started: by its session, and with its namespace of processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(code: int, folder: Folder, log: BoundedLog) -> CodeFailed:
    told = _told(folder.out / "error.json")
    last = next((line.strip() for line in reversed(log.recent.splitlines()) if line.strip()), "")
    if told is None:
        how = f"it was killed by {_signal(code)}" if code < 0 or code > 128 else f"it ended with exit code {code}"
        text = f"{how}{': ' + last[:500] if last else ''}"
        return CodeFailed("disk" if any(each in last for each in _TOO_LARGE) else "code", text)
    where = f" ({told['place']})" if told.get("place") else ""
    reason = f"{told['reason']}{where}"
    if told.get("memory") is True:
        return CodeFailed("memory", f"it needs more memory than it may have: {reason}")
    if any(each in reason for each in _TOO_LARGE):
        return CodeFailed("disk", f"it wrote more than it may: {reason}")
    return CodeFailed("code", f"it cannot be imported: {reason}" if told.get("stage") == "import" else reason)


def _signal(code: int) -> str:
    number = -code if code < 0 else code - 128
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _told(path: Path) -> dict[str, Any] | None:
    """What the program says of its error: its own words, so that nothing of their form is certain."""
    with contextlib.suppress(OSError, ValueError, RecursionError), open_plain(path) as file:
        found = json.loads(file.read(_ERROR_BYTES))
        if isinstance(found, dict) and isinstance(found.get("reason"), str):
            return found
    return None
