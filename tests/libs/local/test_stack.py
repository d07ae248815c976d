"""The embedded stack as its user meets it: real processes, one start for the whole file."""

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from headrace.client.cli.app import run
from headrace.local import AlreadyRunning, Stack, StackError
from headrace.local.layout import OFFSETS
from headrace.local.stack import PARTS
from headrace.objects import Denied, ObjectSettings, SyncObjectStore
from headrace.testkit import eventually
from headrace.testkit.ports import free_stretch, listens


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


def unready(stack: Stack) -> list[str]:
    """The services that do not answer that they are ready."""
    return [name for name, url in stack.addresses()["services"].items() if not answers(name, url)]


def answers(name: str, url: str) -> bool:
    """Whether a service says that it is ready."""
    try:
        return httpx.get(url + ("/v2/health/ready" if name == "inference" else "/ready"), trust_env=False).is_success
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


def test_orphans_are_looked_for_in_all_of_the_stack(stack: Stack) -> None:
    """Nothing of it is old enough yet; an age within which an event may still come is refused."""
    store(stack, "ingest").put("datasets", b"spoken of by nothing, but young")

    assert stack.orphans(timedelta(days=7)) == {"orphans": [], "size": 0, "kept": 0, "older": 0}
    with pytest.raises(ValueError, match="greater age"):
        stack.orphans(timedelta(hours=1), delete=True)


def test_each_identity_has_the_rights_that_it_needs_and_no_more(stack: Stack) -> None:
    """The trainer writes models and reads datasets; it cannot change datasets, nor the registry models."""
    data = store(stack, "ingest").put("datasets", b"rows")

    assert store(stack, "trainer").get(data) == b"rows"
    assert store(stack, "trainer").put("models", b"model").size == 5
    with pytest.raises(Denied):
        store(stack, "trainer").put("datasets", b"forged")
    with pytest.raises(Denied):
        store(stack, "registry").put("models", b"forged")
    with pytest.raises(Denied):
        store(stack, "registry").get(data)


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
