"""The broker's configuration, rendered from the topology: users, what each may do, limits and durability."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.contracts.topology import Permissions, Topology

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


def render_broker(config: BrokerConfig, topology: Topology, keys: Mapping[str, str]) -> str:
    """nats-server's configuration; `keys` maps each identity to its public nkey (U...)."""
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
        _users(topology, keys),
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


def _users(topology: Topology, keys: Mapping[str, str]) -> str:
    users = "\n".join(_user(topology.permissions(identity), key) for identity, key in keys.items())
    return f"authorization {{\n  users: [\n{users}\n  ]\n}}"


def _user(permissions: Permissions, key: str) -> str:
    denied = f", deny: {_subjects(permissions.denied)}" if permissions.denied else ""
    publish = f"publish: {{ allow: {_subjects(permissions.publish)}{denied} }}"
    subscribe = f"subscribe: {{ allow: {_subjects(permissions.subscribe)} }}"
    return f"    {{ nkey: {key}, permissions: {{ {publish}, {subscribe} }} }}"


def _subjects(subjects: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in dict.fromkeys(subjects)) + "]"
