"""The processes of a stack: what to run, with which environment, and how to know that it is ready."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headrace.contracts.broker import BrokerConfig, render_broker
from headrace.contracts.services import EVERY, REPLICAS
from headrace.contracts.topology import load_topology
from headrace.local.identities import nats_keys, ray_token
from headrace.local.layout import Layout
from headrace.local.minio import find_minio
from headrace.local.seaweed import security, weed
from headrace.provision import S3Key, write_private
from headrace.provision.access import ACCESS, actions
from headrace.provision.outsiders import Outsiders

PREFIX = "headrace-"
REGION = "us-east-1"
MARK = "HEADRACE_STACK"  # every process of a stack carries its folder, so that none is ever left behind
OBJECT_STORE_BYTES = 128 * 2**20  # Ray's shared memory; runs read their data from S3 themselves
# no autoscaler, for one node; no log monitor, since no driver asks for a worker's output
RAY_ALONE = ("--disable-usage-stats", "--include-dashboard=false", "--no-monitor", "--include-log-monitor=false")
RAY_STOP_S = 2.0  # it would drain idle workers for 30; runs that are cut off are done again from what trainer knows
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Program:
    """One process. `ready` is a URL that must answer 2xx, or a port that must accept; `essential` parts go first."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None
    ready_port: int | None = None
    any_answer: bool = False  # any HTTP answer means ready
    stop_s: float = 8.0


def nats(layout: Layout) -> Program:
    """The broker, with the permissions of the topology."""
    write_broker(layout)
    command = [str(BIN / "nats-server"), "-c", str(layout.secret("nats.conf"))]
    # its pages about clients and streams ask for no key, so they are not served; provisioning waits for JetStream
    return Program("nats", command, ready_port=layout.port("nats"))


def write_broker(layout: Layout) -> None:
    """The broker's configuration, with the outsiders that there are now."""
    config = BrokerConfig(store=layout.data("nats"), port=layout.port("nats"), server_name="headrace")
    outsiders = Outsiders(layout.seed("any").parent).all()
    write_private(layout.secret("nats.conf"), render_broker(config, load_topology(), nats_keys(layout), outsiders))


def object_server(layout: Layout, keys: Mapping[str, S3Key]) -> Program:
    """MinIO where it was built or is on PATH, else SeaweedFS from its wheel. Data of one stay with that one."""
    minio = find_minio()
    if minio is None or uses_seaweed(layout):
        return _seaweedfs(layout, keys)
    return _minio(layout, minio, keys["root"])


def uses_seaweed(layout: Layout) -> bool:
    """Whether the stack's objects lie in SeaweedFS, or would."""
    return find_minio() is None or layout.data("seaweedfs").exists()


def _minio(layout: Layout, binary: Path, root: S3Key) -> Program:
    address = f"127.0.0.1:{layout.port('s3')}"
    environment = {"MINIO_ROOT_USER": root.access, "MINIO_ROOT_PASSWORD": root.secret, "MINIO_BROWSER": "off"}
    environment |= {"MINIO_UPDATE": "off", "MINIO_REGION": REGION, "GOMEMLIMIT": "300MiB"}
    layout.data("minio").mkdir(parents=True, exist_ok=True)
    command = [str(binary), "server", str(layout.data("minio")), "--address", address, "--quiet"]
    return Program("s3", command, environment, ready_url=f"{layout.url('s3')}/minio/health/live")


def _seaweedfs(layout: Layout, keys: Mapping[str, S3Key]) -> Program:
    identities = [_identity(name, key) for name, key in keys.items()]
    write_private(layout.secret("seaweedfs.json"), json.dumps({"identities": identities}))
    for folder in (layout.data("seaweedfs"), layout.runtime):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        *weed(security(layout.secret("seaweedfs")), layout.seaweed_ports, layout.seaweed_grpc, layout.runtime),
        *(f"-dir={layout.data('seaweedfs')}", f"-s3.config={layout.secret('seaweedfs.json')}"),
        *("-master.volumeSizeLimitMB=256", "-volume.max=0"),
    ]
    return Program("s3", command, {"GOMEMLIMIT": "300MiB"}, ready_url=layout.url("s3"), any_answer=True)


def _identity(name: str, key: S3Key) -> dict[str, object]:
    allowed = ["Admin", "Read", "Write", "List", "Tagging"] if name == "root" else actions(ACCESS[name], PREFIX)
    return {"name": name, "credentials": [{"accessKey": key.access, "secretKey": key.secret}], "actions": allowed}


def ray_head(layout: Layout) -> Program:
    """Ray's head, a child of the supervisor: runs outlive the trainer."""
    workers = layout.ray_workers
    names = {"node-manager-port": "node", "object-manager-port": "objects", "runtime-env-agent-port": "env"}
    names |= {"metrics-export-port": "metrics", "dashboard-agent-listen-port": "agent"}
    names |= {"dashboard-agent-grpc-port": "agent-grpc", "dashboard-port": "dashboard"}
    command = [
        *("nice", "-n", "5"),  # training yields to answering, also on a laptop
        *(str(BIN / "ray"), "start", "--head", "--block", *RAY_ALONE),
        *("--node-ip-address=127.0.0.1", f"--port={layout.port('ray')}", f"--num-cpus={os.cpu_count() or 2}"),
        *(f"--object-store-memory={OBJECT_STORE_BYTES}", f"--temp-dir={layout.ray_temp}"),
        *(f"--{name}={layout.port(f'ray-{part}')}" for name, part in names.items()),
        *(f"--min-worker-port={workers.start}", f"--max-worker-port={workers.stop - 1}"),
    ]
    return Program("ray", command, ray_environment(layout), ready_port=layout.port("ray"), stop_s=RAY_STOP_S)


def ray_environment(layout: Layout) -> dict[str, str]:
    """What Ray's own processes are told: the token that they ask for, and to stay small and quiet."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(ray_token(layout).absolute()),
        "RAY_DISABLE_IMPORT_WARNING": "1",
        # Ray takes 127.0.0.1 for the machine's outward address and then listens on every one; where it is told that
        # there is no cluster of several machines, it stays on loopback
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_enable_metrics_collection": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_prestart_worker_first_driver": "0",  # else an idle Python of 80 MB for each core, while Ray lives
        # Ray's own 30 are too few where everything starts at once; a node that died while it started is waited for, too
        "RAY_raylet_start_wait_time_s": "60",
    }


def services(layout: Layout, keys: Mapping[str, S3Key]) -> list[Program]:
    """Every service and one replica, each with its own identity, database, port and key."""
    return [_service(layout, name, f"headrace.{name}", keys) for name in EVERY]


def _service(layout: Layout, name: str, module: str, keys: Mapping[str, S3Key]) -> Program:
    objects = s3_environment(layout, keys[name]) if name in keys else {}
    environment = common_environment(layout, name) | objects | _own(layout, name)
    ready = f"{layout.url(name)}/v2/health/live" if name in REPLICAS else f"{layout.url(name)}/ready"
    return Program(name, [sys.executable, "-m", module], environment, ready_url=ready)


def common_environment(layout: Layout, name: str) -> dict[str, str]:
    """Broker, database, port and keys of a service."""
    database = (layout.data(name) / f"{name}.db").absolute()
    return {
        "HEADRACE_NATS_URL": layout.nats_url,
        "HEADRACE_NATS_NKEY_SEED_FILE": str(layout.seed(name).absolute()),
        "HEADRACE_DATABASE_URL": f"sqlite+aiosqlite:///{database}",
        "HEADRACE_HTTP_HOST": "127.0.0.1",
        "HEADRACE_HTTP_PORT": str(layout.port(name)),
        "HEADRACE_LOG_FORMAT": "json",
        "HEADRACE_API_KEYS_FILE": str((layout.folder / "keys" / "keys.json").absolute()),
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "2",
        "PYTHONUNBUFFERED": "1",
    }


def s3_environment(layout: Layout, key: S3Key) -> dict[str, str]:
    """An identity's way to the object store."""
    return {
        "HEADRACE_S3_ENDPOINT": layout.url("s3"),
        "HEADRACE_S3_ACCESS_KEY": key.access,
        "HEADRACE_S3_SECRET_KEY": key.secret,
        "HEADRACE_S3_REGION": REGION,
        "HEADRACE_S3_BUCKET_PREFIX": PREFIX,
    }


def _own(layout: Layout, name: str) -> dict[str, str]:
    """What only one service is told."""
    own: dict[str, dict[str, str]] = {
        "ingest": {"HEADRACE_INGEST_SPOOL": str(layout.data("ingest") / "spool")},
        "trainer": {
            "HEADRACE_RAY_ADDRESS": f"127.0.0.1:{layout.port('ray')}",
            "HEADRACE_RAY_TOKEN_FILE": str(ray_token(layout).absolute()),
            **ray_environment(layout),
        },
        "audit": {"HEADRACE_AUDIT_KEY_FILE": str(layout.secret("audit.key").absolute())},
        "inference": {
            "HEADRACE_CACHE_DIR": str(layout.data("inference") / "cache"),
            "HEADRACE_REPLICA": "inference-1",
        },
    }
    return own.get(name, {})
