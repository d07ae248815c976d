"""An embedded stack as its user handles it: up, down, status, logs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from headrace.bus import BusSettings
from headrace.contracts.services import EVERY
from headrace.local.buckets import object_settings
from headrace.local.layout import HIGHEST, LOWEST, OFFSETS, PORT_BASE, SPAN, Layout
from headrace.local.programs import MARK, uses_seaweed, write_broker
from headrace.local.seaweed import owner_of, remove_sockets, sockets
from headrace.provision.orphans import sweep
from headrace.provision.outsiders import Outsiders, reload_broker

UP_S = 240.0  # a busy machine; an idle one needs under 20
DOWN_S = 40.0
PARTS = ("nats", "s3", "ray", *EVERY)


class StackError(Exception):
    """Something about the stack is not as wanted; the text says what to do."""


class AlreadyRunning(StackError):
    """The stack runs already."""


@dataclass(frozen=True)
class Part:
    """One process of the stack as it is now; memory in bytes, with its children's."""

    name: str
    pid: int | None
    restarts: int
    memory: int
    address: str


class Stack:
    """The stack of one folder."""

    def __init__(self, folder: Path = Path(".headrace"), port_base: int = PORT_BASE) -> None:
        self.layout = Layout(folder.resolve(), port_base)

    def up(self, *, progress: Callable[[str], None] = lambda _phase: None) -> dict[str, Any]:
        """Start everything and wait until it is ready; returns the addresses.

        Raises AlreadyRunning, or StackError when a port is taken or a part does not start; then nothing is left
        running.
        """
        if self.running():
            raise AlreadyRunning(f"a stack runs already in {self.layout.folder}; `headrace status` shows it")
        self.sweep()
        check_base(self.layout.port_base)
        self._check_ports()
        self._make_folders()
        self._check_sockets()
        self._launch()
        return self._await_ready(progress)

    def down(self) -> bool:
        """Stop everything and wait until nothing is left; False when nothing ran."""
        state = self._state()
        ran = bool(self._members()) or self.running()
        if state and self.running():
            os.kill(state["pid"], signal.SIGTERM)
            _wait_gone(state["pid"], DOWN_S)
        self.sweep()
        for file in (self.layout.state_file, self.layout.stack_file):
            with suppress(OSError):  # another user's folder, or a read-only one, in which nothing of ours can run
                file.unlink(missing_ok=True)
        if state:
            clean(self._layout_of(state))
        return ran

    def _make_folders(self) -> None:
        """The stack's folder, and the private one for what ends with it."""
        layout = self.layout
        try:
            for folder in layout.private:
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o700)  # also one that an earlier stack left open
            (layout.folder / ".writable").touch()
            (layout.folder / ".writable").unlink()
        except OSError as error:
            raise StackError(
                f"the folder {layout.folder} cannot be written ({error.strerror}); name another with --folder"
            ) from None
        _make_private(layout.runtime)
        layout.temp.mkdir(exist_ok=True)

    def _check_sockets(self) -> None:
        """SeaweedFS' sockets lie in a folder that all users share, under the names of its ports."""
        layout = self.layout
        foreign = remove_sockets(sockets(layout.seaweed_ports, layout.seaweed_grpc))
        if foreign and uses_seaweed(layout):
            raise StackError(
                f"{foreign[0]}, which the object store needs for its ports, belongs to {owner_of(foreign[0])}; "
                "choose other ports with --port-base"
            )

    def running(self) -> bool:
        """Whether the supervisor lives."""
        state = self._state()
        return state is not None and state["phase"] != "failed" and _is_supervisor(state["pid"])

    def status(self) -> list[Part]:
        """Every part with its process, restarts, memory and address; empty when nothing runs."""
        state = self._state() if self.running() else None
        parts = state["parts"] if state else {}
        layout = self._layout_of(state)
        return [_part(layout, name, parts[name]) for name in PARTS if name in parts]

    def orphans(self, age: timedelta, *, delete: bool = False) -> dict[str, Any]:
        """The objects of more than `age` that no event speaks of; with `delete` they are removed.

        Raises StackError when nothing runs, ValueError for an age in which an event may still be to come.
        """
        if not self.running():
            raise StackError("no stack runs here; start one with `headrace up`")
        layout = self._layout_of(self._state())
        bus = BusSettings(layout.nats_url, "provisioner", layout.seed("provisioner"))
        return sweep(bus, object_settings(layout), age, delete=delete).as_document()

    def outsiders(self) -> Outsiders:
        """The programs outside that have a name of their own at the broker."""
        return Outsiders(self.layout.seed("any").parent)

    def reload_broker(self) -> bool:
        """Let a running broker take the outsiders that there are now; False where nothing runs.

        Raises NotReloaded where it does not take them, StackError while it is being started.
        """
        state = self._state() if self.running() else None
        if state is None:
            return False
        layout, broker = self._layout_of(state), state["parts"].get("nats", {}).get("pid")
        if broker is None:
            raise StackError("the broker is not running; `headrace status` shows what is")
        write_broker(layout)
        reload_broker(broker, layout.log("nats"))
        return True

    def addresses(self) -> dict[str, Any]:
        """What clients read; raises StackError when nothing runs."""
        if not self.layout.stack_file.is_file():
            raise StackError("no stack runs here; start one with `headrace up`")
        found: dict[str, Any] = json.loads(self.layout.stack_file.read_text())
        return found

    def logs(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """The lines of a part's log; with `follow` also those to come."""
        if name not in PARTS and name != "supervisor":
            raise StackError(f"there is no part {name!r}; there are {', '.join((*PARTS, 'supervisor'))}")
        file = self.layout.log(name)
        if not file.is_file():
            raise StackError(f"{name} has no log yet in {file.parent}")
        with file.open(errors="replace") as stream:
            while True:
                if line := stream.readline():
                    yield line.rstrip("\n")
                elif follow:
                    time.sleep(0.2)
                else:
                    return

    def sweep(self) -> None:
        """End whatever an earlier stack of this folder left behind, a killed supervisor's orphans for instance."""
        members = self._members()
        for process in members:
            _quietly(process.terminate)
        _, alive = psutil.wait_procs(members, timeout=8)
        for process in alive:
            _quietly(process.kill)
        psutil.wait_procs(alive, timeout=5)

    def _layout_of(self, state: dict[str, Any] | None) -> Layout:
        """The layout with the ports on which a running stack was started."""
        return replace(self.layout, port_base=state["port_base"]) if state else self.layout

    def supervisor_pid(self) -> int | None:
        """The parent of every part, while it runs."""
        state = self._state()
        return state["pid"] if state and self.running() else None

    def _launch(self) -> None:
        log = self.layout.log("supervisor")
        command = [
            sys.executable,
            "-m",
            "headrace.local.supervisor",
            str(self.layout.folder),
            str(self.layout.port_base),
        ]
        environment = {**os.environ, MARK: str(self.layout.folder)}
        self.layout.state_file.unlink(missing_ok=True)
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )

    def _await_ready(self, progress: Callable[[str], None]) -> dict[str, Any]:
        deadline = time.monotonic() + UP_S
        told = ""
        while time.monotonic() < deadline:
            state = self._state()
            if state and state["phase"] != told:
                told = state["phase"]
                progress(told)
            if told == "ready":
                return self.addresses()
            if self._process.poll() is not None:
                self._fail((state or {}).get("error") or self._supervisor_log())
            time.sleep(0.05)
        self._fail(f"not ready within {UP_S:.0f} s")
        raise AssertionError

    def _fail(self, why: str) -> None:
        self.down()
        raise StackError(f"the stack did not start: {why}\nlogs lie in {self.layout.log('x').parent}")

    def _supervisor_log(self) -> str:
        return "\n".join(self.layout.log("supervisor").read_text(errors="replace").splitlines()[-15:])

    def _check_ports(self) -> None:
        needed = [(name, self.layout.port(name)) for name in OFFSETS]
        for name, port in [*needed, *(("a worker of ray", port) for port in self.layout.ray_workers)]:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise StackError(
                        f"port {port}, which {name} needs, is taken{_by_whom(port)}; choose others with --port-base"
                    ) from None

    def _state(self) -> dict[str, Any] | None:
        try:
            state: dict[str, Any] = json.loads(self.layout.state_file.read_text())
        except (OSError, ValueError):
            return None
        return state

    def _members(self) -> list[psutil.Process]:
        """Every process that carries this stack's mark, but this one."""
        mark = str(self.layout.folder)
        return [process for process in psutil.process_iter() if process.pid != os.getpid() and _mark(process) == mark]


def clean(layout: Layout) -> None:
    """Remove what ends with the parts of a stack and lies outside its folder."""
    remove_sockets(sockets(layout.seaweed_ports, layout.seaweed_grpc))
    shutil.rmtree(layout.runtime, ignore_errors=True)


def check_base(base: int) -> None:
    """Raises StackError where a stack's ports cannot begin there."""
    if not LOWEST <= base <= HIGHEST:
        raise StackError(
            f"--port-base {base}: a stack takes {SPAN} ports from its base on, so the base may be "
            f"{LOWEST} to {HIGHEST}; the usual one is {PORT_BASE}"
        )


def _make_private(folder: Path) -> None:
    """A folder in the machine's temporary one that nobody else may enter; what another stack left there is removed."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise StackError(
            f"{folder}, which the stack needs for its sockets, cannot be made ({error.strerror}); remove it, or set "
            "TMPDIR to a folder of your own"
        ) from None


def _part(layout: Layout, name: str, state: dict[str, Any]) -> Part:
    address = layout.nats_url if name == "nats" else layout.url(name)
    return Part(name, state["pid"], state["restarts"], _memory(state["pid"]), address)


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _is_supervisor(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "headrace.local.supervisor" in process.cmdline()
    except psutil.Error:
        return False


def _wait_gone(pid: int, wait: float) -> None:
    try:
        psutil.Process(pid).wait(wait)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return


def _by_whom(port: int) -> str:
    try:
        owners = [c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.pid]
        return f" by {psutil.Process(owners[0]).name()} (process {owners[0]})" if owners else ""
    except psutil.Error:
        return ""


def _memory(pid: int | None) -> int:
    try:
        process = psutil.Process(pid)
        return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
    except psutil.Error:
        return 0


def _quietly(do: Callable[[], None]) -> None:
    try:
        do()
    except psutil.Error:
        return
