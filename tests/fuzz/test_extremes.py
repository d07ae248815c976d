"""Every time, number and size of every event at its extremes, over the bus, to all services at once."""

import asyncio
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from headrace.bus import Connection, connect
from headrace.contracts import EVENTS, load_topology, subject_of
from headrace.testkit.patience import eventually
from headrace.testkit.town import Town

EXAMPLES = Path(__file__).parents[2] / "schemas/examples"
MOMENTS = ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2199-12-31T23:59:59Z", "20261130T170000Z"]
NUMBERS = ["1e400", "-1e308", str(2**63), str(-(2**63)), str(2**31), "0", "NaN", "5e-324"]
WORDS = ["", "\x00", "a" * 100_000]


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


def extremes(value: Any) -> list[str]:
    """What to put in place of a leaf, as JSON."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return NUMBERS
    looks_like_a_time = isinstance(value, str) and value[4:5] == "-" and "T" in value
    return [json.dumps(each) for each in (MOMENTS if looks_like_a_time else WORDS)]


def spoiled(document: dict[str, Any]) -> Iterator[bytes]:
    """The document with one leaf at one extreme, again and again; its id is new each time."""
    for at, value in places(document):
        for number, extreme in enumerate(extremes(value)):
            changed = copy.deepcopy(document)
            changed["id"] = f"{document['id']}-{'.'.join(map(str, at))}-{number}"
            holder: Any = changed
            for part in at[:-1]:
                holder = holder[part]
            holder[at[-1]] = "EXTREME"
            yield json.dumps(changed).replace('"EXTREME"', extreme).encode()


async def test_no_extreme_stops_a_consumer(town: Town) -> None:
    """All are handled, refused or parked; afterwards every durable has come to the end of its stream, and goes on."""
    admin = await connect(town._broker.settings("provisioner"), name="extremes")
    count = 0
    for kind, document in examples():
        subject = subject_of(kind, document["subject"])
        sent = [await admin.publish(subject, body) for body in spoiled(document)]
        count += len(await asyncio.gather(*sent))
    assert count > 1000

    await eventually(lambda: all_handled(admin), timeout=300)

    async with httpx.AsyncClient(timeout=30) as http:
        for name in town.services:
            path = "/v2/health/live" if name == "inference" else "/ready"
            answer = await http.get(town.urls[name] + path)
            problems = answer.json().get("problems", {})
            assert not [each for each in problems if each.startswith(("stuck", "tap", "handling"))], answer.text
    await admin.close()


async def all_handled(admin: Connection) -> bool:
    """Whether nothing waits for any durable but what was asked to come back later."""
    for spec in load_topology().all_consumers():
        info = await admin.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
        if info["num_pending"]:
            return False
    return True
