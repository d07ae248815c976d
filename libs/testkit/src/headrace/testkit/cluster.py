"""Every service of an installation in this process, over HTTP: for what each of them must answer alike."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from headrace.bus import BusSettings, connect
from headrace.chassis.keys import new_key, new_keys, write_keys
from headrace.chassis.run import http_server, running
from headrace.chassis.scopes import ROLES
from headrace.chassis.settings import ServiceSettings
from headrace.contracts import Envelope, Event, encode, load_topology, wrap
from headrace.testkit.broker import Broker, started
from headrace.testkit.idp import IdentityProvider
from headrace.testkit.ports import free_ports
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

START_S = 180.0  # a busy machine; an idle one needs under 10
REPLICA = "headrace.inference"  # the one program that is not built like the others
NOWHERE = "127.0.0.1:9"  # where no Ray is: nothing is trained here


class Cluster:
    """`urls`, a key of each role in `keys`, and an identity provider; the services share a thread of their own."""

    def __init__(self, folder: Path, s3: S3, *, only: Sequence[str] = (), **settings: Any) -> None:
        self._folder = folder
        self.s3 = s3
        kinds = load_topology().identities
        every = [name for name, kind in kinds.items() if kind in ("service", "replica")]
        self.services = [name for name in every if name in only or not only]
        self._ports = dict(zip(self.services, free_ports(len(self.services)), strict=True))
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        self.idp = IdentityProvider()
        self.keys: Mapping[str, str] = {}
        self._told = {"objects": s3.settings, **settings}
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._broker: Broker
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.keys = _make_keys(self._folder / "keys.json")
        self.idp.write_jwks(self._folder / "jwks.json")
        self._thread.start()
        if not self._started.wait(START_S) or self._error:
            raise RuntimeError("the services did not start") from self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_S)

    def bus(self, identity: str) -> BusSettings:
        """How an identity connects to the broker."""
        return self._broker.settings(identity)

    def data(self, service: str) -> Path:
        """A service's folder; its database lies beside it, with the ending .db."""
        return self._folder / service

    def page(self, service: str) -> dict[str, Any]:
        """A service's OpenAPI page."""
        page: dict[str, Any] = httpx.get(f"{self.urls[service]}/openapi.json").raise_for_status().json()
        return page

    def say(self, event: Event) -> Envelope:
        """Say an event as whoever says such events."""
        return asyncio.run_coroutine_threadsafe(self._say(event), self._loop).result(START_S)

    async def _say(self, event: Event) -> Envelope:
        speaker = load_topology().says[event.TYPE][0]
        said = wrap(event, source=f"headrace/{speaker}", id=str(uuid4()), time=datetime.now(UTC), authid="key:ann")
        connection = await connect(self._broker.settings(speaker), name=f"cluster-{speaker}")
        await connection.publish_and_wait(said.nats_subject, encode(said), {"Nats-Msg-Id": said.id})
        await connection.close()
        return said

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            self._error = error
            self._started.set()

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            self._broker = await started(self._folder / "nats")
            stack.callback(self._broker.remove)
            for name in self.services:
                await stack.enter_async_context(self._serving(name))
            self._started.set()
            await self._stop.wait()

    @asynccontextmanager
    async def _serving(self, name: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opened = await _opened(stack, name, lambda kind: kind(**self._settings(name)))
            serving = asyncio.create_task(opened.serve())
            await eventually(lambda: opened.started, START_S)
            yield
            opened.leave()
            await serving

    def _settings(self, name: str) -> dict[str, Any]:
        """What any service may be told; each takes what it knows."""
        own = self._folder / name
        return {
            "nats_url": self._broker.url,
            "nats_nkey_seed_file": self._broker.seed_file(name),
            "database_url": f"sqlite+aiosqlite:///{own}.db",
            "http_port": self._ports[name],
            "api_keys_file": self._folder / "keys.json",
            "oidc_issuer": self.idp.issuer,
            "oidc_jwks": str(self._folder / "jwks.json"),
            "rate_limit": 0,
            "audit_key_file": own / "signing.key",
            "ingest_spool": own / "spool",
            "ray_address": NOWHERE,
            "cache_dir": own / "cache",
            "replica": "replica-1",
            **self._told,
        }


def _make_keys(file: Path) -> dict[str, str]:
    made, keys = {}, new_keys()
    for role, scopes in ROLES.items():
        made[role], keys = new_key(keys, role, scopes)
    write_keys(file, keys)
    return made


async def _opened(stack: AsyncExitStack, name: str, told: Callable[[type[Any]], Any]) -> Any:
    """A started service behind its HTTP port, which is not open yet."""
    if name == "inference":
        serving = import_module(f"{REPLICA}.server")
        replica = await stack.enter_async_context(
            serving.running(told(_settings_of(import_module(f"{REPLICA}.settings"))))
        )
        return serving.http_server(replica)
    settings = told(_settings_of(import_module(f"headrace.{name}.settings")))
    service = import_module(f"headrace.{name}.service").build(settings)
    return http_server(await stack.enter_async_context(running(service)), settings)


def _settings_of(module: Any) -> type[ServiceSettings]:
    """The settings that a module defines."""
    mine = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)
    found: type[ServiceSettings] = next(each for each in mine if issubclass(each, ServiceSettings))
    return found
