"""Starting, running and stopping a service: one way for all of them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

import structlog
import uvloop
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from headrace.bus import (
    BatchProcessor,
    BrokerAway,
    Consumer,
    MessageProcessor,
    PublishRefused,
    Relay,
    RetryPolicy,
    Store,
    connect,
)
from headrace.bus.checkpoints import CheckpointWatch
from headrace.bus.dead_letters import set_aside_once
from headrace.bus.deferred import Deferred
from headrace.bus.progress import Progress
from headrace.bus.prune import EVERY_S, prune
from headrace.bus.tasks import cancel
from headrace.chassis import metrics, process, routes
from headrace.chassis.auth import Gate
from headrace.chassis.database import create_engine, migrate, stopping_at_a_newer_schema
from headrace.chassis.dependencies import looking_at
from headrace.chassis.every import called, chore
from headrace.chassis.http import make_app
from headrace.chassis.key_use import flush, keep_uses
from headrace.chassis.logs import configure_logs
from headrace.chassis.process import HttpServer, allow_many_files, calm_collector
from headrace.chassis.restart import restarted
from headrace.chassis.service import Loop, Runtime, Service
from headrace.chassis.settings import ServiceSettings
from headrace.chassis.stuck import watch_subscriptions
from headrace.chassis.telemetry import configure_traces
from headrace.contracts.topology import ConsumerSpec, load_topology

log = structlog.get_logger()

HTTP_SHARE, CONSUMER_SHARE, RELAY_SHARE = 0.4, 0.4, 0.2  # of the time that a stop may take
FACTS = "EVENTS"
RELEASE_EVERY = timedelta(seconds=2)  # an upgrade is a restart, and the first look comes with it
FATAL = 70  # the connection was closed for good: whoever watches the process starts it anew


def run(service: Service) -> None:
    """Run until SIGTERM or SIGINT; what is in hand is finished, the rest waits in streams and outbox."""
    allow_many_files()
    configure_logs(service.name, service.settings)
    configure_traces(service.name, service.settings.otlp_endpoint)
    with stopping_at_a_newer_schema():
        uvloop.run(_serve(service))


async def _serve(service: Service) -> None:
    async with running(service, on_fatal=_die) as app:
        server = http_server(app, service.settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.leave)
        calm_collector()
        log.info("started", http=service.settings.http_address)
        await server.serve()
    log.info("stopped")


def http_server(app: FastAPI, settings: ServiceSettings) -> HttpServer:
    """The HTTP port of a service, not yet open."""
    return process.http_server(app, settings, drain_s=settings.drain_s * HTTP_SHARE)


def _die(why: str) -> None:
    log.error("fatal", why=why)
    os._exit(FATAL)


@asynccontextmanager
async def running(service: Service, *, on_fatal=lambda _why: None) -> AsyncIterator[FastAPI]:  # type: ignore[no-untyped-def]
    """A started service without its HTTP port; yields the application. Everything is stopped in order at the end."""
    async with AsyncExitStack() as stack:
        engine = create_engine(service.settings.database_url)
        stack.push_async_callback(engine.dispose)
        if service.migrations is not None:
            await migrate(engine, service.migrations)
        store = Store(engine)
        connection = await connect(
            service.settings.bus(service.name), name=f"headrace-{service.name}", on_fatal=on_fatal, wait=False
        )
        stack.push_async_callback(connection.close)
        relay = Relay(store, connection, clock=service.clock)
        await relay.start()
        stack.push_async_callback(relay.stop, grace=service.settings.drain_s * RELAY_SHARE)
        runtime = Runtime(service, store, connection, relay)
        for resource in service.resources:
            await stack.enter_async_context(resource)
        runtime.consumers = consumers(runtime)
        await stack.enter_async_context(_taking_in(runtime))
        pruning = chore(timedelta(seconds=EVERY_S), _prune, name="prune", wait_first=True)
        releasing = chore(RELEASE_EVERY, _release, name="deferred")
        app = make_app(service, [routes.health, routes.dead_letters, routes.keys])
        app.state.runtime = runtime
        gate: Gate = app.state.gate
        stack.push_async_callback(_last_uses, gate, runtime)
        looks = [looking_at(dependency) for dependency in service.dependencies]
        own = [pruning, releasing, watch_subscriptions(), *gate.loops(), keep_uses(gate)]
        loops: list[Loop] = [*service.background, *looks, *own]
        for loop in loops:
            running_loop = restarted(partial(loop, runtime), called(loop), runtime.problems)
            stack.push_async_callback(cancel, asyncio.create_task(running_loop))
        yield app


async def _last_uses(gate: Gate, runtime: Runtime) -> None:
    """Write down the last uses of API keys; a database that is away does not hold up the stop."""
    with contextlib.suppress(SQLAlchemyError, OSError):
        await flush(gate, runtime.store)


@asynccontextmanager
async def _taking_in(runtime: Runtime) -> AsyncIterator[None]:
    """Take messages in from when the broker is there; all consumers stop at the same time."""
    starting = asyncio.create_task(_start_intakes(runtime))
    try:
        yield
    finally:
        await cancel(starting)
        grace = runtime.settings.drain_s * CONSUMER_SHARE
        await asyncio.gather(*(consumer.stop(grace=grace) for consumer in runtime.consumers if consumer.started))


async def _start_intakes(runtime: Runtime) -> None:
    await runtime.connection.opened.wait()
    if runtime.deferred is not None:  # before anything comes in that has to wait behind what is there
        await restarted(runtime.deferred.refresh, "deferred", runtime.problems)
    for consumer in runtime.consumers:
        runtime.checkpoints.append(position := CheckpointWatch(runtime.connection, runtime.store, consumer.spec))
        await restarted(partial(_caught_up, position, runtime), "position", runtime.problems)
        await consumer.start()


async def _caught_up(position: CheckpointWatch, runtime: Runtime) -> None:
    """A database that was restored from an older copy hears again what it has missed."""
    try:
        in_hand = await position.compare()
    except (BrokerAway, PublishRefused) as error:  # the consumer says what is wrong with its durable
        log.info("durable_not_seen", stream=position.spec.stream, error=str(error))
        return
    processor = runtime.batch_processors.get(position.spec.stream) or runtime.processor
    if in_hand is not None and processor is not None:
        processor.suspect(in_hand)


def consumers(runtime: Runtime) -> list[Consumer]:
    """A consumer for each durable: to the batch handler of its stream where there is one, else to the handlers."""
    service = runtime.service
    runtime.deferred = Deferred(runtime.store, clock=service.clock)
    runtime.processor = MessageProcessor(
        service.name,
        runtime.store,
        runtime.connection,
        service.subscriptions,
        clock=service.clock,
        batch_subscriptions=service.batch_subscriptions,
        retry_policy=retry_policy(service.settings),
        observe=metrics.observe,
        deferred=runtime.deferred,
    )
    specs = load_topology().consumers(service.name)
    made = [Consumer(runtime.connection, spec, _batch_handler(runtime, spec) or runtime.processor) for spec in specs]
    for spec in specs:
        if spec.stream == FACTS:
            processor = runtime.batch_processors.get(FACTS) or runtime.processor
            runtime.progress = Progress(runtime.connection, spec, partial(processor.sent_back, FACTS))
            runtime.processor.is_caught_up = runtime.progress.is_caught_up
    return made


def retry_policy(settings: ServiceSettings) -> RetryPolicy:
    """How often a failing message is tried, and how long a handler may take."""
    longest = timedelta(seconds=settings.longest_handler_s)
    return RetryPolicy(attempts=settings.dead_letter_after_attempts, longest=longest)


def _batch_handler(runtime: Runtime, spec: ConsumerSpec) -> BatchProcessor | None:
    service = runtime.service
    batch_handler = service.batch_subscriptions.get(spec.stream)
    if batch_handler is None:
        return None
    last_resort = service.last_resorts.get(spec.stream, set_aside_once)
    processor = BatchProcessor(
        service.name,
        runtime.store,
        runtime.connection,
        batch_handler,
        clock=runtime.clock,
        last_resort=last_resort,
        deferred=runtime.deferred,
    )
    runtime.batch_processors[spec.stream] = processor
    return processor


async def _release(runtime: Runtime) -> bool:
    """Hand on what waited for an upgrade that has come; True where there may be more."""
    if runtime.deferred is None or runtime.processor is None:
        return False
    processor = runtime.processor
    return await runtime.deferred.release(lambda stream: runtime.batch_processors.get(stream) or processor)


async def _prune(runtime: Runtime) -> None:
    """Keep inbox and outbox small."""
    inbox, outbox = await prune(runtime.store, runtime.clock)
    if inbox or outbox:
        log.info("pruned", inbox=inbox, outbox=outbox)
    for position in runtime.checkpoints:
        await _caught_up(position, runtime)
