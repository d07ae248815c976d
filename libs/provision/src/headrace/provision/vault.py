"""All secrets of an installation, and what of them is handed to each part: its own, and nothing else."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from headrace.chassis.auth import ROLES, new_key, new_keys, write_keys
from headrace.contracts.broker import BrokerConfig, render_broker
from headrace.contracts.services import EVERY, SERVICES
from headrace.contracts.topology import load_topology
from headrace.provision.access import ACCESS
from headrace.provision.outsiders import Outsiders
from headrace.provision.secrets import S3Key, nats_keys, s3_keys, secret, write_private
from headrace.provision.settings import ProvisionSettings
from headrace.tlog import SigningKey

PEOPLE = ("operator", "outsider")
BROKER_PORT, BROKER_HTTP_PORT = 4222, 8222


class Vault:
    """The secrets, made where they are missing; what is there is never changed."""

    def __init__(self, settings: ProvisionSettings) -> None:
        self._settings = settings
        self._folder = settings.vault

    def seed(self, identity: str) -> Path:
        """The file with an identity's nkey seed."""
        return self._folder / "nats" / f"{identity}.nk"

    def outsiders(self) -> Outsiders:
        """Programs outside that have a name of their own at the broker."""
        return Outsiders(self._folder / "nats")

    def s3_keys(self) -> Mapping[str, S3Key]:
        """Each identity's key to the object store: its own, or the one that was given for all."""
        told = self._settings
        if not told.own_keys:
            return dict.fromkeys(("root", *ACCESS), S3Key(told.s3_access_key, told.s3_secret_key))
        return s3_keys(self.s3_file(), ACCESS)

    def s3_file(self) -> Path:
        """The file with all keys of the object store."""
        return self._folder / "s3.json"

    def database_passwords(self) -> dict[str, str]:
        """Each service's password."""
        return {name: secret(self._folder / "databases" / name) for name in SERVICES}

    def database_root(self) -> str:
        """The password of who may make databases."""
        return secret(self._folder / "databases" / "root")

    def grafana(self) -> str:
        """The password of Grafana's administrator."""
        return secret(self._folder / "grafana")

    def ray_token(self) -> str:
        """The token that Ray asks of whoever connects."""
        return secret(self._folder / "ray.token")

    def audit_key(self) -> str:
        """The seed of the audit log's signing key."""
        return secret(self._folder / "audit.key")

    def log_key(self) -> str:
        """The verifying half of the same, in the one line that clients of the log are given."""
        return str(SigningKey(self._settings.audit_origin, bytes.fromhex(self.audit_key())).verifying_key)

    def cluster_password(self) -> str:
        """What brokers of one cluster know each other by."""
        return secret(self._folder / "nats" / "cluster.password")

    def keys_file(self) -> str:
        """The file of API keys, as the first administrator's key made it, or as it was changed since."""
        self.api_key()
        return (self._folder / "keys.json").read_text()

    def broker(self, **more: Any) -> str:
        """The broker's configuration; `more` is what differs from one broker alone."""
        told = self._settings
        config = BrokerConfig(
            store=told.nats_store,
            host="0.0.0.0",
            port=BROKER_PORT,
            http_port=BROKER_HTTP_PORT,
            max_file_store=told.nats_max_file_store,
            **more,
        )
        return render_broker(config, load_topology(), nats_keys(self._folder / "nats"), self.outsiders().all())

    def api_key(self) -> str:
        """The administrator's API key; it is made together with the file of all keys, at the first call."""
        file = self._folder / "admin.key"
        if not file.is_file():
            key, keys = new_key(new_keys(), "admin", ROLES["admin"])
            write_keys(self._folder / "keys.json", keys)
            write_private(file, key)
        return file.read_text().strip()

    def hand_out(self) -> None:
        """Write into each part's folder what is its own, for its user alone to read."""
        for name, text in self._handed():
            write_private(self._settings.handed / name, text)
        self._hand_out_keys()
        for folder in (self._folder, *self._settings.handed.iterdir()):
            give(folder, self._settings.owner)

    def _handed(self) -> Iterator[tuple[str, str]]:
        """Files by part and name, with what they hold."""
        root = self.s3_keys()["root"]
        yield "nats/nats.conf", self.broker()
        yield "postgres/password", self.database_root()
        yield "minio/env", _lines({"MINIO_ROOT_USER": root.access, "MINIO_ROOT_PASSWORD": root.secret})
        yield "grafana/password", self.grafana()
        yield "ray/ray.token", self.ray_token()
        yield "trainer/ray.token", self.ray_token()
        yield "audit/audit.key", self.audit_key()
        for name in EVERY:
            yield f"{name}/nats.nk", self.seed(name).read_text()
            yield f"{name}/env", _lines(self._environment(name))

    def _environment(self, name: str) -> dict[str, str]:
        """The settings of a service that are secret."""
        found: dict[str, str] = {}
        if name in SERVICES:
            password = self.database_passwords()[name]
            found["HEADRACE_DATABASE_URL"] = self.database_url(name, password, "postgresql+asyncpg")
        if key := self.s3_keys().get(name):
            found |= {"HEADRACE_S3_ACCESS_KEY": key.access, "HEADRACE_S3_SECRET_KEY": key.secret}
        return found

    def database_url(self, name: str, password: str, scheme: str = "postgresql") -> str:
        """The URL of a database whose role has its name."""
        told = self._settings
        query = f"?{told.database_options}" if told.database_options else ""
        return f"{scheme}://{name}:{password}@{told.database_host}/{name}{query}"

    def _hand_out_keys(self) -> None:
        """The API keys are handed out once: who makes or revokes keys later does so in the file that services read."""
        file = self._settings.keys_file
        first = self.keys_file()
        if not file.is_file():
            write_private(file, first)


def _lines(variables: Mapping[str, str]) -> str:
    """A file that a shell reads; none of the values holds a quote."""
    return "".join(f"{name}='{value}'\n" for name, value in variables.items())


def give(folder: Path, owner: int) -> None:
    """Make a user the owner of a folder and all that is in it, where this process may."""
    for path in (folder, *folder.rglob("*")):
        if path.stat().st_uid != owner:
            os.chown(path, owner, owner)
        if path.is_dir():
            path.chmod(0o700)
