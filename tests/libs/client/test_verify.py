"""Verifying from outside: against a given key, every message, and what this machine and the stream remember."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headrace.cli.app import run
from headrace.client.addresses import Stack
from headrace.client.errors import HeadraceError
from headrace.client.http import Http
from headrace.client.verify import verify
from headrace.contracts import TrainingRequested
from headrace.testkit import a
from headrace.testkit.cluster import Cluster
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import wait_until_good
from headrace.tlog import Checkpoint, SigningKey, VerifyingKey

MANY = 5


@pytest.fixture
def alone(tmp_path: Path, s3: S3) -> Iterator[Cluster]:
    """An audit service, whose database a test may change."""
    with Cluster(tmp_path / "town", s3, only=("audit",), audit_checkpoint_every="PT1S") as every:
        yield every


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test remembers by itself."""
    monkeypatch.setenv("HEADRACE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("HEADRACE_LOG_KEY", raising=False)
    return tmp_path / "state"


@pytest.fixture
def stack(alone: Cluster) -> Stack:
    """The installation as an auditor knows it: addresses, and the log's key from its owner's folder."""
    bus = alone.bus("operator")
    key = (alone.data("audit") / "signing.pub").read_text()
    return Stack(alone.urls, alone.keys["auditor"], bus.url, bus.nkey_seed_file, log_key=key)


@pytest.fixture
def http(alone: Cluster, stack: Stack) -> Iterator[Http]:
    """HTTP to a log with some requests, of which a checkpoint was published and recorded."""
    for number in range(MANY):
        alone.say(a(TrainingRequested, model="m", reason=str(number)))
    asking = Http(stack)
    wait_until_good(lambda: _recorded(asking), lambda count: count > MANY, within=30, away=HeadraceError)
    yield asking
    asking.close()


def _recorded(http: Http) -> int:
    """How many messages are recorded once the event of a checkpoint over all requests is among them; else 0."""
    items = http.json("GET", "audit", "/events")["items"]
    sizes = [item["data"]["size"] for item in items if item["type"] == "headrace.checkpoint.signed.v1"]
    return len(items) if max(sizes, default=0) >= MANY else 0


def tamper(alone: Cluster, statement: str, *values: Any) -> None:
    """Change the service's database behind its back."""
    with closing(sqlite3.connect(alone.data("audit").with_suffix(".db"), timeout=30)) as database, database:
        database.execute(statement, values)


def test_a_log_is_whole_by_everything_that_is_known(http: Http, stack: Stack, state: Path) -> None:
    """Entries, messages, published checkpoints; what was verified is remembered, and compared the next time."""
    first, second = verify(http), verify(http)

    assert (first["whole"], first["findings"]) == (True, [])
    assert first["key"] == (stack.log_key or "").strip()
    assert (first["compared"]["remembered"], second["compared"]["remembered"]) == (0, 1)
    assert first["compared"]["EVENTS"] >= 1
    assert len(list(state.rglob("*.json"))) == 1


def test_service_and_client_mean_the_same_by_whole(alone: Cluster, http: Http) -> None:
    """Each of these was whole for one of the two: a changed message, a deleted row, a changed actor."""
    assert (verify(http)["whole"], http.json("GET", "audit", "/verify")["whole"]) == (True, True)
    tamper(alone, "update log_record set authid = 'key:innocent' where position = 1")
    found = verify(http)
    assert (found["whole"], http.json("GET", "audit", "/verify")["whole"]) == (False, False)
    assert [(each["what"], each["found"]) for each in found["findings"]] == [("index", "key:innocent")]


@pytest.mark.parametrize(
    ("statement", "what", "place"),
    [
        ("update log_record set body = body || x'20' where position = 2", "event", "2 ("),
        ("update log_record set headers = x'7b7d' where position = 2", "event", "2 ("),
        ("delete from log_record where position = 2", "entry", "tile/entries/"),
    ],
    ids=["payload", "headers", "row"],
)
def test_a_changed_message_is_found_by_the_client(
    alone: Cluster, http: Http, statement: str, what: str, place: str
) -> None:
    """The bytes themselves are compared with what was recorded of them, not only the entries with each other."""
    tamper(alone, statement)
    found = verify(http)["findings"][0]
    assert found["what"] == what
    assert found["where"].startswith(place)


def test_the_key_that_is_served_is_not_believed(http: Http, stack: Stack) -> None:
    """Without a key that was given there is no verification; with another one nothing holds."""
    unaided = Http(Stack(stack.services, stack.key))
    with pytest.raises(HeadraceError, match="--key-file"):
        verify(unaided)
    unaided.close()
    served = VerifyingKey.parse(http.request("GET", "audit", "/key").text)
    other = SigningKey(served.name, b"o" * 32).verifying_key
    assert [found["what"] for found in verify(http, str(other))["findings"]] == ["checkpoint"]


def test_the_key_may_come_from_the_environment(http: Http, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """For programs; it goes before the stack's own."""
    monkeypatch.setenv("HEADRACE_LOG_KEY", "nonsense")
    with pytest.raises(HeadraceError, match="not usable"):
        verify(http)
    monkeypatch.setenv("HEADRACE_LOG_KEY", stack.log_key or "")
    assert verify(http)["whole"]


def test_a_log_that_was_cut_back_is_found_by_memory_and_stream(alone: Cluster, http: Http, state: Path) -> None:
    """An older database, rightly signed: this machine has seen a later head, and EVENTS holds one."""
    seen = verify(http)
    key = SigningKey("headrace-audit", bytes.fromhex((alone.data("audit") / "signing.key").read_text()))
    _cut_back(alone, key)

    found = verify(http)

    places = [each["where"] for each in found["findings"] if each["what"] == "history"]
    assert not found["whole"]
    assert any("verified here before" in place for place in places)
    assert any("EVENTS" in place for place in places)
    assert f"checkpoint of size {seen['size']}" in " ".join(places)
    own = http.json("GET", "audit", "/verify")
    assert (own["whole"], own["first"]["what"]) == (False, "history")


def _cut_back(alone: Cluster, key: SigningKey) -> None:
    """Leave the first two entries with their tree and a signed head, as an older copy of the database has them."""
    from headrace.tlog import Edge, leaf_hash

    with closing(sqlite3.connect(alone.data("audit").with_suffix(".db"), timeout=30)) as database, database:
        entries = [row[0] for row in database.execute("select entry from log_record order by position limit 2")]
        edge = Edge()
        tiles = edge.append(map(leaf_hash, entries))
        database.execute("delete from log_record where position >= 2")
        database.execute("delete from log_reference where position >= 2")
        database.execute("delete from log_checkpoint")
        database.execute("delete from log_tile")
        for tile, hashes in tiles.items():
            database.execute("insert into log_tile values (?, ?, ?)", (tile.level, tile.number, b"".join(hashes)))
        note = Checkpoint(key.name, 2, edge.root()).signed(key)
        database.execute("update log_head set size = 2, note = ?, unpublished = 0", (note,))


def test_the_command_says_what_it_compared(
    http: Http, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0 for a whole log, 1 without a key; --json has everything."""
    folder = tmp_path / "of-a-user" / ".headrace"
    folder.mkdir(parents=True)
    (folder / "stack.json").write_text(json.dumps(_document(stack, folder)))
    monkeypatch.chdir(folder.parent)

    assert run(["verify", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["whole"], told["compared"]["EVENTS"] >= 1) == (True, True)

    (folder / "audit.pub").unlink()
    assert run(["verify"]) == 1
    assert "proves nothing" in capsys.readouterr().err


def _document(stack: Stack, folder: Path) -> dict[str, Any]:
    """The stack.json that a running stack writes."""
    (folder / "audit.pub").write_text(stack.log_key or "")
    (folder / "auditor.key").write_text(stack.key or "")
    return {
        "services": dict(stack.services),
        "nats": {"url": stack.nats_url, "seed_file": str(stack.nats_seed_file)},
        "key_file": str(folder / "auditor.key"),
        "log_key_file": str(folder / "audit.pub"),
    }
