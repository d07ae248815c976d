"""`python -m headrace.local.supervisor FOLDER PORT_BASE`: start every part in order, keep it running, stop it whole."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from headrace.bus import BusSettings, connect, provision_patiently
from headrace.chassis.auth import ROLES, new_key, new_keys, write_keys
from headrace.contracts.services import EVERY
from headrace.contracts.topology import load_topology
from headrace.local.buckets import make_buckets, make_users
from headrace.local.child import Child
from headrace.local.identities import s3_keys
from headrace.local.layout import Layout
from headrace.local.programs import Program, nats, object_server, ray_head, services
from headrace.provision import ACCESS, S3Key, write_private

SLOWEST = "monitor"  # its numeric libraries take twice as long to import as any other service's
READY_S = 180.0  # a warm machine needs under 20; a cold one reads a gigabyte of Python first


class Supervisor:
    """The parent of every process of one stack."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._children: list[Child] = []
        self._watching: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._phase = "starting"
        self._error: str | None = None
        self._started = time.time()

    async def run(self) -> int:
        """Start, keep and stop; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.exception() is not None:
            self._error = str(starting.exception())
            self._tell("failed")
        elif starting.done():
            await self._keep()
        starting.cancel()
        await self._shut()
        return 1 if self._error else 0

    async def _start(self) -> None:
        """Everything at once: services wait for broker and buckets by themselves, and their imports take longest."""
        keys = s3_keys(self._layout, ACCESS)
        _make_api_keys(self._layout)
        self._tell("starting broker and object store")
        broker, store = [await self._launch(each) for each in (nats(self._layout), object_server(self._layout, keys))]
        self._tell("starting services and Ray")
        rest = [*sorted(services(self._layout, keys), key=lambda each: each.name != SLOWEST), ray_head(self._layout)]
        launched = [await self._launch(each) for each in rest]
        await asyncio.gather(self._provision(broker), self._furnish(store, keys))
        await asyncio.gather(*(child.ready(READY_S) for child in launched))
        write_private(self._layout.stack_file, json.dumps(self._stack(), indent=2))
        self._tell("ready")

    async def _launch(self, program: Program) -> Child:
        child = Child(program, self._layout.log(program.name), self._layout.folder, self._layout.temp)
        await child.start()
        self._children.append(child)
        self._watching.append(asyncio.create_task(child.watch(self._changed)))
        self._tell(self._phase)
        return child

    async def _provision(self, broker: Child) -> None:
        """Streams and durables as the topology says, before anybody binds to them."""
        await broker.ready(READY_S)
        settings = BusSettings(self._layout.nats_url, "provisioner", self._layout.seed("provisioner"))
        connection = await connect(settings, name="provisioner")
        await provision_patiently(connection, load_topology())
        await connection.close()

    async def _furnish(self, store: Child, keys: dict[str, S3Key]) -> None:
        await store.ready(READY_S)
        await asyncio.to_thread(make_buckets, self._layout, keys)
        if "minio" in Path(store.program.command[0]).name:
            await asyncio.to_thread(make_users, self._layout, keys)

    async def _keep(self) -> None:
        """Until told to stop: note each restart where people look."""
        while not self._stop.is_set():
            self._changed.clear()
            waiting = {asyncio.create_task(self._changed.wait()), asyncio.create_task(self._stop.wait())}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            self._tell("ready")

    async def _shut(self) -> None:
        """Services first, so that they can say goodbye to the broker; the broker last."""
        if not self._error:
            self._tell("stopping")
        self._layout.stack_file.unlink(missing_ok=True)
        foundations = [child for child in self._children if child.program.name in {"nats", "s3", "ray"}]
        await asyncio.gather(*(child.stop() for child in self._children if child not in foundations))
        await asyncio.gather(*(child.stop() for child in foundations if child.program.name != "nats"))
        await asyncio.gather(*(child.stop() for child in foundations))
        for task in self._watching:
            task.cancel()
        if self._error:
            self._tell("failed")
        else:
            self._layout.state_file.unlink(missing_ok=True)

    def _tell(self, phase: str) -> None:
        self._phase = phase
        parts = {c.program.name: {"pid": c.pid, "restarts": c.restarts} for c in self._children}
        state = {
            "pid": os.getpid(),
            "phase": phase,
            "error": self._error,
            "started": self._started,
            "port_base": self._layout.port_base,
            "parts": parts,
        }
        write_private(self._layout.state_file, json.dumps(state, indent=2))

    def _stack(self) -> dict[str, Any]:
        """What clients need: addresses, and the keys of a person."""
        layout = self._layout
        return {
            "services": {name: layout.url(name) for name in EVERY},
            "nats": {"url": layout.nats_url, "seed_file": str(layout.seed("operator").resolve())},
            "s3": {"endpoint": layout.url("s3")},
            "key_file": str(layout.admin_key.resolve()),
            "log_key_file": str(layout.secret("audit.pub").resolve()),
            "supervisor": os.getpid(),
        }


def _make_api_keys(layout: Layout) -> None:
    """An administrator's key at the first start; the command line finds it by itself."""
    if layout.admin_key.is_file():
        return
    key, keys = new_key(new_keys(), "admin", ROLES["admin"])
    write_keys(layout.folder / "keys" / "keys.json", keys)
    write_private(layout.admin_key, key)


def main() -> None:
    """Run the stack that the arguments name."""
    layout = Layout(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
    sys.exit(asyncio.run(Supervisor(layout).run()))


if __name__ == "__main__":
    main()
