"""A real nats-server with the topology's users, streams and durables; ready in some 50 ms."""

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import nkeys

from headrace.bus import BusSettings, connect, provision
from headrace.contracts.broker import BrokerConfig, render_broker
from headrace.contracts.topology import load_topology
from headrace.provision.outsiders import Outsiders, reload_broker
from headrace.testkit.ports import free_ports, listens, wait_until
from headrace.testkit.tls import Leaf

_TEMPLATES: list["Broker"] = []


class Broker:
    """One server, its keys and its storage. `kill` is a power cut, `stop` is polite, `start` brings it back."""

    def __init__(
        self, folder: Path, *, sync_always: bool = False, tls: Leaf | None = None, clients_ca: Path | None = None
    ) -> None:
        """With `tls` connections are TLS; with `clients_ca` clients show certificates of that CA too."""
        self._folder = folder
        self._tls: dict[str, Any] = {"tls_cert": tls.cert, "tls_key": tls.key, "tls_ca": clients_ca} if tls else {}
        self._sync_always = sync_always
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_ports(1)[0]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.identities = list(load_topology().identities)
        self._keys: Mapping[str, str] = {}
        self.outsiders = Outsiders(folder / "keys")

    def prepare(self) -> None:
        """Write keys and configuration."""
        (self._folder / "keys").mkdir(parents=True, exist_ok=True)
        self._keys = {identity: self._make_key(identity) for identity in self.identities}
        self._configure(self._keys)

    def prepare_as(self, other: "Broker") -> None:
        """Write what another one has that was provisioned and stopped: its keys, streams and durables."""
        for part in ("keys", "store"):
            shutil.copytree(other._folder / part, self._folder / part, copy_function=shutil.copyfile)
        self._keys = other._keys
        self._configure(self._keys)

    def _configure(self, keys: Mapping[str, str]) -> None:
        config = BrokerConfig(self._folder / "store", port=self.port, sync_always=self._sync_always, **self._tls)
        text = render_broker(config, load_topology(), keys, self.outsiders.all())
        (self._folder / "nats.conf").write_text(text)

    def reload(self) -> None:
        """Tell the running server of outsiders that were added or removed since it started."""
        self._configure(self._keys)
        assert self._process is not None
        reload_broker(self._process.pid, self._folder / "nats.log")

    def seed_file(self, identity: str) -> Path:
        """The file with the seed of an identity, or of an outsider that was added."""
        known = self._folder / "keys" / f"{identity}.nk"
        return known if identity in self.identities else self.outsiders.seed(identity)

    def settings(self, identity: str) -> BusSettings:
        """How an identity connects."""
        return BusSettings(self.url, identity, self.seed_file(identity))

    def start(self) -> None:
        """Start, or start again on the same storage."""
        log = self._folder / "nats.log"
        with log.open("ab") as out:
            command = [_program("nats-server"), "-c", str(self._folder / "nats.conf")]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        wait_until(lambda: listens(self.port), self._process, log)

    async def provision(self) -> None:
        """Make streams and durables."""
        connection = await connect(self.settings("provisioner"), name="provisioner")
        try:
            await provision(connection, load_topology())
        finally:
            await connection.close()

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop in order."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill and start."""
        self.kill()
        self.start()

    def remove(self) -> None:
        """Stop and delete everything."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(10)

    def _make_key(self, identity: str) -> str:
        seed = nkeys.encode_seed(os.urandom(32), prefix=nkeys.PREFIX_BYTE_USER)
        self.seed_file(identity).write_bytes(seed)
        return bytes(nkeys.from_seed(bytearray(seed)).public_key).decode()


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or name


async def started(
    folder: Path, outsiders: Mapping[str, Iterable[str]] | None = None, *, anew: bool = False, **settings: Any
) -> Broker:
    """A broker that is ready for services, and for outsiders with what each may ask for.

    Its streams may have been made before, and copied; where `anew`, they are made now.
    """
    broker = Broker(folder, **settings)
    if not outsiders and not settings and not anew:
        broker.prepare_as(await _provisioned())
        await asyncio.to_thread(broker.start)
        return broker
    for name, may in (outsiders or {}).items():
        broker.outsiders.add(name, may)
    broker.prepare()
    await asyncio.to_thread(broker.start)
    await broker.provision()
    return broker


async def _provisioned() -> Broker:
    """A stopped broker that others are copied from: a process makes streams and durables once, not for each test."""
    if not _TEMPLATES:
        folder = Path(mkdtemp(prefix="headrace-nats-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        broker = Broker(folder)
        broker.prepare()
        await asyncio.to_thread(broker.start)
        await broker.provision()
        await asyncio.to_thread(broker.stop)
        _TEMPLATES.append(broker)
    return _TEMPLATES[0]


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Broker]:
    """A broker that is ready for services, and gone with its data afterwards."""
    broker = await started(folder, **settings)
    try:
        yield broker
    finally:
        await asyncio.to_thread(broker.remove)


__all__: list[str] = ["Broker", "serving", "started"]
