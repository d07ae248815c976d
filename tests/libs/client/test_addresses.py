"""Finding the stack that a person means."""

import json
from pathlib import Path

import pytest

from headrace.client import NoStack, find_stack
from headrace.contracts.services import PORTS


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine leaks into these tests."""
    others = ("HEADRACE_NATS_URL", "HEADRACE_NATS_NKEY_SEED_FILE", "HEADRACE_TLS_CA")
    for name in ("HEADRACE_URL", "HEADRACE_KEY", *others, *[f"HEADRACE_{service.upper()}_URL" for service in PORTS]):
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


HOSTS = {
    "models.example.org": "http://models.example.org",
    "http://models.example.org/": "http://models.example.org",
    "https://models.example.org": "https://models.example.org",
    "http://10.0.0.7:9999": "http://10.0.0.7",
    "//models": None,
    "localhost": "http://localhost",
    "localhost:8103": "http://localhost",
    "http://[::1]": "http://[::1]",
    "http://[fe80::1]:8103/": "http://[fe80::1]",
    "http://": None,
    "ftp://host": None,
    "http://[::1": None,
    "http:///path": None,
}


@pytest.mark.parametrize("url", [url for url in HOSTS if HOSTS[url]])
def test_every_service_has_its_usual_port_on_the_host(url: str) -> None:
    """Scheme and host are kept, an IPv6 address in its brackets; another port is no service's."""
    stack = find_stack(url)

    assert stack.services == {name: f"{HOSTS[url]}:{port}" for name, port in PORTS.items()}
    assert (stack.key, stack.nats_seed_file, stack.tls_ca) == (None, None, None)


@pytest.mark.parametrize("url", [url for url in HOSTS if not HOSTS[url]])
def test_what_names_no_host_is_refused_at_once(url: str) -> None:
    """Not at the first request, with an address that nobody gave."""
    with pytest.raises(NoStack, match=r"is no URL|names no host; write http://HOST or https://HOST"):
        find_stack(url)


def test_an_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the environment before the folder."""
    monkeypatch.setenv("HEADRACE_URL", "http://environment")
    monkeypatch.setenv("HEADRACE_KEY", "hr_environment")

    assert find_stack().url("audit") == "http://environment:8106"
    assert find_stack("http://option").url("audit") == "http://option:8106"
    assert (find_stack().key, find_stack(key="hr_option").key) == ("hr_environment", "hr_option")


def test_the_environment_names_broker_seed_and_ca(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For a stack that is named by its host."""
    monkeypatch.setenv("HEADRACE_NATS_URL", "tls://broker:4222")
    monkeypatch.setenv("HEADRACE_NATS_NKEY_SEED_FILE", "/keys/operator.nk")
    monkeypatch.setenv("HEADRACE_TLS_CA", "/keys/ca.pem")

    stack = find_stack("https://host")

    assert (stack.nats_url, str(stack.nats_seed_file)) == ("tls://broker:4222", "/keys/operator.nk")
    assert str(stack.tls_ca) == "/keys/ca.pem"
    write_stack(tmp_path)
    assert str(find_stack(start=tmp_path).tls_ca) == "/keys/ca.pem"


def test_a_key_that_is_given_goes_before_the_stacks_own(tmp_path: Path) -> None:
    """Who asks under another name uses the same addresses."""
    write_stack(tmp_path)

    assert find_stack(key="hr_mine", start=tmp_path).key == "hr_mine"


def test_what_lies_beside_the_key_is_found(tmp_path: Path) -> None:
    """Every service's keys and the log's verifying key, where they are; None where they are not."""
    write_stack(tmp_path)
    assert (find_stack(start=tmp_path).keys_file, find_stack(start=tmp_path).log_key) == (None, None)
    stack_file = tmp_path / ".headrace" / "stack.json"
    stack_file.write_text(json.dumps({**json.loads(stack_file.read_text()), "log_key_file": ".headrace/audit.pub"}))
    assert find_stack(start=tmp_path).log_key is None

    (tmp_path / ".headrace" / "keys" / "keys.json").write_text("{}")
    (tmp_path / ".headrace" / "audit.pub").write_text("log+1+a\n")

    stack = find_stack(start=tmp_path)
    assert (stack.keys_file, stack.log_key) == (tmp_path / ".headrace/keys/keys.json", "log+1+a")


@pytest.mark.parametrize("place", ["", "demo", "compose"])
def test_a_stack_lies_in_one_of_three_places(tmp_path: Path, place: str) -> None:
    """The embedded one, that of the demo, and the one of containers; their files are below the same folder."""
    folder = tmp_path / ".headrace" / place
    folder.mkdir(parents=True)
    (folder / "stack.json").write_text(json.dumps({"services": {"audit": f"http://{place or 'own'}"}}))

    assert find_stack(start=tmp_path).url("audit") == f"http://{place or 'own'}"


def test_the_nearest_folder_counts_and_in_it_the_embedded_stack(tmp_path: Path) -> None:
    """A stack of its own in a project goes before the one above it."""
    for at in ("", "project"):
        for place in ("", "demo", "compose"):
            folder = tmp_path / at / ".headrace" / place
            folder.mkdir(parents=True)
            (folder / "stack.json").write_text(json.dumps({"services": {"audit": f"http://{at}-{place}"}}))

    assert find_stack(start=tmp_path / "project").url("audit") == "http://project-"
    (tmp_path / "project/.headrace/stack.json").unlink()
    assert find_stack(start=tmp_path / "project").url("audit") == "http://project-demo"
    (tmp_path / "project/.headrace/demo/stack.json").unlink()
    assert find_stack(start=tmp_path / "project").url("audit") == "http://project-compose"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"services": 1}', "\xff", '"text"'])
def test_a_damaged_description_is_named(tmp_path: Path, text: str) -> None:
    """A file that was cut short is an error with its path, not one of Python."""
    (tmp_path / ".headrace").mkdir()
    (tmp_path / ".headrace" / "stack.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(NoStack, match=r"stack\.json does not describe a stack .*`headrace up`"):
        find_stack(start=tmp_path)


def test_a_service_without_an_address_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A description that an older release wrote knows no newer service; one setting helps."""
    (tmp_path / ".headrace").mkdir()
    (tmp_path / ".headrace" / "stack.json").write_text('{"services": {"audit": "http://a//"}}')

    stack = find_stack(start=tmp_path)

    assert stack.url("audit") == "http://a"
    with pytest.raises(NoStack, match="registry is not known here; set HEADRACE_REGISTRY_URL"):
        stack.url("registry")
    monkeypatch.setenv("HEADRACE_REGISTRY_URL", "http://r/")
    assert find_stack(start=tmp_path).url("registry") == "http://r"
