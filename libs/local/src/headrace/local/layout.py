"""Where an embedded stack keeps its things, and which ports it takes."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("ingest", "trainer", "registry", "deployer", "monitor", "audit")
INFERENCE = "inference"
OFFSETS: Mapping[str, int] = {
    **{name: at for at, name in enumerate(SERVICES, start=1)},
    INFERENCE: 10,
    "nats": 40,
    "nats-http": 41,
    "s3": 50,
    "s3-inner": 51,  # SeaweedFS: seven more from here on, for its parts and their gRPC
    "ray": 60,
}
SPAN = 70  # ports of one stack, from its base
PORT_BASE = 8100


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
    def ray_temp(self) -> Path:
        """Ray's own folder: its sockets need a short path."""
        mark = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"headrace-ray-{mark}"

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
