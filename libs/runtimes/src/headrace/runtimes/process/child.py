"""One child process: started, greeted, asked, and ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from headrace.runtimes.process import launch
from headrace.runtimes.process.frames import Ended, Frames, Garbled, Late

VERSION = 1  # of the protocol
_TAIL = 4096  # bytes kept of what it writes
_LINES = 8  # of these told in an error
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LAST_WORDS_S = 1.0  # for the log's end to be read once the process is gone


class Lost(Exception):
    """The child is of no more use: it ended, did not answer in time, or what it wrote cannot be understood."""


class Nonsense(Lost):
    """It wrote what is no answer."""


class Reported(Exception):
    """The child says itself that it cannot answer a batch; it goes on."""


@dataclass(frozen=True)
class Plan:
    """How to start a child: what `launch.py` is told, without what differs from one child to the next."""

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    limits: Mapping[str, int]
    processes: int
    network: bool
    user: int | None = None
    reads: bool = False


class Child:
    """A process that answers one batch at a time."""

    def __init__(self, plan: Plan, scratch: Path) -> None:
        """Start it; its thread must outlive it, since the kernel ends it with the thread that made it."""
        requests, writes = os.pipe()
        reads, answers = os.pipe()
        log, told = os.pipe()
        if plan.user is not None:  # /dev/fd/3 is opened by the name, and by its user
            os.fchown(answers, plan.user, plan.user)
        spec = {
            "command": list(plan.command),
            "cwd": str(plan.folder),
            "environment": {**plan.environment, "HOME": str(scratch), "TMPDIR": str(scratch)},
            "answers": answers,
            "user": plan.user,
            "reads": plan.reads,
            "limits": dict(plan.limits),
            "processes": plan.processes,
            "network": plan.network,
            "parent": os.getpid(),
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", launch.__file__, json.dumps(spec)],
                stdin=requests,
                stdout=told,
                stderr=told,
                pass_fds=[answers],
                env={},
                cwd="/",
                start_new_session=True,
            )
        finally:
            for fd in (requests, answers, told):
                os.close(fd)
        self._frames = Frames(writes, reads)
        self._tail = b""
        self._reader = threading.Thread(target=self._read_log, args=(log,), name="process-log", daemon=True)
        self._reader.start()
        self._asked = 0
        self.greeted = False
        self._closing = threading.Lock()

    def greet(self, hello: Mapping[str, Any], deadline: float) -> Mapping[str, Any]:
        """Exchange hello; raises Lost with the reason."""
        answer = self._exchange({"hello": {"version": VERSION, **hello}}, deadline, "say hello in time")
        told = answer.get("hello")
        if "error" in answer:
            raise Lost(f"it says: {answer['error']}")
        if not isinstance(told, dict) or told.get("version") != VERSION:
            raise Nonsense(f"it does not say hello in version {VERSION} of the protocol, but {_short(answer)}")
        self.greeted = True
        return told

    def ask(self, batch: Mapping[str, Any], deadline: float) -> Any:
        """The outputs that it gives for a batch; raises Lost, Reported."""
        self._asked += 1
        answer = self._exchange({"id": self._asked, **batch}, deadline, "answer in time")
        if answer.get("id") != self._asked:
            raise Nonsense(f"it does not answer request {self._asked}, but says {_short(answer)}")
        if "error" in answer:
            raise Reported(str(answer["error"]))
        if "outputs" not in answer:
            raise Nonsense(f"its answer has neither outputs nor an error: {_short(answer)}")
        return answer["outputs"]

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """What it and all that it started hold in memory."""
        return sum(_resident(pid) for pid in _session(self._process.pid))

    def kill(self) -> None:
        """End it with all that it started; may be said twice."""
        with self._closing:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                self._frames.close()

    def _exchange(self, message: Mapping[str, Any], deadline: float, what: str) -> Mapping[str, Any]:
        try:
            self._frames.send(orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY), deadline)
            return _document(self._frames.receive(deadline))
        except Late:
            raise Lost(f"it did not {what}{self._written()}") from None
        except (Ended, OSError):
            raise Lost(self._ended()) from None
        except Garbled as error:
            raise Nonsense(f"what it wrote is no answer: {error}{self._written()}") from None

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_LAST_WORDS_S)
            self._reader.join(_LAST_WORDS_S)
            return f"it ended with {_cause(code)}{self._written()}"
        return f"it closed its answers{self._written()}"

    def _written(self) -> str:
        lines = self._tail.decode(errors="replace").strip().splitlines()[-_LINES:]
        return f"; the last it wrote: {' | '.join(lines)}" if lines else ""

    def _read_log(self, log: int) -> None:
        """Keep the end of what it writes; a gigabyte of it is read, and forgotten."""
        with contextlib.suppress(OSError):
            while data := os.read(log, 1 << 16):
                self._tail = (self._tail + data)[-_TAIL:]
        os.close(log)


def deadline_in(seconds: float) -> float:
    """The moment, by the monotonic clock, that lies so far ahead."""
    return time.monotonic() + seconds


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = _with_nan(body)
    if not isinstance(found, dict):
        raise Garbled(f"{body[:60]!r} is no JSON object")
    return found


def _with_nan(body: bytes) -> Any:
    """JSON as Python writes it, with NaN: what is wrong with that is better said of the output than of the JSON."""
    try:
        return json.loads(body)
    except ValueError:
        raise Garbled(f"{body[:60]!r} is no JSON") from None


def _cause(code: int) -> str:
    number = -code if code < 0 else code - 128
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(number).name}" if number > 0 else f"exit code {code}"
    return f"exit code {code}"


def _short(answer: Mapping[str, Any]) -> str:
    text = json.dumps(answer, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _session(leader: int) -> list[int]:
    """Every process of a session."""
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    return [pid for pid in pids if _session_of(pid) == leader]


def _session_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0
