"""Where an embedded stack keeps its things, and which ports it takes."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.contracts.services import PORTS

PORT_BASE = 8100
OFFSETS: Mapping[str, int] = {
    **{name: port - PORT_BASE for name, port in PORTS.items()},
    "nats": 40,
    "s3": 50,
    **{name: at for at, name in enumerate(("master", "volume", "filer"), start=51)},  # of SeaweedFS
    **{f"{name}-grpc": at for at, name in enumerate(("master", "volume", "filer", "s3"), start=54)},
    "ray": 60,
    **{f"ray-{name}": at for at, name in enumerate(("node", "objects", "env", "metrics", "agent", "agent-grpc"), 61)},
    "ray-dashboard": 68,  # not started, but Ray refuses workers on the port that it would have: 8265, if none is given
}
RAY_WORKERS = range(100, 200)  # every worker and driver takes one; idle ones end after a while
RAY = "ray"
SPAN = 200  # ports of one stack, from its base
LOWEST, HIGHEST = 1024, 65_536 - SPAN  # of a base: below, ports need root; above, there are none

LONGEST_SOCKET = 107  # characters of a Unix socket's path
RAYS_OWN = len("/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")  # behind the folder it is given


@dataclass(frozen=True)
class Layout:
    """One stack's folder and first port."""

    folder: Path
    port_base: int = PORT_BASE

    def port(self, name: str) -> int:
        """The port of a part."""
        return self.port_base + OFFSETS[name]

    def url(self, name: str) -> str:
        """The base URL of a part that speaks HTTP."""
        return f"http://127.0.0.1:{self.port(name)}"

    @property
    def nats_url(self) -> str:
        """The broker's address."""
        return f"nats://127.0.0.1:{self.port('nats')}"

    @property
    def state_file(self) -> Path:
        """What the supervisor says of itself and its children, while it runs."""
        return self.folder / "supervisor.json"

    @property
    def stack_file(self) -> Path:
        """What clients read: addresses and keys."""
        return self.folder / "stack.json"

    @property
    def private(self) -> tuple[Path, ...]:
        """The folders that only their owner may enter: each part makes files in them as it likes."""
        return tuple(self.folder / name for name in ("logs", "data", "nats", "secrets", "keys"))

    @property
    def runtime(self) -> Path:
        """Where everything lies that ends with the stack, and that needs a short path: sockets, temporary files.

        Ray opens its own folder in here to everybody, so this one is its owner's alone.
        """
        mark = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]
        own = Path(tempfile.gettempdir()) / f"headrace-{os.getuid()}-{mark}"
        fits = len(os.fsencode(own / RAY)) + RAYS_OWN <= LONGEST_SOCKET
        return own if fits else Path("/tmp") / own.name

    @property
    def ray_temp(self) -> Path:
        """Ray's own folder."""
        return self.runtime / RAY

    @property
    def temp(self) -> Path:
        """What every part takes for the machine's temporary folder."""
        return self.runtime / "tmp"

    @property
    def seaweed_ports(self) -> Mapping[str, int]:
        """SeaweedFS' parts that speak HTTP."""
        return {name: self.port(name) for name in ("master", "volume", "filer", "s3")}

    @property
    def seaweed_grpc(self) -> Mapping[str, int]:
        """The same parts' gRPC."""
        return {name: self.port(f"{name}-grpc") for name in ("master", "volume", "filer", "s3")}

    @property
    def ray_workers(self) -> range:
        """The ports of Ray's workers."""
        return range(self.port_base + RAY_WORKERS.start, self.port_base + RAY_WORKERS.stop)

    def log(self, name: str) -> Path:
        """The log file of a part."""
        return self.folder / "logs" / f"{name}.log"

    def data(self, name: str) -> Path:
        """The data folder of a part."""
        return self.folder / "data" / name

    def seed(self, identity: str) -> Path:
        """The file with an identity's nkey seed."""
        return self.folder / "nats" / f"{identity}.nk"

    def secret(self, name: str) -> Path:
        """A file that only its owner reads."""
        return self.folder / "secrets" / name

    @property
    def admin_key(self) -> Path:
        """The API key that the command line uses by itself."""
        return self.folder / "keys" / "admin.key"
