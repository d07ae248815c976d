"""The broker's configuration, rendered from the topology: users, what each may do, limits and durability."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.contracts.subjects import ANONYMOUS, ANSWERS, HEARD, LAST, TO, local, pattern
from headrace.contracts.topology import Permissions, Topology

ACCOUNT = "HEADRACE"
ROUTE_USER = "route"
MAX_PAYLOAD = 8 * 2**20  # a prediction batch or 10,000 labels fit; bigger things lie in the object store


@dataclass(frozen=True)
class BrokerConfig:
    """What differs from broker to broker; sizes in bytes.

    A cluster is the same configuration on each node but for `server_name` (nats-server takes `$POD_NAME` and the like
    from its environment) and `store`: `cluster_name`, `cluster_port`, and `routes`, a `host:port` for each node; a
    node's own address among them does no harm. Streams get their replicas from `provision(..., replicas=3)`.
    """

    store: Path
    port: int = 4222
    host: str = "127.0.0.1"
    http_port: int | None = None
    server_name: str = "headrace"
    max_file_store: int = 20 * 2**30
    sync_always: bool = True
    cluster_name: str | None = None
    cluster_port: int | None = None
    routes: tuple[str, ...] = ()
    cluster_advertise: str | None = None  # host:port under which the other nodes reach this one, where it differs
    cluster_password: str | None = None  # who knows it may join; the configuration is then a secret
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None


@dataclass(frozen=True)
class Outsider:
    """A program outside with a name of its own: its public nkey (U...), and which requests it may make."""

    key: str
    may: tuple[str, ...]


def render_broker(
    config: BrokerConfig, topology: Topology, keys: Mapping[str, str], outsiders: Mapping[str, Outsider] | None = None
) -> str:
    """nats-server's configuration; `keys` maps each identity to its public nkey (U...).

    A running broker takes a changed one on SIGHUP; an account that is new there is whole after the second SIGHUP
    (measured with nats-server 2.15.1: its imports find nobody before).
    """
    parts = [
        f"server_name: {config.server_name}",
        f"host: {config.host}",
        f"port: {config.port}",
        f"http: {config.host}:{config.http_port}" if config.http_port else "",
        f"max_payload: {MAX_PAYLOAD}",
        "max_pending: 268435456",
        'ping_interval: "10s"',
        _jetstream(config),
        # ack subjects of the second shape break permissions and ordered consumers
        "feature_flags { js_ack_fc_v2: false }",
        _cluster(config),
        _tls(config),
        _accounts(topology, keys, outsiders or {}),
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _jetstream(config: BrokerConfig) -> str:
    sync = "always" if config.sync_always else '"2m"'
    limits = f"max_file_store: {config.max_file_store}, max_memory_store: 268435456"
    return f'jetstream {{ store_dir: "{config.store}", {limits}, sync_interval: {sync} }}'


def _cluster(config: BrokerConfig) -> str:
    if config.cluster_name is None:
        return ""
    routes = ", ".join(f'"{_route(config, route)}"' for route in config.routes)
    parts = [
        f"name: {config.cluster_name}",
        f"listen: {config.host}:{config.cluster_port}",
        f'advertise: "{config.cluster_advertise}"' if config.cluster_advertise else "",
        "connect_retries: 120",  # others may start long after this one
        f"routes: [{routes}]",
        f'authorization {{ user: {ROUTE_USER}, password: "{config.cluster_password}", timeout: 3 }}'
        if config.cluster_password
        else "",
        _tls(config),
    ]
    # asked to leave (SIGUSR2), a node hands its leaderships over and lets its clients go one by one
    leaving = 'lame_duck_duration: "30s"\nlame_duck_grace_period: "2s"'
    return f"{leaving}\ncluster {{\n  " + "\n  ".join(part for part in parts if part) + "\n}"


def _route(config: BrokerConfig, address: str) -> str:
    """A node's address as a route; the old form, a whole URL, is taken as it is."""
    if "://" in address:
        return address
    who = f"{ROUTE_USER}:{config.cluster_password}@" if config.cluster_password else ""
    return f"nats-route://{who}{address}"


def _tls(config: BrokerConfig) -> str:
    """With a CA, clients show certificates of their own beside their nkeys, and so do the cluster's routes."""
    if config.tls_cert is None:
        return ""
    ca = f', ca_file: "{config.tls_ca}", verify: true' if config.tls_ca else ""
    return f'tls {{ cert_file: "{config.tls_cert}", key_file: "{config.tls_key}"{ca} }}'


def _accounts(topology: Topology, keys: Mapping[str, str], outsiders: Mapping[str, Outsider]) -> str:
    """One account for the installation, and one for each outsider, so that none hears or answers another."""
    inside = {name: key for name, key in keys.items() if not topology.is_outsider(name)}
    users = "\n".join(_user(topology.permissions(identity), key) for identity, key in inside.items())
    anonymous = {name: Outsider(key, topology.outsiders_may()) for name, key in keys.items() if name not in inside}
    outside = [_outside(topology, name, each) for name, each in {**anonymous, **outsiders}.items()]
    main = f"  {ACCOUNT}: {{\n    jetstream: enabled\n    users: [\n{users}\n    ]\n{_exports(topology)}  }}"
    return "accounts {\n" + "\n".join([main, *outside]) + "\n}"


def _exports(topology: Topology) -> str:
    """What outsiders may reach: requests under their names, and their own answers."""
    services = [*(pattern(kind) for kind in topology.outsiders_may()), _last_of("*")]
    lines = [f'{{ service: "{each}" }}' for each in services] + [f'{{ stream: "{TO}*.>" }}']
    return "    exports: [\n" + "".join(f"      {line}\n" for line in lines) + "    ]\n"


def _outside(topology: Topology, name: str, outsider: Outsider) -> str:
    """An outsider's account. What it publishes to headrace.request.> arrives under a subject with its name."""
    if name != ANONYMOUS and (name in topology.identities or not topology.is_outsider(name)):
        raise ValueError(f"{name!r} is no name for an outsider")
    services = [(pattern(kind, name), local(kind)) for kind in outsider.may]
    services.append((_last_of(name), LAST))
    imports = [f'{{ service: {{ account: {ACCOUNT}, subject: "{there}" }}, to: "{here}" }}' for there, here in services]
    imports.append(f'{{ stream: {{ account: {ACCOUNT}, subject: "{TO}{name}.>" }}, to: "{HEARD}" }}')
    user = _user(topology.outsider(name, outsider.may), outsider.key)
    lines = "".join(f"      {line}\n" for line in imports)
    return f'  "OUTSIDE_{name}": {{\n    users: [\n{user}\n    ]\n    imports: [\n{lines}    ]\n  }}'


def _last_of(name: str) -> str:
    return f"$JS.API.DIRECT.GET.{ANSWERS}.{TO}{name}.>"


def _user(permissions: Permissions, key: str) -> str:
    denied = f", deny: {_subjects(permissions.denied)}" if permissions.denied else ""
    publish = f"publish: {{ allow: {_subjects(permissions.publish)}{denied} }}"
    subscribe = f"subscribe: {{ allow: {_subjects(permissions.subscribe)} }}"
    return f"    {{ nkey: {key}, permissions: {{ {publish}, {subscribe} }} }}"


def _subjects(subjects: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in dict.fromkeys(subjects)) + "]"
