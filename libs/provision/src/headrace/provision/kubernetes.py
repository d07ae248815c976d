"""The Secrets of an installation on Kubernetes, for `kubectl apply -f -`: what the pods of infra/k8s refer to."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headrace.contracts.services import ACCESS, EVERY, SERVICES
from headrace.provision.settings import ProvisionSettings
from headrace.provision.vault import Vault

NODES = ("nats-0.nats", "nats-1.nats", "nats-2.nats")  # the brokers' names within the namespace
CLUSTER_PORT = 6222
BROKER_TLS = Path("/run/nats-tls")  # where a broker finds its certificate
BROKER_TLS_FILES = {"cert": "tls.crt", "key": "tls.key", "ca": "ca.crt"}


def secrets(settings: ProvisionSettings) -> dict[str, Any]:
    """Every Secret; what the vault does not know yet is made, and what it knows stays."""
    items = [_secret(name, settings.namespace, data) for name, data in _contents(settings)]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _secret(name: str, namespace: str, data: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "headrace"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": dict(data)}


def _contents(settings: ProvisionSettings) -> Iterator[tuple[str, dict[str, str]]]:
    vault = Vault(settings)
    broker = _broker(vault, settings)  # makes the seeds of all identities
    yield "nats", {"nats.conf": broker}
    for name in EVERY:
        yield f"headrace-{name}", _own(vault, name)
    yield "headrace-api-keys", {"keys.json": vault.keys_file()}
    yield "headrace-ray", {"token": vault.ray_token()}
    yield "headrace-provision", _provisioner(vault, settings)
    if settings.inside:
        root = vault.s3_keys()["root"]
        yield "postgres", {"password": vault.database_root()}
        yield "minio", {"root-user": root.access, "root-password": root.secret}


def _own(vault: Vault, name: str) -> dict[str, str]:
    """What one part alone may know."""
    found = {"nats.nk": vault.seed(name).read_text()}
    if name in SERVICES:
        found["database-url"] = vault.database_url(name, vault.database_passwords()[name], "postgresql+asyncpg")
    if name in ACCESS:
        key = vault.s3_keys()[name]
        found |= {"s3-access-key": key.access, "s3-secret-key": key.secret}
    return found | ({"audit.key": vault.audit_key()} if name == "audit" else {})


def _provisioner(vault: Vault, settings: ProvisionSettings) -> dict[str, str]:
    """Streams need the provisioner's seed; databases, roles, buckets and users everybody's passwords."""
    found = {"nats.nk": vault.seed("provisioner").read_text()}
    if not settings.inside:
        return found
    passwords = {f"database-{name}": password for name, password in vault.database_passwords().items()}
    vault.s3_keys()
    return {**found, **passwords, "database-root": vault.database_root(), "s3.json": vault.s3_file().read_text()}


def _broker(vault: Vault, settings: ProvisionSettings) -> str:
    """One configuration for all nodes: each finds its name in its own environment."""
    tls = {f"tls_{part}": BROKER_TLS / file for part, file in BROKER_TLS_FILES.items()}
    return vault.broker(
        server_name="$POD_NAME",
        cluster_name="headrace",
        cluster_port=CLUSTER_PORT,
        cluster_password=vault.cluster_password(),
        routes=tuple(f"{node}:{CLUSTER_PORT}" for node in NODES),
        **(tls if settings.nats_tls_ca else {}),
    )
