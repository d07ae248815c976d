"""What every process of ours has in common, a service as well as a replica of the inference server."""

import asyncio
import contextlib
import gc
import resource
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import uvicorn

from headrace.chassis.protocol import BoundedProtocol, ConnectionLimits, Connections
from headrace.chassis.settings import ServiceSettings

_TICKS_A_SECOND = 10  # uvicorn's
_FILES = 65_536  # as many connections and files as a process of ours could ever need


class HttpServer(uvicorn.Server):
    """uvicorn without signal handlers of its own, and with an eye on slow clients."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self.clients = connections

    def leave(self) -> None:
        """Take no more requests and finish those in hand."""
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Once a second, end the connections of clients that are too slow."""
        if counter % _TICKS_A_SECOND == 0:
            self.clients.end_the_late(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours."""
        yield


def http_server(
    app: Any, settings: ServiceSettings, *, protocol: type[BoundedProtocol] = BoundedProtocol, drain_s: float
) -> HttpServer:
    """The HTTP port of a process, not yet open; `drain_s` is how long requests in hand may take at the stop."""
    connections = Connections(limits(settings))
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        http=partial(protocol, connections=connections),  # type: ignore[arg-type]  # called as a class would be
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=settings.http_tls_cert,
        ssl_keyfile=settings.http_tls_key,
        timeout_graceful_shutdown=max(1, int(drain_s)),
    )
    return HttpServer(config, connections)


def limits(settings: ServiceSettings) -> ConnectionLimits:
    """What the settings let one client hold open."""
    return ConnectionLimits(
        head=timedelta(seconds=settings.http_head_s),
        body=timedelta(seconds=settings.http_body_s),
        each_address=settings.http_connections_per_address,
    )


def allow_many_files() -> None:
    """Use as many file descriptors as the system lets this process have, where that is more than it starts with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def calm_collector(young: int = 10_000) -> None:
    """What is loaded by now stays; the garbage collector need not walk over it while requests and events wait.

    `young` objects may wait to be looked at: 50,000 of them keep some 30 MB more than 10,000.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, 50)
