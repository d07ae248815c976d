"""Where an embedded stack keeps its things: no two parts share a port, and no two stacks a folder."""

import os
from pathlib import Path

import pytest

from headrace.contracts.services import PORTS
from headrace.local.layout import HIGHEST, LOWEST, OFFSETS, PORT_BASE, SPAN, Layout

BASES = [LOWEST, PORT_BASE, HIGHEST]


@pytest.mark.parametrize("base", BASES)
def test_no_two_parts_share_a_port(base: int) -> None:
    """Services, broker, object store, Ray and its workers: each has its own, within the span of the stack."""
    layout = Layout(Path("/x"), base)
    ports = [*(layout.port(name) for name in OFFSETS), *layout.ray_workers]

    assert len(set(ports)) == len(ports)
    assert base <= min(ports)
    assert max(ports) < base + SPAN <= 65_536
    assert base >= 1024


def test_services_have_their_usual_ports_at_the_usual_base() -> None:
    """What a person types without a stack.json."""
    layout = Layout(Path("/x"))

    assert {name: layout.port(name) for name in PORTS} == dict(PORTS)
    assert layout.url("registry") == f"http://127.0.0.1:{PORTS['registry']}"
    assert layout.nats_url == "nats://127.0.0.1:8140"


@pytest.mark.parametrize("base", BASES)
def test_every_port_moves_with_the_base(base: int) -> None:
    """Two stacks whose bases are a span apart do not meet."""
    layout, usual = Layout(Path("/x"), base), Layout(Path("/x"))

    assert {layout.port(name) - usual.port(name) for name in OFFSETS} == {base - PORT_BASE}
    assert layout.ray_workers.start - usual.ray_workers.start == base - PORT_BASE
    assert len(layout.ray_workers) == 100


def test_each_part_of_the_object_store_has_two_ports() -> None:
    """One for HTTP, one for gRPC."""
    layout = Layout(Path("/x"))

    assert list(layout.seaweed_ports) == list(layout.seaweed_grpc) == ["master", "volume", "filer", "s3"]
    assert layout.seaweed_ports == {"master": 8151, "volume": 8152, "filer": 8153, "s3": 8150}
    assert layout.seaweed_grpc == {"master": 8154, "volume": 8155, "filer": 8156, "s3": 8157}


def test_files_lie_in_the_folder_of_the_stack() -> None:
    """Each at its place; what is secret lies in folders that only their owner enters."""
    layout = Layout(Path("/x"))
    places = {
        layout.state_file: "supervisor.json",
        layout.stack_file: "stack.json",
        layout.log("audit"): "logs/audit.log",
        layout.data("audit"): "data/audit",
        layout.seed("operator"): "nats/operator.nk",
        layout.secret("s3.json"): "secrets/s3.json",
        layout.admin_key: "keys/admin.key",
    }

    assert {str(path.relative_to("/x")) for path in places} == set(places.values())
    for path in (layout.log("a"), layout.data("a"), layout.seed("a"), layout.secret("a"), layout.admin_key):
        assert path.parent in layout.private
    assert len(layout.private) == 5


def test_two_stacks_have_two_places_for_what_is_running(tmp_path: Path) -> None:
    """One folder has one, however it is written."""
    one, other = Layout(tmp_path / "one"), Layout(tmp_path / "other")

    assert one.runtime != other.runtime
    assert Layout(tmp_path / "other" / ".." / "one").runtime == one.runtime
    assert one.ray_temp == one.runtime / "ray"
    assert one.temp == one.runtime / "tmp"


@pytest.mark.parametrize("length", range(5, 60, 3))
def test_a_temporary_folder_is_taken_where_rays_sockets_fit(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """A socket's path has at most 107 characters; where Ray's would be longer, /tmp is taken."""
    base = "/" + "t" * (length - 1)
    monkeypatch.setattr("tempfile.tempdir", base)
    layout = Layout(Path("/x"))
    name = f"headrace-{os.getuid()}-" + "0" * 8
    socket = "session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store"

    assert len(str(layout.ray_temp / socket)) <= 107
    assert len(layout.runtime.name) == len(name)
    fits = len(f"{base}/{name}/ray/{socket}") <= 107
    assert layout.runtime.parent == Path(base if fits else "/tmp")
