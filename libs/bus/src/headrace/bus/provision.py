"""Making streams and durables what the topology says, and saying where the broker differs from it."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from headrace.bus.connection import Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.contracts.topology import DUPLICATE_WINDOW_S, ConsumerSpec, StreamSpec, Topology

NO_STREAM, NO_CONSUMER = 10059, 10014
NANO = 10**9
AGAIN_S = 0.1


async def provision_patiently(
    connection: Connection, topology: Topology, *, replicas: int = 1, grace_s: float = 60.0
) -> list[str]:
    """The same as `provision`, tried again while the broker is starting, or its cluster has no leader yet.

    Raises the last error where that takes longer than `grace_s`.
    """
    end = time.monotonic() + grace_s
    while True:
        try:
            return await provision(connection, topology, replicas=replicas)
        except BrokerAway:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(AGAIN_S)


async def provision(connection: Connection, topology: Topology, *, replicas: int = 1) -> list[str]:
    """Create what is missing and bring the rest in line; returns what was changed, one line each."""
    changed: list[str] = []
    for stream in topology.streams.values():
        changed += await _provision_stream(connection, stream_config(stream, replicas))
    for consumer in topology.all_consumers():
        changed += await _provision_consumer(connection, consumer.stream, consumer_config(consumer, replicas))
    return changed


async def drift(connection: Connection, topology: Topology, *, replicas: int = 1) -> list[str]:
    """Where the broker differs from the topology, one line each; nothing is changed."""
    found: list[str] = []
    for stream in topology.streams.values():
        wanted = stream_config(stream, replicas)
        found += differences(stream.name, wanted, await _stream(connection, stream.name))
    for spec in topology.all_consumers():
        there = await _consumer(connection, spec.stream, spec.durable)
        found += differences(f"{spec.stream}/{spec.durable}", consumer_config(spec, replicas), there)
    return found


def stream_config(spec: StreamSpec, replicas: int) -> dict[str, Any]:
    """A stream's configuration as the JetStream API takes it."""
    return {
        "name": spec.name,
        "subjects": list(spec.subjects),
        "retention": "limits",
        "storage": "file",
        "discard": spec.discard,
        "max_bytes": spec.max_bytes,
        "max_age": spec.max_age * NANO,
        "max_msg_size": spec.max_msg_size,
        "duplicate_window": DUPLICATE_WINDOW_S * NANO,
        "deny_delete": spec.deny_delete,
        "deny_purge": spec.deny_purge,
        "num_replicas": replicas,
        "allow_direct": True,
        "allow_atomic": spec.allow_atomic,
    }


def consumer_config(spec: ConsumerSpec, replicas: int) -> dict[str, Any]:
    """A durable's configuration as the JetStream API takes it."""
    config = {
        "durable_name": spec.durable,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": spec.ack_wait * NANO,
        "max_ack_pending": spec.max_ack_pending,
        "max_deliver": -1,  # attempts are counted in the inbox, and set aside from there
        "num_replicas": replicas,
    }
    return config | ({"filter_subjects": list(spec.filters)} if spec.filters else {})


def differences(name: str, wanted: Mapping[str, Any], there: Mapping[str, Any] | None) -> Iterable[str]:
    """Each setting that is not as wanted."""
    if there is None:
        return [f"{name} is missing"]
    found = {**there, "filter_subjects": there.get("filter_subjects") or _single(there)}
    return [
        f"{name}: {key} is {found.get(key)!r}, should be {value!r}"
        for key, value in {"filter_subjects": [], **wanted}.items()
        if _plain(found.get(key)) != _plain(value)
    ]


async def _provision_stream(connection: Connection, wanted: dict[str, Any]) -> list[str]:
    name = wanted["name"]
    there = await _stream(connection, name)
    changes = list(differences(name, wanted, there))
    if there is None:
        await connection.request(f"STREAM.CREATE.{name}", wanted)
    elif changes:
        await connection.request(f"STREAM.UPDATE.{name}", {**there, **wanted})
    return changes


async def _provision_consumer(connection: Connection, stream: str, wanted: dict[str, Any]) -> list[str]:
    """A durable is updated in place: deleting it would forget where its service had got to."""
    durable = wanted["durable_name"]
    changes = list(differences(f"{stream}/{durable}", wanted, await _consumer(connection, stream, durable)))
    if changes:
        request = {"stream_name": stream, "config": wanted}
        await connection.request(f"CONSUMER.DURABLE.CREATE.{stream}.{durable}", request)
    return changes


async def _stream(connection: Connection, name: str) -> dict[str, Any] | None:
    try:
        config: dict[str, Any] = (await connection.request(f"STREAM.INFO.{name}"))["config"]
    except PublishRefused as error:
        if error.code == NO_STREAM:
            return None
        raise
    return config


async def _consumer(connection: Connection, stream: str, durable: str) -> dict[str, Any] | None:
    try:
        config: dict[str, Any] = (await connection.request(f"CONSUMER.INFO.{stream}.{durable}"))["config"]
    except PublishRefused as error:
        if error.code in {NO_STREAM, NO_CONSUMER}:
            return None
        raise
    return config


def _single(there: Mapping[str, Any]) -> list[str]:
    return [there["filter_subject"]] if there.get("filter_subject") else []


def _plain(value: Any) -> Any:
    """Absent, zero and false mean the same to the broker; lists are compared without order."""
    if isinstance(value, list):
        return sorted(value)
    return value or 0
