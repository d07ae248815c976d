"""Every time, number and size of every event at its extremes, over the bus, to all services at once."""

import asyncio
import copy
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from headrace.bus import Connection, connect
from headrace.contracts import EVENTS, load_topology, subject_of
from headrace.contracts.topology import ConsumerSpec
from headrace.testkit.cluster import Cluster
from headrace.testkit.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "schemas/examples"
# in place of every leaf of an event's data
MOMENTS = ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
NUMBERS = ["-1e308", str(2**63)]
WORDS = ["", "a" * 100_000]
# in place of the first leaf of its kind in every event: what is decided before anybody asks which field it is
MORE = {
    "time": ["2199-12-31T23:59:59Z", "20261130T170000Z"],
    "number": ["1e400", "NaN", "0", "5e-324", str(-(2**63)), str(2**31)],
    "word": ["\x00"],
}
ENVELOPE = 3  # events whose envelope is spoiled too: all have the same


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """A golden message of every event."""
    for kind in EVENTS:
        name = kind.removeprefix("headrace.")
        files = sorted((EXAMPLES / name / "valid").glob("*.json"))
        assert files, f"{kind} has no example"
        yield kind, json.loads(files[0].read_text())


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf of a document."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from places(each, (*at, name))
    elif isinstance(value, list):
        for number, each in enumerate(value[:2]):
            yield from places(each, (*at, number))
    else:
        yield at, value


def kind_of(value: Any) -> str | None:
    """What a leaf is, as far as extremes go; None for what has none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return "number"
    return "time" if value[4:5] == "-" and "T" in value else "word"


def extremes(kind: str, *, first: bool) -> list[str]:
    """What to put in place of a leaf, as JSON."""
    usual: dict[str, list[str]] = {"time": MOMENTS, "number": NUMBERS, "word": WORDS}
    chosen = [*usual[kind], *(MORE[kind] if first else ())]
    return chosen if kind == "number" else [json.dumps(each) for each in chosen]


def spoiled(document: dict[str, Any], *, envelope: bool) -> Iterator[bytes]:
    """The document with one leaf at one extreme, again and again; its id is new each time."""
    met: set[str] = set()
    for at, value in places(document if envelope else {"data": document["data"]}):
        kind = kind_of(value)
        if kind is None:
            continue
        for number, extreme in enumerate(extremes(kind, first=kind not in met)):
            yield with_extreme(document, at, extreme, f"{'.'.join(map(str, at))}-{number}")
        met.add(kind)


def with_extreme(document: dict[str, Any], at: tuple[Any, ...], extreme: str, id_: str) -> bytes:
    """The document with this JSON at this place."""
    changed = copy.deepcopy(document)
    changed["id"] = f"{document['id']}-{id_}"
    holder: Any = changed
    for part in at[:-1]:
        holder = holder[part]
    holder[at[-1]] = "EXTREME"
    return json.dumps(changed).replace('"EXTREME"', extreme).encode()


async def test_no_extreme_stops_a_consumer(cluster: Cluster) -> None:
    """All are handled, refused or set aside; afterwards every durable handles what comes, and every service is well."""
    admin = await connect(cluster.bus("provisioner"), name="extremes")
    count = 0
    for at, (kind, document) in enumerate(examples()):
        subject = subject_of(kind, document["subject"])
        sent = [await admin.publish(subject, body) for body in spoiled(document, envelope=at < ENVELOPE)]
        count += len(await asyncio.gather(*sent))
    assert count > 1000
    await eventually(lambda: all_handled(admin), timeout=300)

    since = await said_well(admin)

    specs = [spec for spec in load_topology().all_consumers() if spec.stream in since]
    assert {spec.durable for spec in specs} == {name for name in cluster.services if name != "inference"}
    for spec in specs:
        await eventually(lambda spec=spec: reached(cluster, spec) >= since[spec.stream], timeout=60)
    async with httpx.AsyncClient(timeout=30) as http:
        for name in cluster.services:
            path = "/v2/health/live" if name == "inference" else "/ready"
            answer = await http.get(cluster.urls[name] + path)
            assert not answer.json().get("problems"), answer.text
    await admin.close()


async def said_well(admin: Connection) -> dict[str, int]:
    """Publish a valid message of every event; returns where in each stream they begin."""
    since: dict[str, int] = {}
    for kind, document in examples():
        body = json.dumps({**document, "id": f"{document['id']}-well"}).encode()
        ack = await admin.publish_and_wait(subject_of(kind, document["subject"]), body)
        since.setdefault(ack.stream, ack.seq)
    return since


def reached(cluster: Cluster, spec: ConsumerSpec) -> int:
    """The last message of a stream on which a service has come to a verdict, by its own database."""
    handled = "SELECT max(seq) FROM inbox WHERE stream = :stream AND done_at IS NOT NULL"
    taken = "SELECT max(seq) FROM stream_checkpoint WHERE stream = :stream"
    with closing(sqlite3.connect(f"{cluster.data(spec.durable)}.db")) as database:
        found = [database.execute(query, {"stream": spec.stream}).fetchone()[0] for query in (handled, taken)]
    return max(seq or 0 for seq in found)


async def all_handled(admin: Connection) -> bool:
    """Whether nothing waits for any durable but what was asked to come back later."""
    for spec in load_topology().all_consumers():
        info = await admin.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
        if info["num_pending"]:
            return False
    return True
