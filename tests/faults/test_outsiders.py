"""A program outside asks and listens with a key of its own, while the broker and who answers it die."""

import asyncio
import json
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import nats
import pytest
from load import IDLE_MODEL
from nats.errors import Error

from headrace.bus import Follower
from headrace.bus.messages import RawMessage
from headrace.contracts import decode
from headrace.local.programs import write_broker
from headrace.provision.outsiders import Outsiders, reload_broker

NAME, COUNT, PACE_S = "partner", 120, 0.02
SUBJECT = f"headrace.request.training.{IDLE_MODEL}"
QUEUED = "headrace.training.queued.v1"
FAULT = "an outsider's requests and answers, while broker and trainer are killed"


class Partner:
    """Sends its requests until each is acknowledged, under ids of its own and without asking for deduplication."""

    def __init__(self, rig: Any, prefix: str) -> None:
        self._rig, self._prefix = rig, prefix
        self.acknowledged: set[str] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)
        self._thread.start()

    def sent(self, share: float) -> None:
        """Wait until a share of the requests is acknowledged."""
        self._rig.until(lambda: len(self.acknowledged) >= share * COUNT, f"{share:.0%} of {NAME}'s are acknowledged")

    def finish(self) -> None:
        """Wait for all."""
        self._thread.join(90)
        assert len(self.acknowledged) == COUNT

    async def _send(self) -> None:
        seed, forever = str(outsiders(self._rig).seed(NAME)), {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.1}
        url = self._rig.layout.nats_url
        client = await nats.connect(url, nkeys_seed=seed, error_cb=_passed_over, **forever)
        for number in range(COUNT):
            name = f"{self._prefix}-{number}"
            headers = {"ce-id": name, "ce-specversion": "1.0", "ce-type": "headrace.request.training.v1"}
            while name not in self.acknowledged:
                try:
                    body = json.dumps({"reason": name}).encode()
                    await client.request(SUBJECT, body, timeout=1, headers={**headers, "ce-source": "partner"})
                except (Error, TimeoutError):
                    await asyncio.sleep(0.05)
                else:
                    self.acknowledged.add(name)
            await asyncio.sleep(PACE_S)
        await client.close()


async def _passed_over(_error: Exception) -> None:
    """The broker is away for a while: requests are sent again."""


def outsiders(rig: Any) -> Outsiders:
    """Who is known outside."""
    return Outsiders(rig.layout.seed("any").parent)


def answers(rig: Any) -> list[RawMessage]:
    """All that outsiders were told."""

    async def read(connection: Any) -> list[RawMessage]:
        last = int((await connection.request("STREAM.INFO.ANSWERS"))["state"]["last_seq"])
        found: list[RawMessage] = []
        async with Follower(connection, "ANSWERS", ">", 1) as follower:
            async for message in follower:
                found.append(message)
                if message.seq >= last:
                    break
        return found

    return list(rig.admin(read))


@pytest.fixture
def partner(rig: Any) -> Any:
    """A name of its own at the broker."""
    outsiders(rig).add(NAME)
    _reload(rig)
    yield NAME
    outsiders(rig).remove(NAME)
    _reload(rig)


def _reload(rig: Any) -> None:
    write_broker(rig.layout)
    reload_broker(rig.processes["nats"].pid, Path(rig.layout.log("nats")))


@pytest.mark.faults
@pytest.mark.parametrize("point", ["processor.committed", "relay.stored"])
def test_an_outsiders_requests_are_done_once_and_answered_once(rig: Any, partner: str, point: str, row: Any) -> None:
    """Each acknowledged request is one run, and one copy of what it caused, whoever dies."""
    prefix, line, before = f"{partner}-{point}-{time.monotonic_ns()}", row(FAULT), rig.said()
    rig.stop("trainer")
    rig.start("trainer", FAULT_AT=f"{point}:1")
    sending = Partner(rig, prefix)
    sending.sent(0.2)
    rig.kill("nats", signal.SIGKILL)
    rig.start("nats")
    assert rig.wait_dead("trainer")
    rig.processes.pop("trainer")
    rig.start("trainer")
    sending.sent(0.7)
    rig.kill("nats", signal.SIGKILL)
    rig.start("nats")
    sending.finish()
    rig.ready("trainer")
    rig.quiet()

    runs = Counter(reason for (reason,) in rig.rows("trainer", "SELECT reason FROM trainer_run"))
    told = [decode(message.data) for message in answers(rig)]
    copies = Counter(each.causationid for each in told if each.type == QUEUED)
    asked = sending.acknowledged
    line.trials, line.events = line.trials + 3, line.events + rig.said() - before
    line.lost += sum(runs[name] == 0 for name in asked) + sum(copies[f"{partner}:{name}"] == 0 for name in asked)
    line.doubled += sum(runs[name] > 1 for name in asked) + sum(copies[f"{partner}:{name}"] > 1 for name in asked)
    assert {name: runs[name] for name in asked} == dict.fromkeys(asked, 1)
    assert {name: copies[f"{partner}:{name}"] for name in asked} == dict.fromkeys(asked, 1)
