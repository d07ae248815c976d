"""Finding the stack that a person means."""

import json
from pathlib import Path

import pytest

from headrace.client import NoStack, find_stack
from headrace.contracts.services import PORTS


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine leaks into these tests."""
    for name in ("HEADRACE_URL", "HEADRACE_KEY", *[f"HEADRACE_{service.upper()}_URL" for service in PORTS]):
        monkeypatch.delenv(name, raising=False)


def write_stack(root: Path) -> None:
    """What a running embedded stack leaves for its users."""
    folder = root / ".headrace"
    (folder / "keys").mkdir(parents=True)
    (folder / "keys" / "admin.key").write_text("hr_secret\n")
    document = {
        "services": {name: f"http://127.0.0.1:{port}" for name, port in PORTS.items()},
        "nats": {"url": "nats://127.0.0.1:8140", "seed_file": ".headrace/nats/operator.nk"},
        "key_file": ".headrace/keys/admin.key",
    }
    (folder / "stack.json").write_text(json.dumps(document))


def test_the_stack_of_a_folder_is_found_from_below_it(tmp_path: Path) -> None:
    """A person may stand anywhere in the project."""
    write_stack(tmp_path)
    below = tmp_path / "notebooks" / "june"
    below.mkdir(parents=True)

    stack = find_stack(start=below)

    assert stack.url("registry") == "http://127.0.0.1:8103"
    assert stack.key == "hr_secret"
    assert stack.nats_seed_file == tmp_path / ".headrace/nats/operator.nk"


def test_without_a_stack_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    """Nobody has to search for the next command."""
    with pytest.raises(NoStack, match="headrace up"):
        find_stack(start=tmp_path)


def test_a_url_names_a_host_with_the_usual_ports() -> None:
    """One setting is enough for a stack elsewhere."""
    stack = find_stack("http://models.example.org", "hr_k")

    assert stack.url("inference") == "http://models.example.org:8110"
    assert stack.key == "hr_k"


def test_one_service_can_lie_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a load balancer a service has an address of its own."""
    monkeypatch.setenv("HEADRACE_URL", "http://host")
    monkeypatch.setenv("HEADRACE_INFERENCE_URL", "https://predict.example.org/")

    stack = find_stack()

    assert stack.url("inference") == "https://predict.example.org"
    assert stack.url("audit") == "http://host:8106"
