"""Secrets: made once, kept, and handed to each part alone."""

import json
import os
import stat
from pathlib import Path

import nkeys
import pytest

from headrace.chassis.auth import ROLES, read_keys
from headrace.contracts.services import EVERY, SERVICES
from headrace.contracts.topology import load_topology
from headrace.provision.__main__ import main
from headrace.provision.settings import ProvisionSettings
from headrace.provision.vault import Vault
from headrace.tlog import SigningKey

PARTS = ("nats", "postgres", "minio", "ray", "grafana", *EVERY)


def settings(folder: Path, **told: str) -> ProvisionSettings:
    """An installation's folders; its files belong to whoever runs the test."""
    for part in PARTS:
        (folder / "handed" / part).mkdir(parents=True, exist_ok=True)
    return ProvisionSettings(vault=folder / "vault", handed=folder / "handed", owner=os.getuid(), **told)


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, with what it holds."""
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def test_nobody_else_reads_a_secret(tmp_path: Path) -> None:
    """Neither in the vault nor where it was handed to."""
    Vault(settings(tmp_path)).hand_out()

    modes = {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.rglob("*") if each.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE((tmp_path / "handed" / part).stat().st_mode) for part in PARTS} == {0o700}


def test_handing_out_again_changes_nothing(tmp_path: Path) -> None:
    """The job runs at every start; who was known stays known."""
    Vault(settings(tmp_path)).hand_out()
    before = files(tmp_path)

    Vault(settings(tmp_path)).hand_out()

    assert files(tmp_path) == before


def test_keys_that_were_made_later_stay(tmp_path: Path) -> None:
    """The file of API keys is people's own once it was handed out."""
    vault = Vault(settings(tmp_path))
    vault.hand_out()
    keys = tmp_path / "handed/keys/keys.json"
    changed = keys.read_text().replace('"admin"', '"somebody"')
    keys.write_text(changed)

    vault.hand_out()

    assert keys.read_text() == changed


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_handed_its_own_alone(tmp_path: Path, service: str) -> None:
    """Its broker seed, its database and its object store key; of nobody else's anything."""
    told = settings(tmp_path)
    vault = Vault(told)
    vault.hand_out()

    handed = "\n".join(files(tmp_path / "handed" / service).values())
    others = [name for name in load_topology().identities if name != service]
    passwords = vault.database_passwords()
    assert f"postgresql+asyncpg://{service}:{passwords[service]}@" in handed
    assert not [name for name in others if vault.seed(name).read_text() in handed]
    assert not [name for name, password in passwords.items() if name != service and password in handed]
    assert not [name for name, key in vault.s3_keys().items() if name != service and key.secret in handed]


def test_the_broker_is_told_who_may_what_and_writes_through(tmp_path: Path) -> None:
    """Identities by their public halves, a quota, and every message on the disk before it is acknowledged."""
    vault = Vault(settings(tmp_path))
    vault.hand_out()

    config = (tmp_path / "handed/nats/nats.conf").read_text()
    assert "sync_interval: always" in config
    assert "max_file_store: " in config
    assert config.count("nkey: U") == len(load_topology().identities)
    assert vault.seed("audit").read_text() not in config


def test_a_store_of_others_is_used_with_the_key_that_was_given(tmp_path: Path) -> None:
    """Every service gets that key; none is made up."""
    Vault(settings(tmp_path, s3_access_key="given", s3_secret_key="for-all")).hand_out()

    for name in ("ingest", "audit", "inference"):
        handed = (tmp_path / "handed" / name / "env").read_text()
        assert "HEADRACE_S3_ACCESS_KEY='given'\nHEADRACE_S3_SECRET_KEY='for-all'\n" in handed
    assert not (tmp_path / "vault/s3.json").exists()


def test_a_person_is_told_what_people_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that the services know, the seeds of people and of no service, and where things answer."""
    Vault(settings(tmp_path)).hand_out()
    monkeypatch.setenv("HEADRACE_VAULT", str(tmp_path / "vault"))
    monkeypatch.setenv("HEADRACE_PUBLISHED", '{"ingest": 8101}')

    assert main(["attach"]) == 0

    told = json.loads(capsys.readouterr().out)
    known = read_keys(tmp_path / "handed/keys/keys.json").find(told["key"])
    assert known is not None
    assert known.name == "admin"
    assert told["seeds"].keys() == {"operator", "outsider"}
    assert told["ports"] == {"ingest": 8101}
    seed = bytes.fromhex((tmp_path / "handed/audit/audit.key").read_text())
    assert told["log_key"] == str(SigningKey("headrace-audit", seed).verifying_key)


def test_a_key_is_made_and_taken_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the administrator's, which stays."""
    Vault(settings(tmp_path)).hand_out()
    file = tmp_path / "handed/keys/keys.json"
    for name, value in {"VAULT": tmp_path / "vault", "HANDED": tmp_path / "handed", "OWNER": os.getuid()}.items():
        monkeypatch.setenv(f"HEADRACE_{name}", str(value))

    assert main(["key", "ann", "approver"]) == 0

    key = capsys.readouterr().out.strip()
    known = read_keys(file).find(key)
    assert known is not None
    assert set(known.scopes) == set(ROLES["approver"])
    assert main(["revoke", known.id]) == 0
    assert read_keys(file).find(key) is None
    assert [each.name for each in read_keys(file).stored.values()] == ["admin"]


def test_an_outsider_is_in_what_the_broker_is_handed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From being added, when its seed is printed, until it is removed."""
    told = settings(tmp_path)
    Vault(told).hand_out()
    for name, value in {"VAULT": told.vault, "HANDED": told.handed, "OWNER": told.owner}.items():
        monkeypatch.setenv(f"HEADRACE_{name}", str(value))

    assert main(["outsiders", "add", "partner", "training"]) == 0

    public = _public(capsys.readouterr().out)
    broker = told.handed / "nats/nats.conf"
    assert public in broker.read_text()
    assert main(["outsiders", "remove", "partner"]) == 0
    assert public not in broker.read_text()


def test_an_outsider_is_added_where_nothing_is_handed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Kubernetes: it is in the Secrets that are made next, and no folder is made for containers."""
    monkeypatch.setenv("HEADRACE_VAULT", str(tmp_path / "vault"))
    monkeypatch.setenv("HEADRACE_HANDED", str(tmp_path / "handed"))

    assert main(["outsiders", "add", "partner"]) == 0

    public = _public(capsys.readouterr().out)
    assert not (tmp_path / "handed").exists()
    assert main(["kubernetes"]) == 0
    secrets = {each["metadata"]["name"]: each["stringData"] for each in json.loads(capsys.readouterr().out)["items"]}
    assert public in secrets["nats"]["nats.conf"]


def _public(seed: str) -> str:
    return str(nkeys.from_seed(seed.strip().encode()).public_key.decode())


@pytest.mark.parametrize("words", [[], ["everything"], ["attach", "me"], ["key", "ann"]])
def test_a_word_too_many_or_too_few_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With what there is, and exit code 2."""
    assert main(words) == 2
    assert "key NAME ROLE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seven"], "'seven' is no number of days; say for instance 7"),
        (["nan"], "'nan' is no number of days"),
        (["1e99"], "'1e99' is no number of days"),
        (["7", "remove"], "'remove' is not understood; say `delete`"),
    ],
)
def test_what_orphans_cannot_mean_is_said_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked of anybody."""
    assert main(["orphans", *words]) == 1
    assert f"error: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["key", "ann", "emperor"], ["revoke", "nothing"]])
def test_a_role_or_key_that_is_none_is_named(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing was changed."""
    monkeypatch.setenv("HEADRACE_HANDED", str(tmp_path))

    assert main(words) == 1
    assert words[-1] in capsys.readouterr().err
    assert not (tmp_path / "keys/keys.json").exists()
