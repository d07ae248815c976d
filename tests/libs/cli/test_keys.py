"""`headrace keys`: who may ask, made and taken away in the file that every service reads."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.chassis.keys import Keys, read_keys
from headrace.chassis.scopes import ROLES
from headrace.cli.app import DONE, REFUSED, run


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a stack, and no settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("HEADRACE_URL", "HEADRACE_KEY", "HEADRACE_API_KEYS_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def keys(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `headrace keys ... --json` on a file of this test; answers the document, after it ended as expected."""

    def ask(*arguments: str, ends: int = DONE) -> Any:
        assert run(["keys", *arguments, "--file", str(nowhere / "keys.json"), "--json"]) == ends
        return json.loads(capsys.readouterr().out)

    return ask


def kept(folder: Path) -> Keys:
    """What the file holds."""
    return read_keys(folder / "keys.json")


def test_a_key_is_shown_once_and_kept_as_a_hash(keys: Any, nowhere: Path) -> None:
    """Whoever reads the file has no key; whoever presents the key is its bearer, with the role's scopes, until then."""
    made = keys("make", "ann", "--role", "approver", "--lasts", "P90D")

    stored = kept(nowhere).find(made["key"])
    assert stored is not None
    assert (stored.name, stored.scopes) == ("ann", ROLES["approver"])
    assert stored.expires is not None
    assert abs(stored.expires - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert made["key"].split("_", 2)[2] not in (nowhere / "keys.json").read_text()
    assert (nowhere / "keys.json").stat().st_mode & 0o077 == 0


def test_roles_and_scopes_add_up(keys: Any, nowhere: Path) -> None:
    """Each once."""
    made = keys("make", "bot", "--role", "viewer", "--scope", "predict", "--scope", "ingest:read")

    assert made["scopes"] == [*ROLES["viewer"], "predict"] or made["scopes"] == ["predict", *ROLES["viewer"]]
    assert sorted(kept(nowhere).stored[made["id"]].scopes) == sorted({*ROLES["viewer"], "predict"})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("make", "ann"), "--role"),
        (("make", "ann", "--role", "king"), "viewer"),
        (("make", "ann", "--scope", "registry:burn"), "registry:approve"),
        (("make", "ann bee", "--role", "viewer"), "names nobody"),
        (("make", "ann", "--role", "viewer", "--lasts", "90 days"), "P90D"),
        (("revoke", "nobody"), "headrace keys list"),
        (("rotate", "nobody"), "headrace keys list"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could(arguments: tuple[str, ...], told: str, keys: Any) -> None:
    """Nothing is written."""
    before = keys("make", "first", "--role", "viewer")

    assert told in keys(*arguments, ends=REFUSED)["error"]
    assert [key["id"] for key in keys("list")] == [before["id"]]


def test_rotation_keeps_name_rights_and_term_and_ends_the_old_key(keys: Any, nowhere: Path) -> None:
    """At once, or after an overlap in which both work."""
    old = keys("make", "ann", "--role", "engineer", "--lasts", "P30D")

    new = keys("rotate", "ann", "--overlap", "PT1H")

    first, second = kept(nowhere).find(old["key"]), kept(nowhere).find(new["key"])
    assert first is not None
    assert second is not None
    assert (second.name, second.scopes) == (first.name, first.scopes)
    assert first.expires is not None
    assert second.expires is not None
    assert timedelta(minutes=59) < first.expires - datetime.now(UTC) < timedelta(minutes=61)
    assert second.expires - datetime.now(UTC) > timedelta(days=29)
    assert new["replaces"] == old["id"]
    assert "2 keys" in keys("rotate", "ann", ends=REFUSED)["error"]


def test_a_revoked_key_is_gone(keys: Any, nowhere: Path) -> None:
    """By its id or its name."""
    ann, bob = keys("make", "ann", "--role", "viewer"), keys("make", "bob", "--role", "viewer")

    keys("revoke", "ann")
    keys("revoke", bob["id"])

    assert kept(nowhere).find(ann["key"]) is None
    assert kept(nowhere).stored == {}


def test_the_key_that_the_command_line_uses_follows_its_rotation(keys: Any, nowhere: Path) -> None:
    """The first key of a stack can be replaced, and not be taken away by mistake."""
    first = keys("make", "admin", "--role", "admin")
    (nowhere / "admin.key").write_text(first["key"])

    assert "rotate it instead" in keys("revoke", "admin", ends=REFUSED)["error"]
    second = keys("rotate", "admin")

    assert (nowhere / "admin.key").read_text() == second["key"]
    assert (nowhere / "admin.key").stat().st_mode & 0o077 == 0


def test_the_file_stays_readable_for_those_who_could_read_it(keys: Any, nowhere: Path) -> None:
    """Services in containers may read it by their group."""
    keys("make", "ann", "--role", "viewer")
    (nowhere / "keys.json").chmod(0o640)

    keys("make", "bob", "--role", "viewer")

    assert (nowhere / "keys.json").stat().st_mode & 0o777 == 0o640


def test_without_a_keys_file_the_error_says_how_to_name_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made in a folder where nobody would look."""
    assert run(["keys", "make", "ann", "--role", "viewer"]) == REFUSED
    assert "--file" in capsys.readouterr().err


def test_a_folder_whose_stack_is_down_has_its_keys(nowhere: Path, keys: Any, capsys: Any) -> None:
    """Keys can be made before `headrace up`, from below the folder too."""
    keys("make", "ann", "--role", "viewer")
    (nowhere / ".headrace" / "keys").mkdir(parents=True)
    (nowhere / "keys.json").rename(nowhere / ".headrace" / "keys" / "keys.json")

    assert run(["keys", "list", "--json"]) == DONE

    assert [key["name"] for key in json.loads(capsys.readouterr().out)] == ["ann"]
