"""`headrace outsiders`: programs outside with a name of their own, added to and taken from the broker's users."""

import json
from pathlib import Path
from typing import Any

import nkeys
import pytest

from headrace.cli.app import DONE, REFUSED, run
from headrace.contracts.topology import load_topology
from headrace.provision.outsiders import requests
from headrace.provision.secrets import new_seed, public_key


@pytest.fixture
def outsiders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `headrace outsiders ... --json` on the folder of a stack that does not run."""

    def ask(*arguments: str, ends: int = DONE) -> Any:
        assert run(["outsiders", *arguments, "--folder", str(tmp_path), "--json"]) == ends
        return json.loads(capsys.readouterr().out)

    return ask


def test_an_outsider_is_added_with_a_seed_of_its_own(outsiders: Any) -> None:
    """Readable by its owner alone; the public half is what the broker knows."""
    made = outsiders("add", "partner")

    seed = Path(made["seed_file"])
    assert seed.stat().st_mode & 0o077 == 0
    assert public_key(seed) == made["public_key"]
    assert made["may"] == list(requests())
    assert made["in_force"] is False  # nothing runs; the broker reads it at its start


def test_an_outsider_may_ask_for_less(outsiders: Any) -> None:
    """Each by its word; what nobody outside may ask for is refused with what there is."""
    assert outsiders("add", "lab", "--may", "truth", "--may", "training")["may"] == ["truth", "training"]

    assert "approval" in outsiders("add", "judge", "--may", "approval", ends=REFUSED)["error"]
    assert [each["name"] for each in outsiders("list")] == ["lab"]


def test_an_outsider_may_bring_its_own_key(outsiders: Any, tmp_path: Path) -> None:
    """Then its seed never leaves it; what is no public nkey would keep the broker from starting, and is refused."""
    seed = tmp_path / "theirs.nk"
    seed.write_text(new_seed())
    public = public_key(seed)

    made = outsiders("add", "partner", "--public-key", public)

    assert (made["public_key"], made["seed_file"]) == (public, None)
    wrong = "UA" + "A" * 54 if public[1] != "A" else "UB" + "A" * 54
    account = bytes(nkeys.from_seed(bytearray(_account())).public_key).decode()
    for each in (wrong, "nonsense", seed.read_text(), account):
        assert "public nkey" in outsiders("add", "other", "--public-key", each, ends=REFUSED)["error"]


def _account() -> bytes:
    seed: bytes = nkeys.encode_seed(b"s" * 32, nkeys.PREFIX_BYTE_ACCOUNT)
    return seed


@pytest.mark.parametrize("name", [*load_topology().identities, "", "UPPER", "a.b", "a b", "a>", "*", "x" * 33])
def test_a_name_that_is_somebodys_or_none_is_refused(outsiders: Any, name: str) -> None:
    """It becomes a token of subjects, and the actor in every event that follows."""
    assert "name" in outsiders("add", name, ends=REFUSED)["error"]


def test_an_outsider_is_removed_with_its_seed(outsiders: Any) -> None:
    """And may be added anew, with another key."""
    made = outsiders("add", "partner")
    assert "already" in outsiders("add", "partner", ends=REFUSED)["error"]

    outsiders("remove", "partner")

    assert outsiders("list") == []
    assert not Path(made["seed_file"]).exists()
    assert "there are none" in outsiders("remove", "partner", ends=REFUSED)["error"]
    assert outsiders("add", "partner")["public_key"] != made["public_key"]
