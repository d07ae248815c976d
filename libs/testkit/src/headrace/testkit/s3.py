"""A real S3 server for a test session: MinIO where it is built, else SeaweedFS from its wheel."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx

from headrace.contracts.services import BUCKETS
from headrace.local.minio import find_minio
from headrace.local.seaweed import remove_sockets, security, sockets, weed
from headrace.objects import ObjectSettings, ObjectStore, SyncObjectStore, object_store, sync_object_store
from headrace.testkit.ports import free_ports, listens, wait_until
from headrace.testkit.tls import Leaf

ACCESS_KEY, SECRET_KEY = "testkit", "testkit-secret"


@dataclass
class S3:
    """A server's settings, and a store that may do everything."""

    settings: ObjectSettings
    store: ObjectStore = field(init=False)
    sync: SyncObjectStore = field(init=False)

    def __post_init__(self) -> None:
        self.store, self.sync = object_store(self.settings), sync_object_store(self.settings)

    def fresh(self, prefix: str) -> "S3":
        """The same server with buckets of its own, so that tests do not meet."""
        own = S3(self.settings.model_copy(update={"bucket_prefix": prefix}))
        for bucket in BUCKETS:
            own.sync.client.make_bucket(own.sync.bucket(bucket))
        return own


class Seaweed:
    """SeaweedFS: master, volume, filer and S3 in one process."""

    def __init__(self, folder: Path, tls: Leaf | None = None, ca: Path | None = None) -> None:
        """With `tls` it is asked over HTTPS; `ca` is whom its own client believes."""
        self._folder = folder
        self._tls = [f"-s3.cert.file={tls.cert}", f"-s3.key.file={tls.key}"] if tls else []
        self._ca = ca
        names = ("master", "volume", "filer", "s3")
        ports = free_ports(2 * len(names))
        self.ports = dict(zip(names, ports[:4], strict=True))
        self.grpc = dict(zip(names, ports[4:], strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> S3:
        """Start and wait until a bucket can be made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        who = {"name": "testkit", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]}
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [{**who, "actions": ["Admin"]}]}))
        log = self._folder / "weed.log"
        with log.open("wb") as out:
            self._process = subprocess.Popen(self._command(config), stdout=out, stderr=out, cwd=self._folder)
        endpoint = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.ports['s3']}"
        server = S3(ObjectSettings(endpoint=endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY, tls_ca=self._ca))
        wait_until(lambda: listens(self.ports["s3"]) and _makes_buckets(server), self._process, log)
        return server

    def suspend(self) -> None:
        """Stop the process where it stands: connections are taken, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it and delete everything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        remove_sockets(sockets(self.ports, self.grpc))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self, config: Path) -> list[str]:
        own = [f"-dir={self._folder}", f"-s3.config={config}", "-master.volumeSizeLimitMB=64", "-volume.max=20000"]
        return [*weed(security(self._folder / "security"), self.ports, self.grpc, self._folder), *own, *self._tls]


def minio(folder: Path) -> Iterator[S3]:
    """The real server, on a port of its own."""
    port, log = free_ports(1)[0], folder / "minio.log"
    environment = {**os.environ, "MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY}
    command = [str(find_minio()), "server", str(folder / "data"), "--address", f"127.0.0.1:{port}", "--quiet"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    wait_until(lambda: _healthy(port), process, log)
    yield S3(ObjectSettings(endpoint=f"http://127.0.0.1:{port}", access_key=ACCESS_KEY, secret_key=SECRET_KEY))
    process.kill()
    process.wait(10)


def _healthy(port: int) -> bool:
    """The port opens a moment before the server is ready, and it then asks callers to come back in a minute."""
    if not listens(port):
        return False
    try:
        return httpx.get(f"http://127.0.0.1:{port}/minio/health/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False


def given() -> S3 | None:
    """The endpoint that HEADRACE_S3_ENDPOINT names, where one is given."""
    return S3(ObjectSettings()) if os.environ.get("HEADRACE_S3_ENDPOINT") else None


def _makes_buckets(server: S3) -> bool:
    try:
        if not server.sync.client.bucket_exists("ready"):
            server.sync.client.make_bucket("ready")
        server.sync.client.put_object("ready", "ready", BytesIO(), 0)
    except Exception:  # not ready has many faces, and `wait_until` gives up in time
        return False
    return True
