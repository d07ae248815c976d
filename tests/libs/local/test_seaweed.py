"""The object server of the SeaweedFS wheel has one door: its own parts let nobody in who has no certificate."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headrace.local.seaweed import sockets
from headrace.testkit.s3 import Seaweed

PARTS = ("master", "volume", "filer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seaweed, Path]]:
    """A server with one object, and its folder."""
    folder = tmp_path_factory.mktemp("seaweed")
    running = Seaweed(folder)
    store = running.start().fresh("one-")
    store.sync.put("models", b"served")
    yield running, folder
    running.stop()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_a_part_refuses_whoever_has_no_certificate(server: tuple[Seaweed, Path], part: str, method: str) -> None:
    """Neither in the clear nor over TLS: a local process cannot read or delete past the keys of S3."""
    running, _ = server
    port = running.ports[part]
    for address in (f"http://127.0.0.1:{port}/buckets/", f"https://127.0.0.1:{port}/buckets/"):
        try:
            answer = httpx.request(method, address, verify=False, trust_env=False)
        except httpx.TransportError:
            continue
        assert (answer.status_code, "HTTPS server" in answer.text) == (400, True), address


def test_the_owner_of_the_folder_may(server: tuple[Seaweed, Path]) -> None:
    """With the certificate the filer answers: the refusals above are for the lack of it."""
    running, folder = server
    context = ssl.create_default_context(cafile=str(folder / "security" / "ca.crt"))
    context.load_cert_chain(folder / "security" / "own.crt", folder / "security" / "own.key")
    answer = httpx.get(f"https://127.0.0.1:{running.ports['filer']}/buckets/", verify=context, trust_env=False)
    assert answer.is_success


def test_the_certificates_are_their_owners_alone(server: tuple[Seaweed, Path]) -> None:
    """Key and configuration are not readable by others."""
    _, folder = server
    for name in ("own.key", "security.toml"):
        assert (folder / "security" / name).stat().st_mode & 0o077 == 0


def test_after_the_end_nothing_is_left_in_the_shared_folder(tmp_path: Path) -> None:
    """No socket of a server that was stopped."""
    running = Seaweed(tmp_path / "s3")
    own = sockets(running.ports, running.grpc)
    running.start()
    during = [path for path in own if path.exists()]
    running.stop()
    assert len(during) >= len(PARTS)
    assert [path for path in own if path.exists()] == []
