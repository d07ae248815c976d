"""A program that is loaded once, and of which every start is a process of its own.

What a Python of ours imports takes longer than most of what a test does with it. A first process imports the program
and then forks, for each start, one that calls its function `start`: as killed, as stopped and as alone as any other.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

from headrace.faults.points import LATER, VARIABLE, later
from headrace.testkit.waiting import eventually


class Child:
    """One process of the program."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None  # minus the signal that ended it

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def wait(self, within: float = 60) -> int:
        """Its exit code, once it has ended."""
        await eventually(lambda: self.returncode is not None, within)
        assert self.returncode is not None
        return self.returncode


class Preloaded:
    """The program in a file, with an `environment` that decides what it imports; `with` ends it and all it started."""

    def __init__(self, program: Path, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "headrace.testkit.preloaded", str(program)]
        told = {**os.environ, **(environment or {}), VARIABLE: LATER}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=told)
        self._started: SimpleQueue[int | None] = SimpleQueue()
        self._children: dict[int, Child] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    async def start(self, *arguments: str, out: Path, **environment: str) -> Child:
        """Call `start(*arguments)` in a new process; what it prints is appended to `out`, a file from now on."""
        await asyncio.to_thread(out.touch)
        asked = {"arguments": arguments, "out": str(out), "environment": {**os.environ, **environment}}
        return await asyncio.to_thread(self._start, json.dumps(asked))

    def _start(self, asked: str) -> Child:
        assert self._process.stdin is not None
        self._process.stdin.write(asked + "\n")
        self._process.stdin.flush()
        pid = self._started.get(timeout=60)
        if pid is None:
            raise RuntimeError("the program cannot be loaded; its error is above")
        return self._children[pid]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "code" in told:
                self._children[told["pid"]].returncode = told["code"]
            else:
                self._children[told["pid"]] = Child(told["pid"])
                self._started.put(told["pid"])
        self._started.put(None)


def load(program: Path) -> Any:
    """The program as a module."""
    place = importlib.util.spec_from_file_location(f"preloaded_{program.stem}", program)
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.modules[place.name] = module
    place.loader.exec_module(module)
    return module


def serve(program: Any) -> None:
    """Fork for every line of standard input, and tell of every child that has ended, until the input ends."""
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    asked = selectors.DefaultSelector()
    asked.register(0, selectors.EVENT_READ)
    asked.register(woken, selectors.EVENT_READ)
    lines = os.fdopen(os.dup(0), "rb", buffering=0)
    while True:
        ready = {key.fd for key, _ in asked.select()}
        if woken in ready:
            os.read(woken, 1024)
            _tell_ended()
        if 0 in ready:
            line = lines.readline()
            if not line:
                return
            _fork(program, json.loads(line))


def _fork(program: Any, told: Mapping[str, Any]) -> None:
    pid = os.fork()
    if pid == 0:
        _be(program, told)
    print(json.dumps({"pid": pid}), flush=True)


def _be(program: Any, told: Mapping[str, Any]) -> None:
    """What the child is: it never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        out = os.open(told["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for own, usual in ((nothing, 0), (out, 1), (out, 2)):
            os.dup2(own, usual)
        os.environ.clear()
        os.environ.update(told["environment"])
        later.arm(os.environ)
        code = program.start(*told["arguments"]) or 0
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 0 if asked.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        print(json.dumps({"pid": pid, "code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    serve(load(Path(sys.argv[1])))
