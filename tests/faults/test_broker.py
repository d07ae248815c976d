"""The broker dies, goes away, or takes nothing more; services wait, say so, and lose nothing."""

import random
import time
from typing import Any

import pytest
from disks import fill, small_disk

from headrace.contracts import load_topology
from headrace.contracts.services import SERVICES

pytestmark = pytest.mark.faults
AWAY_S = 20.0  # ten minutes, at a thirtieth
ROOM_MB = 192  # the broker's disk
FULL = 40_000  # bytes that are left in the stream when its quota is set


def test_killed_while_nothing_happens(rig: Any, trial: Any, judged: Any) -> None:
    """And back again."""
    for _ in range(3):
        rig.kill("nats")
        rig.start("nats")
        rig.ready("nats")
        judged("broker killed, idle", trial().run())


@pytest.mark.parametrize("seed", range(8))
def test_killed_under_load(rig: Any, seed: int, trial: Any, judged: Any) -> None:
    """At any moment of it."""
    load = trial().start()
    load.sent(random.Random(seed).uniform(0.05, 0.8))
    rig.kill("nats")
    rig.start("nats")
    judged("broker killed under load", load.finish())


@pytest.mark.parametrize("service", ["registry", "monitor", "audit"])
def test_killed_between_delivery_and_acknowledgement(rig: Any, service: str, trial: Any, judged: Any) -> None:
    """The messages are with a service that cannot answer; what it did when it wakes is known."""
    load = trial().start()
    load.sent(0.2)
    rig.until(lambda: _in_hand(rig, service), f"{service} has something in hand")
    rig.kill("nats")
    rig.start("nats")
    judged("broker killed between delivery and ack", load.finish())


def _in_hand(rig: Any, service: str) -> bool:
    (spec,) = [spec for spec in load_topology().consumers(service) if spec.stream == "REQUESTS"]

    async def ask(connection: Any) -> int:
        found = await connection.request(f"CONSUMER.INFO.{spec.stream}.{spec.durable}")
        return int(found["num_ack_pending"])

    return bool(rig.admin(ask))


def test_away_for_long(rig: Any, trial: Any, judged: Any, row: Any) -> None:
    """Everybody says that they cannot work, nobody gives up, and all go on within a second of its return."""
    load = trial().start()
    load.sent(0.3)
    rig.kill("nats")
    for service in SERVICES:
        rig.until(lambda service=service: "broker" in rig.problems(service), f"{service} misses the broker")
    time.sleep(AWAY_S)
    rig.start("nats")
    rig.ready("nats")
    began = time.monotonic()
    for service in SERVICES:
        rig.until(lambda service=service: "broker" not in rig.problems(service), f"{service} is connected again", 5)
    back = time.monotonic() - began
    assert back < 1.5, f"{back:.1f} s until everybody was connected again"
    judged("broker away for 10 minutes (time scaled 1:30)", load.finish())


def test_out_of_quota(rig: Any, trial: Any, judged: Any) -> None:
    """The stream takes nothing more: outboxes wait, and say so; they drain when there is room again."""
    usual = _resize(rig, None)
    load = trial()
    _resize(rig, FULL)
    load.start()
    rig.until(lambda: "outbox" in rig.problems("registry"), "registry says that its outbox waits")
    assert "maximum bytes" in rig.problems("registry")["outbox"]
    load.finish()
    _resize(rig, usual)
    judged("broker out of quota", load)


def test_disk_full(rig: Any, trial: Any, judged: Any) -> None:
    """Nothing is stored any more: outboxes wait; with room again, and the restart that the broker needs, all go on."""
    disk = rig.layout.data("nats")
    with small_disk(disk, ROOM_MB, before=lambda: rig.stop("nats"), after=lambda: rig.start("nats")):
        rig.ready("nats")
        load = trial().start()
        load.sent(0.2)
        fill(disk / "filler")
        rig.until(lambda: "outbox" in rig.problems("registry"), "registry says that its outbox waits")
        (disk / "filler").unlink()
        # nats-server keeps a stream's write error until it starts anew, and its health check does not tell
        assert "outbox" in rig.problems("registry")
        rig.kill("nats")
        rig.start("nats")
        rig.ready("nats")
        judged("broker out of disk", load.finish())


def _resize(rig: Any, room: int | None) -> int:
    """Give the stream EVENTS so many bytes over what it holds, or exactly so many; returns what it had."""

    async def ask(connection: Any) -> int:
        info = await connection.request("STREAM.INFO.EVENTS")
        had = int(info["config"]["max_bytes"])
        if room is not None:
            size = room if room > 10**6 else info["state"]["bytes"] + room
            await connection.request("STREAM.UPDATE.EVENTS", info["config"] | {"max_bytes": size})
        return had

    found: int = rig.admin(ask)
    return found
