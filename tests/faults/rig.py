"""The embedded stack with every process in the hand of a test, and a bad network at hand between its parts."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from proxy import Proxy

from headrace.bus import BrokerAway, BusSettings, Connection, connect, provision_patiently
from headrace.chassis.auth import ROLES, new_key, new_keys, write_keys
from headrace.contracts import load_topology
from headrace.contracts.services import EVERY, SERVICES
from headrace.local.buckets import make_buckets, make_users, object_settings
from headrace.local.identities import s3_keys, write_private
from headrace.local.layout import Layout
from headrace.local.programs import Program, nats, object_server, ray_head, services
from headrace.local.stack import clean
from headrace.objects import SyncObjectStore
from headrace.provision import ACCESS
from headrace.provision.orphans import find_orphans, remove_orphans
from headrace.testkit.ports import free_stretch, listens

T = TypeVar("T")
TIMEOUT_S = 150.0  # for a fact, on a machine that does much else
IDLE_MODEL = "without-data"  # declared once for the rig; its dataset never comes
QUIET_S = 150.0


class Rig:
    """Broker, object store, Ray and services, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder / ".headrace", free_stretch())
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.programs: dict[str, Program] = {}
        self.environment: dict[str, dict[str, str]] = {}  # by service, over what the stack would say

    # --- life

    def up(self) -> None:
        """Start everything that a load needs, and wait until it is ready."""
        self.layout.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = s3_keys(self.layout, ACCESS)
        key, made = new_key(new_keys(), "admin", ROLES["admin"])
        write_keys(self.layout.folder / "keys" / "keys.json", made)
        write_private(self.layout.admin_key, key)
        self.headers = {"Authorization": f"Bearer {key}"}
        parts = [*self._brokers(), object_server(self.layout, keys), *services(self.layout, keys)]
        self.programs = {each.name: each for each in [*parts, ray_head(self.layout)]}
        for name in ("nats", "s3"):
            if name in self.programs:
                self.start(name)
        self.broker_proxy = Proxy(self.layout.port("nats"))
        self.store_proxy = Proxy(self.layout.port("s3"))
        for name in SERVICES:
            self.start(name)
        self.provision()
        self.ready("s3")
        make_buckets(self.layout, keys)
        if "minio" in Path(self.programs["s3"].command[0]).name:
            make_users(self.layout, keys)
        for name in self.processes:
            self.ready(name)
        services_ = {name: self.layout.url(name) for name in EVERY}
        bus = {"url": self.layout.nats_url, "seed_file": str(self.layout.seed("operator"))}
        stack = {"services": services_, "nats": bus, "key_file": str(self.layout.admin_key)}
        self.layout.stack_file.write_text(json.dumps(stack))

    def complete(self) -> None:
        """Start also what whole stories need: Ray, and the inference server."""
        for name in ("ray", "inference"):
            self.start(name)
        for name in ("ray", "inference"):
            self.ready(name)
        self.stop("trainer")  # it has looked for Ray all the time, later each time
        self.start("trainer")
        self.ready("trainer")

    def _brokers(self) -> list[Program]:
        return [nats(self.layout)]

    def down(self) -> None:
        """End everything."""
        for name in list(self.processes):
            self.kill(name)
        for proxy in (self.broker_proxy, self.store_proxy):
            proxy.close()
        clean(self.layout)

    def declare_idle(self) -> None:
        """A model whose data never come, for requests about it."""
        body = {
            "kind": "Model",
            "name": IDLE_MODEL,
            "purpose": "Waits for data that never come.",
            "data": {"dataset": f"{IDLE_MODEL}-data", "target": "target"},
            "training": {"estimator": "sklearn.linear_model.LogisticRegression", "on": []},
        }
        url = f"{self.layout.url('registry')}/models/{IDLE_MODEL}"
        httpx.put(url, json=body, headers=self.headers, timeout=30).raise_for_status()
        self.quiet()

    def start(self, name: str, **environment: str) -> None:
        """Start a part; what is given goes over its usual environment."""
        program = self.programs[name]
        log = self.layout.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        told = {**os.environ, **program.environment, **self._through_proxies(name)}
        told |= self.environment.get(name, {}) | environment
        with log.open("ab") as out:
            self.processes[name] = subprocess.Popen(
                program.command, stdout=out, stderr=out, env=told, cwd=self.layout.folder, start_new_session=True
            )

    def _through_proxies(self, name: str) -> Mapping[str, str]:
        if name not in EVERY:
            return {}
        told = {"HEADRACE_NATS_URL": f"nats://{self.broker_proxy.url}"}
        return told | {"HEADRACE_S3_ENDPOINT": f"http://{self.store_proxy.url}"} if name == "ingest" else told

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End a part, and what it has started, at once."""
        process = self.processes.pop(name)
        family = _family(process.pid)
        for member in family:
            _quietly(lambda member=member: member.send_signal(number))
        process.wait(20)
        for member in family:
            _quietly(member.kill)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part alone."""
        self.processes[name].send_signal(number)

    def stop(self, name: str) -> float:
        """SIGTERM; returns how long it took to end, in seconds."""
        process = self.processes.pop(name)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        return time.monotonic() - began

    def wait_dead(self, name: str, wait: float = TIMEOUT_S) -> bool:
        """Whether a part ended by itself within `wait` seconds."""
        try:
            self.processes[name].wait(wait)
        except subprocess.TimeoutExpired:
            return False
        return True

    # --- looking

    def ready(self, name: str, wait: float = TIMEOUT_S) -> float:
        """Wait until a part is ready; returns the seconds it took."""
        began = time.monotonic()
        self.until(lambda: self.is_ready(name), f"{name} is ready", wait)
        return time.monotonic() - began

    def is_ready(self, name: str) -> bool:
        """Whether a part says that it is ready."""
        program = self.programs[name]
        if program.ready_port is not None:
            return listens(program.ready_port)
        try:
            answer = httpx.get(program.ready_url or "", timeout=3, trust_env=False, verify=False)
        except httpx.HTTPError:
            return False
        return program.any_answer or answer.is_success

    def problems(self, name: str) -> dict[str, str]:
        """What keeps a service from its work, as it says."""
        try:
            answer = httpx.get(f"{self.layout.url(name)}/ready", timeout=5, trust_env=False, verify=False)
        except httpx.HTTPError as error:
            return {"http": repr(error)}
        found: dict[str, str] = answer.json().get("problems", {}) if answer.status_code == 503 else {}
        return found

    @staticmethod
    def until(fact: Callable[[], object], what: str, wait: float = TIMEOUT_S) -> None:
        """Wait for a fact."""
        end = time.monotonic() + wait
        while not fact():
            assert time.monotonic() < end, f"not within {wait:.0f} s: {what}"
            time.sleep(0.02)

    def rows(self, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a service's database, read beside it."""
        with closing(sqlite3.connect(f"file:{self.database(service)}?mode=ro", uri=True, timeout=30)) as found:
            return found.execute(query, values).fetchall()

    def database(self, service: str) -> Path:
        """A service's database file."""
        return self.layout.data(service) / f"{service}.db"

    # --- objects

    def remove_orphans(self) -> int:
        """Remove what no event speaks of, as if a week had passed; returns how much that was."""
        later, store = datetime.now(UTC) + timedelta(days=8), SyncObjectStore(object_settings(self.layout))
        found = self.admin(lambda connection: find_orphans(connection, store, timedelta(days=7), later))
        return len(remove_orphans(store, found).found)

    def missing(self) -> list[dict[str, Any]]:
        """The objects that dataset versions consist of, and that are not there."""
        store = SyncObjectStore(object_settings(self.layout))
        parts = [
            part for (found,) in self.rows("ingest", "SELECT parts FROM dataset_version") for part in json.loads(found)
        ]
        objects = [part[role] for part in parts for role in ("object", "source")]
        return [each for each in objects if store.stat(each["bucket"], each["key"]) is None]

    # --- broker

    def admin(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask the broker with an identity that may do everything."""

        async def asked() -> T:
            settings = BusSettings(self.layout.nats_url, "provisioner", self.layout.seed("provisioner"))
            connection = await connect(settings, name="rig")
            try:
                return await ask(connection)
            finally:
                await connection.close()

        return asyncio.run(asyncio.wait_for(asked(), TIMEOUT_S))

    def said(self) -> int:
        """How many messages were ever taken by the streams that everybody hears."""

        async def ask(connection: Connection) -> int:
            told = [await connection.request(f"STREAM.INFO.{name}") for name in ("EVENTS", "REQUESTS")]
            return sum(int(each["state"]["last_seq"]) for each in told)

        return self.admin(ask)

    def provision(self) -> None:
        """Streams and durables."""
        self.ready("nats")
        self.admin(lambda connection: provision_patiently(connection, load_topology()))

    def quiet(self, wait: float = QUIET_S) -> float:
        """Wait until nothing is on its way: no durable has anything left, and no outbox; returns the seconds."""
        began = time.monotonic()
        self.until(self._is_quiet, "all is quiet", wait)
        return time.monotonic() - began

    def _is_quiet(self) -> bool:
        if any(self.unsent(service) for service in SERVICES):
            return False

        async def waiting(connection: Connection) -> int:
            left = 0
            for spec in load_topology().all_consumers():
                info = await connection.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
                left += info["num_pending"] + info["num_ack_pending"]
            return left

        try:
            return self.admin(waiting) == 0 and not any(self.unsent(service) for service in SERVICES)
        except (TimeoutError, BrokerAway):
            return False

    def unsent(self, service: str) -> int:
        """Events that wait in a service's outbox."""
        try:
            return int(self.rows(service, "SELECT count(*) FROM outbox WHERE sent_at IS NULL")[0][0])
        except sqlite3.Error:
            return 1

    @contextmanager
    def only(self, name: str, **environment: str) -> Iterator[None]:
        """A part that runs with another environment meanwhile."""
        self.stop(name)
        self.start(name, **environment)
        self.ready(name)
        yield
        if name in self.processes and self.processes[name].poll() is None:
            self.stop(name)
        self.start(name)
        self.ready(name)


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _quietly(do: Callable[[], object]) -> None:
    try:
        do()
    except psutil.Error:
        return
