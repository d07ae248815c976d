"""Attaching to a stack of containers, with a compose program that answers from a script."""

import json
import stat
from pathlib import Path

import pytest

from headrace.cli.compose import attach
from headrace.client import NoStack, find_stack
from headrace.contracts.services import PORTS

TOLD = {
    "key": "hr_compose",
    "seeds": {"operator": "SU-operator", "outsider": "SU-outsider"},
    "log_key": "headrace-audit+01020304+AQ==",
    "passwords": {"grafana": "to-be-seen"},
    "ports": {**PORTS, "ingest": 9101, "nats": 9140},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a compose file."""
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    return tmp_path


def compose(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A machine whose only compose program is this shell script."""
    program = folder / "bin" / "docker-compose"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_every_command_finds_what_was_attached(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses by the ports that the compose file publishes, the key, and the broker's seed, for one user alone."""
    for name in ("HEADRACE_URL", "HEADRACE_KEY"):
        monkeypatch.delenv(name, raising=False)
    compose(project, monkeypatch, f"echo '{json.dumps(TOLD)}'")

    file = attach(project)

    stack = find_stack(start=project)
    assert (stack.url("ingest"), stack.url("inference")) == ("http://127.0.0.1:9101", "http://127.0.0.1:8110")
    assert (stack.key, stack.nats_url) == ("hr_compose", "nats://127.0.0.1:9140")
    assert stack.log_key == TOLD["log_key"]
    assert stack.nats_seed_file is not None
    assert stack.nats_seed_file.read_text() == "SU-operator"
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}


def test_without_a_running_stack_the_error_says_how_to_start_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the last that compose said."""
    compose(project, monkeypatch, "echo 'no such image: headrace/provision' >&2; exit 1")

    with pytest.raises(NoStack, match=r"no such image.*docker compose up"):
        attach(project)


def test_elsewhere_the_error_says_where_to_go(tmp_path: Path) -> None:
    """The compose file is what names the installation."""
    with pytest.raises(NoStack, match="--project"):
        attach(tmp_path)
