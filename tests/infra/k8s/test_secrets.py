"""The secrets that pods refer to are made by one command, and the brokers' configuration is the one of every broker."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.provision.kubernetes import secrets
from headrace.provision.settings import ProvisionSettings

from .conftest import Rendering, rendered
from .test_settings import references

TLS = {"headrace-tls", "nats-tls"}  # certificates are made by whoever signs them


def made(vault: Path, **told: Any) -> dict[str, dict[str, str]]:
    """Every Secret by name, with what it holds."""
    items = secrets(ProvisionSettings(vault=vault, **told))["items"]
    return {it["metadata"]["name"]: it["stringData"] for it in items}


def referred(rendering: Rendering) -> set[tuple[str, str]]:
    """Names and keys that some pod refers to."""
    return {ref for pod in rendering.pods for ref in references(pod)}


def keys(made: dict[str, dict[str, str]]) -> set[tuple[str, str]]:
    """Names and keys that were made."""
    return {(name, key) for name, data in made.items() for key in data}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The secrets of dev."""
    return made(tmp_path_factory.mktemp("vault"), inside=True)


def test_dev_is_given_what_it_refers_to_and_no_more(inside: dict[str, dict[str, str]]) -> None:
    """A secret that nobody reads is one more to lose."""
    assert keys(inside) == referred(rendered("dev"))


@pytest.mark.parametrize("overlay", ["prod", "gpu"])
def test_prod_is_given_all_but_certificates(overlay: str, tmp_path: Path) -> None:
    """And nothing of the databases' and the store's administrators."""
    wanted = {ref for ref in referred(rendered(overlay)) if ref[0] not in TLS}

    assert keys(made(tmp_path)) == wanted


def test_making_them_again_changes_nothing(tmp_path: Path) -> None:
    """Whoever applies them twice cuts nobody off."""
    assert made(tmp_path, inside=True) == made(tmp_path, inside=True)


def test_no_two_services_share_a_secret(inside: dict[str, dict[str, str]]) -> None:
    """What one of them lets out is its own."""
    apart = ("headrace-provision", "postgres", "minio")  # whoever makes databases and users must know their passwords
    values = [value for name, data in inside.items() if name not in apart for value in data.values()]

    assert len(values) == len(set(values))


def test_the_nodes_name_each_other_as_kubernetes_does(inside: dict[str, dict[str, str]]) -> None:
    """By StatefulSet, number and Service; on ports that are open; in a folder that is a volume."""
    nats = rendered("dev").named("StatefulSet", "nats")
    [container] = nats["spec"]["template"]["spec"]["containers"]
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    mounts = [it["mountPath"] for it in container["volumeMounts"] if it["name"] == "data"]
    config = inside["nats"]["nats.conf"]

    for number in range(nats["spec"]["replicas"]):
        assert f"@nats-{number}.{nats['spec']['serviceName']}:{ports['cluster']}" in config
    assert f"\nport: {ports['client']}\n" in config
    assert f"\nhttp: 0.0.0.0:{ports['monitor']}\n" in config
    assert any(f'store_dir: "{mount}' in config for mount in mounts)
    assert "server_name: $POD_NAME" in config
    assert "POD_NAME" in {it["name"] for it in container["env"]}


def test_nats_server_takes_the_configuration(inside: dict[str, dict[str, str]], tmp_path: Path) -> None:
    """The very file that a pod mounts."""
    file = tmp_path / "nats.conf"
    file.write_text(inside["nats"]["nats.conf"])
    server = Path(sys.executable).parent / "nats-server"

    said = subprocess.run(
        [server, "-t", "-c", file],
        env={**os.environ, "POD_NAME": "nats-1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert said.returncode == 0, said.stderr


def test_with_certificates_the_brokers_ask_for_some(tmp_path: Path) -> None:
    """Of clients and of each other, from where prod mounts them."""
    config = made(tmp_path, nats_tls_ca=Path("/run/headrace/tls/ca.crt"))["nats"]["nats.conf"]
    [container] = rendered("prod").pod("StatefulSet/nats").containers
    [mount] = [it["mountPath"] for it in container["volumeMounts"] if it["name"] == "tls"]

    assert config.count(f'cert_file: "{mount}/tls.crt"') == 2
    assert config.count("verify: true") == 2


def test_a_database_url_says_where_and_how(tmp_path: Path) -> None:
    """A server of others, with certificates that are checked."""
    options = "sslmode=verify-full&sslrootcert=/run/headrace/tls/ca.crt"
    url = made(tmp_path, database_host="db.example.org:5432", database_options=options)["headrace-audit"][
        "database-url"
    ]

    assert url.startswith("postgresql+asyncpg://audit:")
    assert url.endswith(f"@db.example.org:5432/audit?{options}")
