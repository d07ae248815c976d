"""`python -m headrace.provision COMMAND`: what must be there before services start.

secrets:            make every secret that is missing, and hand each part its own. Needs no network.
parts:              databases, buckets, users and streams; safe to run again at any time.
streams:            streams alone, where others make databases and buckets.
attach:             print, as JSON, what a person needs to talk to the installation.
kubernetes:         make every secret that is missing, and print all of them as Secrets for `kubectl apply -f -`.
key NAME ROLE...:   make an API key, and print it, this once.
revoke ID:          take an API key away; its id is the part between its first two underscores.
outsiders:          list the programs outside that have a name of their own at the broker.
outsiders add NAME [WHAT...]: add one, who may ask for that alone (training, truth, ...), and print its seed.
outsiders remove NAME: take one away. The broker learns of both when it is told to reload, twice (SIGHUP).
orphans DAYS:       print, as JSON, the objects of more than so many days that no event speaks of.
orphans DAYS delete: remove them, and print what was removed.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from inspect import signature

from headrace.bus import BusSettings, connect, provision_patiently
from headrace.contracts.topology import load_topology
from headrace.objects.orphans import TooYoung
from headrace.provision import kubernetes
from headrace.provision.api_keys import Unknown, make_key, revoke_key
from headrace.provision.buckets import ObjectServer, make_buckets, make_users
from headrace.provision.databases import make_databases
from headrace.provision.orphans import Incomplete, NoAge, age_of, sweep
from headrace.provision.outsiders import NoOutsider
from headrace.provision.settings import ProvisionSettings
from headrace.provision.vault import PEOPLE, Vault


class Misunderstood(Exception):
    """A word of the command that says nothing here; the message says what does."""


def make_secrets(settings: ProvisionSettings) -> None:
    """Secrets, made where they are missing and handed out."""
    Vault(settings).hand_out()


def make_parts(settings: ProvisionSettings) -> None:
    """Everything that services find and do not make."""
    vault = Vault(settings)
    admin = vault.database_url("postgres", vault.database_root())
    asyncio.run(make_databases(admin, vault.database_passwords()))
    make_streams(settings)
    server = _object_server(settings)
    make_buckets(server, versioned=settings.s3_versioned, lock_days=settings.s3_lock_days, wait=60)
    if settings.own_keys and settings.s3_users == "minio":
        make_users(server, Vault(settings).s3_keys())


def attach(settings: ProvisionSettings) -> None:
    """Print the administrator's key, the nkey seeds and passwords of people, the log's key, and published ports."""
    vault = Vault(settings)
    seeds = {name: vault.seed(name).read_text().strip() for name in PEOPLE}
    passwords = {"grafana": vault.grafana()}
    told = {"key": vault.api_key(), "seeds": seeds, "passwords": passwords, "log_key": vault.log_key()}
    print(json.dumps({**told, "ports": settings.published}))


def make_streams(settings: ProvisionSettings) -> None:
    """Streams and durables, as the topology has them."""
    asyncio.run(_streams(settings))


def print_secrets(settings: ProvisionSettings) -> None:
    """Print the Secrets of a namespace, as JSON."""
    print(json.dumps(kubernetes.secrets(settings), indent=1))


def change_outsiders(settings: ProvisionSettings, do: str = "list", name: str = "", *may: str) -> None:
    """List, add or remove programs outside; where parts are handed their files, the broker gets its changed one."""
    vault = Vault(settings)
    known = vault.outsiders()
    match do:
        case "list":
            print(json.dumps({each: outsider.may for each, outsider in known.all().items()}, indent=1))
            return
        case "add":
            known.add(name, may)
            print(known.seed(name).read_text())
        case "remove":
            known.remove(name)
        case _:
            raise Misunderstood(f"{do!r} is not understood; say add NAME, remove NAME, or nothing")
    if settings.handed.is_dir():  # on Kubernetes nothing is: the Secrets are applied anew
        vault.hand_out()


def print_orphans(settings: ProvisionSettings, days: str, delete: str = "") -> None:
    """Print, or remove, the objects that no event speaks of."""
    if delete not in {"", "delete"}:
        raise Misunderstood(f"{delete!r} is not understood; say `delete`, or nothing")
    age = age_of(days)
    found = sweep(_bus(settings), _object_server(settings).settings, age, delete=bool(delete))
    print(json.dumps(found.as_document(), indent=1))


async def _streams(settings: ProvisionSettings) -> None:
    connection = await connect(_bus(settings), name="provisioner")
    for line in await provision_patiently(connection, load_topology(), replicas=settings.nats_replicas):
        print(line)
    await connection.close()


def _bus(settings: ProvisionSettings) -> BusSettings:
    tls = (settings.nats_tls_ca, settings.nats_tls_cert, settings.nats_tls_key)
    return BusSettings(settings.nats_url, "provisioner", Vault(settings).seed("provisioner"), *tls)


def _object_server(settings: ProvisionSettings) -> ObjectServer:
    root = Vault(settings).s3_keys()["root"]
    return ObjectServer(settings.s3_endpoint, root, settings.s3_region, settings.s3_bucket_prefix, settings.s3_tls_ca)


COMMANDS: Mapping[str, Callable[..., None]] = {
    "secrets": make_secrets,
    "parts": make_parts,
    "streams": make_streams,
    "attach": attach,
    "kubernetes": print_secrets,
    "key": make_key,
    "revoke": revoke_key,
    "outsiders": change_outsiders,
    "orphans": print_orphans,
}


def main(arguments: list[str]) -> int:
    """Run the command that the arguments name."""
    name, *rest = arguments or [""]
    try:
        command = COMMANDS[name]
        signature(command).bind(None, *rest)
    except (KeyError, TypeError):  # no such command; too much or too little said
        print(__doc__, file=sys.stderr)
        return 2
    try:
        command(ProvisionSettings(), *rest)
    except (Unknown, NoOutsider, Misunderstood, Incomplete, NoAge, TooYoung) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
