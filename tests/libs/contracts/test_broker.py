"""The broker's configuration is rendered from the topology, and nats-server takes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.contracts.broker import BrokerConfig, render_broker
from headrace.contracts.topology import load_topology

TOPOLOGY = load_topology()
KEYS = {identity: f"U{number:055d}" for number, identity in enumerate(TOPOLOGY.identities)}


def verdict(config: BrokerConfig, folder: Path, keys: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What nats-server says of a configuration, without running."""
    file = folder / "nats.conf"
    file.write_text(render_broker(config, TOPOLOGY, keys or {}))
    server = Path(sys.executable).parent / "nats-server"
    return subprocess.run([server, "-t", "-c", file], capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"sync_always": False, "http_port": 8222},
        {"cluster_name": "c", "cluster_port": 6222, "routes": ("nats://one:6222", "nats://two:6222")},
        {"cluster_name": "c", "cluster_port": 6222, "routes": ("one:6222",), "cluster_password": "p"},
        {"server_name": "$HOME", "cluster_name": "c", "cluster_port": 6222, "cluster_advertise": "one.nats:6222"},
    ],
)
def test_nats_server_takes_the_configuration(parts: dict[str, object], tmp_path: Path) -> None:
    """Alone, with monitoring, and as one of a cluster."""
    said = verdict(BrokerConfig(store=tmp_path, **parts), tmp_path)  # type: ignore[arg-type]

    assert said.returncode == 0, said.stderr


def test_every_identity_is_a_user_with_its_own_rights() -> None:
    """And there is no user beside them, so that nobody comes in without a key."""
    text = render_broker(BrokerConfig(store=Path("/data")), TOPOLOGY, KEYS)

    assert text.count("nkey:") == len(KEYS)
    for identity, key in KEYS.items():
        line = next(line for line in text.splitlines() if key in line and "nkey" in line)
        assert all(f'"{subject}"' in line for subject in TOPOLOGY.permissions(identity).publish)


def test_what_is_acknowledged_is_on_the_disk() -> None:
    """Durable by default; only tests and throw-away brokers sync later."""
    assert "sync_interval: always" in render_broker(BrokerConfig(store=Path("/data")), TOPOLOGY, KEYS)


def test_tls_asks_clients_for_their_certificate_where_an_authority_is_named() -> None:
    """Without certificate there is no TLS block at all."""
    files = {"tls_cert": Path("/tls/cert.pem"), "tls_key": Path("/tls/key.pem")}
    plain = render_broker(BrokerConfig(store=Path("/data")), TOPOLOGY, KEYS)
    one_way = render_broker(BrokerConfig(store=Path("/data"), **files), TOPOLOGY, KEYS)
    both = render_broker(BrokerConfig(store=Path("/data"), tls_ca=Path("/tls/ca.pem"), **files), TOPOLOGY, KEYS)

    assert "tls {" not in plain
    assert 'cert_file: "/tls/cert.pem"' in one_way
    assert "verify" not in one_way
    assert 'ca_file: "/tls/ca.pem", verify: true' in both


def test_only_who_knows_the_password_joins_a_cluster() -> None:
    """It stands in every route, and in what the node asks of others."""
    parts = {"cluster_name": "c", "cluster_port": 6222, "routes": ("one:6222", "two:6222"), "cluster_password": "p"}
    text = render_broker(BrokerConfig(store=Path("/data"), **parts), TOPOLOGY, KEYS)  # type: ignore[arg-type]

    assert text.count("nats-route://route:p@") == 2
    assert 'authorization { user: route, password: "p"' in text
