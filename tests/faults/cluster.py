"""Three brokers in one cluster, with the network between them in the hand of a test.

Each node listens for routes behind a gate and tells the others the gate's address; the gate knows by its port which
node dials. A node that is cut off hears and says nothing any more, as far as the other nodes go; its clients stay.
"""

import asyncio
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import psutil
from proxy import Proxy
from rig import Rig

from headrace.bus import BrokerAway, Connection, PublishRefused, provision_patiently
from headrace.contracts import load_topology
from headrace.contracts.broker import BrokerConfig, render_broker
from headrace.local.identities import nats_keys, write_private
from headrace.local.layout import Layout
from headrace.local.programs import BIN, Program
from headrace.testkit.ports import free_ports

NODES = ("one", "two", "three")
REPLICAS = 3


class Gate(Proxy):
    """Before one node's port for routes."""

    def __init__(self, target: int, dialer: Callable[[int], str | None], is_cut: Callable[[str | None], bool]) -> None:
        self._dialer, self._is_cut = dialer, is_cut
        super().__init__(target)

    def admits(self, writer: asyncio.StreamWriter) -> bool:
        """Not those who are cut off."""
        return not self._is_cut(self._dialer(writer.get_extra_info("peername")[1]))


class Cluster:
    """The nodes: started, killed, asked to leave, cut off and joined again."""

    def __init__(self, folder: Path, keys: Mapping[str, str]) -> None:
        self._folder, self._keys = folder, keys
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._cut: set[str] = set()
        ports = free_ports(3 * len(NODES))
        self._client, self._route, self._http = (dict(zip(NODES, ports[at::3], strict=True)) for at in range(3))
        self._gates = {name: self._gate(name) for name in NODES}

    @property
    def url(self) -> str:
        """Every node's address, as clients are told."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._client.values())

    def up(self) -> None:
        """All nodes."""
        for name in NODES:
            self.start(name)

    def down(self) -> None:
        """None."""
        for name in list(self.processes):
            self.kill(name)
        for gate in self._gates.values():
            gate.close()

    def start(self, name: str) -> None:
        """A node, on its own storage."""
        file = self._folder / f"{name}.conf"
        routes = tuple(gate.url for other, gate in self._gates.items() if other != name)
        config = BrokerConfig(
            store=self._folder / name,
            port=self._client[name],
            http_port=self._http[name],
            server_name=name,
            cluster_name="headrace",
            cluster_port=self._route[name],
            cluster_advertise=self._gates[name].url,
            cluster_password="of-the-routes",
            routes=routes,
        )
        write_private(file, render_broker(config, load_topology(), self._keys))
        with (self._folder / f"{name}.log").open("ab") as out:
            command = [str(BIN / "nats-server"), "-c", str(file)]
            self.processes[name] = subprocess.Popen(command, stdout=out, stderr=out)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def leave(self, name: str) -> None:
        """As an orderly restart ends a node: it hands over what it leads, and its clients one by one."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGUSR2)
        process.wait(60)

    def cut(self, name: str) -> None:
        """Nothing passes between this node and the others."""
        self._cut.add(name)
        for gate in self._gates.values():
            gate.reset()

    def join(self) -> None:
        """The network is whole again."""
        self._cut.clear()

    def healthy(self, name: str) -> bool:
        """Whether a node is there, and its streams are current."""
        try:
            return httpx.get(f"http://127.0.0.1:{self._http[name]}/healthz", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def all_healthy(self) -> bool:
        """Every node."""
        return all(self.healthy(name) for name in NODES)

    def clients(self, name: str) -> set[str]:
        """The names of those who are connected to a node."""
        answer = httpx.get(f"http://127.0.0.1:{self._http[name]}/connz", timeout=5, trust_env=False)
        return {each.get("name", "") for each in answer.json()["connections"]}

    def _gate(self, name: str) -> Gate:
        return Gate(self._route[name], self._dialer, lambda dialer: bool({name, dialer} & self._cut))

    def _dialer(self, port: int) -> str | None:
        for name, process in list(self.processes.items()):
            try:
                if any(each.laddr.port == port for each in psutil.Process(process.pid).net_connections("tcp")):
                    return name
            except psutil.Error:
                continue
        return None


class ClusterLayout(Layout):
    """A stack whose broker is a cluster."""

    urls = ""

    @property
    def nats_url(self) -> str:
        """Every node."""
        return self.urls


class ClusterRig(Rig):
    """Services, their databases and an object store on three brokers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.layout: ClusterLayout = ClusterLayout(self.layout.folder, self.layout.port_base)
        home = folder / "cluster"
        home.mkdir()
        self.cluster = Cluster(home, nats_keys(self.layout))
        object.__setattr__(self.layout, "urls", self.cluster.url)

    def up(self) -> None:
        """Three brokers first."""
        self.cluster.up()
        super().up()

    def down(self) -> None:
        """Everything."""
        super().down()
        self.cluster.down()

    def _brokers(self) -> list[Program]:
        return []

    def _through_proxies(self, name: str) -> Mapping[str, str]:
        return {}

    def provision(self) -> None:
        """Streams and durables with three replicas."""
        self.until(self.cluster.all_healthy, "the cluster is healthy")
        self.admin(lambda connection: provision_patiently(connection, load_topology(), replicas=REPLICAS))

    def leader(self, stream: str) -> str:
        """The node that leads a stream."""

        async def ask(connection: Connection) -> str:
            try:
                return str((await connection.request(f"STREAM.INFO.{stream}"))["cluster"].get("leader", ""))
            except (BrokerAway, PublishRefused):
                return ""

        return self.admin(ask)
