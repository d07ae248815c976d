"""The embedded stack as its user meets it: real processes, one start for the whole file."""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from headrace.cli.app import run
from headrace.local import AlreadyRunning, Stack, StackError
from headrace.local.child import Child
from headrace.local.layout import OFFSETS, SPAN
from headrace.local.programs import Program
from headrace.local.seaweed import SOCKETS, remove_sockets
from headrace.local.stack import PARTS
from headrace.objects import Denied, ObjectSettings, SyncObjectStore
from headrace.testkit import eventually
from headrace.testkit.ports import free_stretch, listens

pytestmark = pytest.mark.resilience


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running stack."""
    running = Stack(tmp_path_factory.mktemp("stack") / ".headrace", free_stretch())
    running.up()
    yield running
    running.down()


def pids(stack: Stack) -> dict[str, int | None]:
    """The process of each part."""
    return {part.name: part.pid for part in stack.status()}


def store(stack: Stack, identity: str) -> SyncObjectStore:
    """The object store as an identity sees it."""
    key = json.loads(stack.layout.secret("s3.json").read_text())[identity]
    return SyncObjectStore(
        ObjectSettings(endpoint=stack.layout.url("s3"), access_key=key["access"], secret_key=key["secret"])
    )


HTTP = httpx.Client(trust_env=False, verify=False)  # asked many times a second while a part comes back


def unready(stack: Stack) -> list[str]:
    """The services that do not answer that they are ready."""
    return [name for name, url in stack.addresses()["services"].items() if not answers(name, url)]


def answers(name: str, url: str) -> bool:
    """Whether a service says that it is ready."""
    try:
        return HTTP.get(url + ("/v2/health/ready" if name == "inference" else "/ready")).is_success
    except httpx.TransportError:
        return False


def test_the_first_key_makes_others_and_their_use_is_seen(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line finds its own key; a new one works at once, is seen by whoever it was shown to, and ends."""
    monkeypatch.chdir(stack.layout.folder.parent)
    for name in ("HEADRACE_URL", "HEADRACE_KEY", "HEADRACE_API_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)

    def keys(*arguments: str) -> Any:
        assert run(["keys", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    def asks(key: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.get(f"{stack.layout.url('registry')}/models", headers=headers, trust_env=False).status_code

    made = keys("make", "vera", "--role", "viewer")
    before = {key["name"]: key["last_used"] for key in keys("list")}
    assert asks(made["key"]) == 200
    after = {key["name"]: key["last_used"] for key in keys("list")}
    keys("revoke", "vera")

    assert before["vera"] is None
    assert before["admin"] is not None
    assert after["vera"] is not None
    assert asks(made["key"]) == 401
    assert [key["name"] for key in keys("list")] == ["admin"]


def test_every_part_runs_and_answers(stack: Stack) -> None:
    """After `up` each part has a process, none was restarted, and each service is ready."""
    parts = {part.name: part for part in stack.status()}

    assert set(parts) == set(PARTS)
    assert all(part.pid and part.restarts == 0 for part in parts.values())
    assert unready(stack) == []


def test_status_tells_the_ports_that_the_stack_took_whoever_asks(stack: Stack) -> None:
    """Another process knows the folder alone, and is told the addresses that really answer."""
    told = {part.name: part.address for part in Stack(stack.layout.folder).status()}

    assert told["registry"] == stack.addresses()["services"]["registry"]
    assert told["nats"] == stack.addresses()["nats"]["url"]


def test_a_second_up_says_that_it_runs_already(stack: Stack) -> None:
    """Nothing is started twice, and nothing is stopped by the attempt."""
    before = pids(stack)

    with pytest.raises(AlreadyRunning, match="headrace status"):
        Stack(stack.layout.folder, stack.layout.port_base).up()

    assert pids(stack) == before


def test_secrets_are_their_owners_alone(stack: Stack) -> None:
    """Seeds, keys and configurations with secrets are not readable by others."""
    folders = ("nats", "secrets", "keys")
    files = [file for name in folders for file in (stack.layout.folder / name).iterdir() if file.is_file()]

    assert files
    assert {str(file) for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077} == set()


def test_data_are_their_owners_alone(stack: Stack) -> None:
    """Databases, data and models are as their parts write them; no other user enters the folders they lie in."""
    modes = {name: (stack.layout.folder / name).stat().st_mode for name in ("data", "logs", "nats", "secrets", "keys")}

    assert {name: stat.S_IMODE(mode) for name, mode in modes.items()} == dict.fromkeys(modes, 0o700)


async def test_everything_listens_on_loopback_within_the_stacks_ports(stack: Stack) -> None:
    """Two stacks cannot meet, and no other machine reaches a part: Ray's workers and agents included."""
    await eventually(lambda: any(address.port in stack.layout.ray_workers for address in listening(stack)), timeout=60)
    heard = listening(stack)

    assert {address.ip for address in heard} <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    first = stack.layout.port_base
    assert {address.port for address in heard} <= set(range(first, first + SPAN))


def listening(stack: Stack) -> set[Any]:
    """The addresses on which any process of the stack listens."""
    members = [process for process in psutil.process_iter() if marked(process, stack.layout.folder)]
    return {c.laddr for each in members for c in connections(each) if c.status == psutil.CONN_LISTEN}


def connections(process: psutil.Process) -> list[Any]:
    """A process's sockets; none where it has just ended."""
    try:
        return process.net_connections("tcp")
    except psutil.Error:
        return []


def test_ray_runs_nothing_that_nobody_needs(stack: Stack) -> None:
    """No autoscaler for one node, no reader of logs, and no worker beside those that the trainer has asked for."""
    members = [process for process in psutil.process_iter() if marked(process, stack.layout.folder)]
    commands = [command(process) for process in members]

    assert any("raylet" in each for each in commands)
    assert [each for each in commands if "autoscaler" in each or "log_monitor" in each or "ray::IDLE" in each] == []


def command(process: psutil.Process) -> str:
    """What a process was started as; nothing where it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_what_lies_outside_the_folder_is_its_owners_alone(stack: Stack) -> None:
    """Ray opens its folder to everybody; the one above it is closed."""
    runtime = stack.layout.runtime
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert stack.layout.ray_temp.is_dir()
    assert len(str(stack.layout.ray_temp)) < 50


def test_the_brokers_pages_are_closed(stack: Stack) -> None:
    """Who is connected, and with which key, is not shown to whoever asks."""
    assert "http:" not in stack.layout.secret("nats.conf").read_text()


def test_orphans_are_looked_for_in_all_of_the_stack(stack: Stack) -> None:
    """Nothing of it is old enough yet; an age within which an event may still come is refused."""
    store(stack, "ingest").put("datasets", b"spoken of by nothing, but young")

    assert stack.orphans(timedelta(days=7)) == {"orphans": [], "size": 0, "kept": 0, "older": 0}
    with pytest.raises(ValueError, match="greater age"):
        stack.orphans(timedelta(hours=1), delete=True)


def test_each_identity_has_the_rights_that_it_needs_and_no_more(stack: Stack) -> None:
    """The trainer writes models and reads datasets; it cannot change datasets, nor a replica models."""
    data = store(stack, "ingest").put("datasets", b"rows")

    assert store(stack, "trainer").get(data) == b"rows"
    assert store(stack, "trainer").put("models", b"model").size == 5
    with pytest.raises(Denied):
        store(stack, "trainer").put("datasets", b"forged")
    with pytest.raises(Denied):
        store(stack, "inference").put("models", b"forged")
    with pytest.raises(Denied):
        store(stack, "inference").get(data)


@pytest.mark.parametrize("name", ["registry", "inference", "nats", "s3"])
async def test_a_killed_part_comes_back(stack: Stack, name: str) -> None:
    """Whatever is killed is started again, which is recorded, and every service becomes ready again."""
    before = pids(stack)[name]
    assert before is not None
    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        part = next(part for part in stack.status() if part.name == name)
        return part.pid not in {None, before} and part.restarts == 1

    await eventually(back, timeout=20)
    await eventually(lambda: not unready(stack), timeout=40)
    await eventually(lambda: listens(stack.layout.port("s3")), timeout=40)  # nobody's readiness depends on the store


def test_logs_are_kept_by_part(stack: Stack) -> None:
    """Each service's log has lines; a part that does not exist is named with those that do."""
    assert [*stack.logs("registry")]
    with pytest.raises(StackError, match="ingest"):
        [*stack.logs("nobody")]


def test_down_leaves_nothing_and_data_survive(stack: Stack) -> None:
    """After `down` no process of the stack is left; the next `up` has the data and keys of before."""
    ref = store(stack, "ingest").put("datasets", b"kept")
    key = stack.layout.admin_key.read_text()

    assert stack.down()

    assert [process for process in psutil.process_iter() if marked(process, stack.layout.folder)] == []
    assert not stack.running()
    assert not stack.layout.runtime.exists()
    assert not stack.down()
    with pytest.raises(StackError, match="headrace up"):
        stack.addresses()
    stack.up()
    assert store(stack, "ingest").get(ref) == b"kept"
    assert stack.layout.admin_key.read_text() == key


def marked(process: psutil.Process, folder: Path) -> bool:
    """Whether a process belongs to the stack of a folder."""
    try:
        return process.environ().get("HEADRACE_STACK") == str(folder)
    except psutil.Error:
        return False


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path) -> None:
    """`up` refuses before it starts anything, and says which port, which part and who holds it."""
    base = free_stretch()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # another test may have closed a connection there
        holder.bind(("127.0.0.1", base + OFFSETS["registry"]))
        holder.listen()

        with pytest.raises(StackError, match=rf"port {base + 3}, which registry needs.*process {os.getpid()}"):
            Stack(tmp_path / ".headrace", base).up()

    assert not (tmp_path / ".headrace").exists()


@pytest.mark.parametrize("base", [0, 80, -5, 1023, 65_337, 65_530, 10**9])
def test_ports_that_there_are_not_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], base: int
) -> None:
    """By the command, too: the base that was meant, and which may be."""
    assert run(["up", "--detach", "--folder", str(tmp_path / ".headrace"), f"--port-base={base}"]) == 1
    said = capsys.readouterr().err.splitlines()  # services of other fixtures log there, too
    (line,) = [line for line in said if line.startswith("error: ")]
    assert f"--port-base {base}" in line
    assert "1024 to 65336" in line
    assert not (tmp_path / ".headrace").exists()


def test_a_port_of_rays_workers_that_is_taken_is_named(tmp_path: Path) -> None:
    """They are checked before anything starts, like every other."""
    base = free_stretch()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", base + 150))
        holder.listen()
        with pytest.raises(StackError, match=rf"port {base + 150}, which a worker of ray needs"):
            Stack(tmp_path / ".headrace", base).up()


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    """Here, a file is in its way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot be written \(Not a directory\); name another with --folder$"):
        Stack(tmp_path / "file" / ".headrace", free_stretch()).up()


def test_the_sockets_of_another_user_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SeaweedFS keeps sockets by port in a folder that all users share; what cannot be removed there is in the way.

    A folder in a socket's place stands for a file of somebody else: this test may run as root, who may remove any.
    """
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path / "no-minio"))
    monkeypatch.setenv("PATH", "/nowhere")
    stack = Stack(tmp_path / ".headrace", free_stretch())
    foreign = SOCKETS / f"seaweedfs-filer-grpc-{stack.layout.port('filer-grpc')}.sock"
    foreign.unlink(missing_ok=True)  # of a server that another test killed, on the port that is free again
    foreign.mkdir()
    try:
        with pytest.raises(StackError, match=r"filer-grpc.*belongs to .*; choose other ports with --port-base$"):
            stack.up()
    finally:
        foreign.rmdir()


def test_what_an_earlier_server_left_is_removed(tmp_path: Path) -> None:
    """A socket of our own, of a server that was killed."""
    path = SOCKETS / f"seaweedfs-filer-grpc-{free_stretch()}.sock"
    path.unlink(missing_ok=True)  # nobody can write into the socket that a killed server left
    path.write_text("")
    assert remove_sockets([path, path.with_suffix(".never")]) == []
    assert not path.exists()


async def test_a_part_that_does_not_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    """The cause out of its log, and where the log is; not the log itself."""
    script = "print('starting'); print('fatal: disk is full'); print('goodbye'); raise SystemExit(1)"
    program = Program("part", [sys.executable, "-c", script], ready_port=free_stretch())
    child = Child(program, tmp_path / "part.log", tmp_path, tmp_path)
    await child.start()
    watching = asyncio.create_task(child.watch(asyncio.Event()))
    with pytest.raises(RuntimeError, match=r"^part ended again and again: fatal: disk is full \(.*part\.log\)$"):
        await child.ready(30)
    await child.stop()
    watching.cancel()
