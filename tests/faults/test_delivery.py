"""The broker delivers what it delivered before, bad messages among good ones, and newer ones than we know."""

import asyncio
import json
import time
from typing import Any

import pytest
from test_kill_points import EVERY, FAULT

from headrace.bus import BusSettings, PublishRefused, connect
from headrace.contracts import load_topology

pytestmark = pytest.mark.faults
CLOUD = {"Content-Type": "application/cloudevents+json"}


def test_everything_delivered_again_and_again(rig: Any, trial: Any, judged: Any) -> None:
    """Every durable is set back to the first message of its stream, five times, while new ones come."""
    load = trial().start()
    for share in (0.2, 0.4, 0.6, 0.8):
        load.sent(share)
        rig.admin(_set_back)
    load.finish()
    rig.admin(_set_back)
    judged("every message delivered 1 to 5 times, whole streams replayed", load, trials=5)


async def _set_back(connection: Any) -> None:
    for spec in load_topology().all_consumers():
        await connection.request(f"CONSUMER.RESET.{spec.stream}.{spec.durable}", {"seq": 1})


def test_poison_among_healthy_messages(rig: Any, trial: Any, judged: Any) -> None:
    """What cannot be read is set aside with its reason, at once; what is too large never gets in."""
    load = trial().start()
    load.sent(0.2)
    places = rig_publish(rig, _poison(load.trial))
    load.finish()
    poison = {f"outsider:{stream}-{seq}/unread" for stream, seq in places}
    judged("poison among healthy messages", load, trials=len(places), poison=poison)


def test_killed_while_it_parks_what_cannot_be_read(rig: Any, trial: Any, judged: Any, row: Any) -> None:
    """Parked and not yet acknowledged: it comes again, and lies there once."""
    point = "processor.unreadable_parked"
    rig.stop("trainer")
    rig.start("trainer", FAULT_AT=f"{point}:2")
    load = trial().start()
    load.sent(0.2)
    places = rig_publish(rig, _poison(load.trial))
    assert rig.wait_dead("trainer")
    rig.processes.pop("trainer")
    rig.start("trainer")
    load.finish()
    judged(FAULT, load, poison={f"outsider:{stream}-{seq}/unread" for stream, seq in places})
    row(FAULT).points, row(FAULT).points_of = [point], len(EVERY)


def _poison(trial: str) -> list[tuple[str, bytes, dict[str, str]]]:
    """Requests that no schema allows."""
    envelope = {
        "specversion": "1.0",
        "id": f"{trial}-poison",
        "source": "headrace/operator",
        "type": "headrace.request.training.v1",
        "time": "2026-01-05T12:00:00Z",
        "datacontenttype": "application/json",
        "subject": "x",
        "data": {"model": "x"},
    }
    subject = "headrace.request.training.x"
    bad = [
        b'{"half": ',
        b"\xff\xfe\x00",
        json.dumps({**envelope, "data": {"model": "x", "seed": "not a number"}}).encode(),
        json.dumps({**envelope, "data": {"model": "another than its subject says"}}).encode(),
        json.dumps({**envelope, "type": "headrace.request.training.v9"}).encode(),
        json.dumps({**envelope, "type": "headrace.request.nonsense.v1"}).encode(),
        json.dumps({**envelope, "specversion": "2.0"}).encode(),
        json.dumps([envelope]).encode(),
    ]
    return [(subject, body, dict(CLOUD)) for body in bad]


def rig_publish(rig: Any, messages: list[tuple[str, bytes, dict[str, str]]]) -> list[tuple[str, int]]:
    """Publish as somebody from outside; returns where the messages lie."""

    async def publish() -> list[tuple[str, int]]:
        layout = rig.layout
        connection = await connect(BusSettings(layout.nats_url, "outsider", layout.seed("outsider")), name="outsider")
        try:
            acks = [await connection.publish_and_wait(*message) for message in messages]
            return [(ack.stream, ack.seq) for ack in acks]
        finally:
            await connection.close()

    return asyncio.run(publish())


def test_a_message_over_the_size_limit_is_refused_where_it_is_sent(rig: Any) -> None:
    """Nobody downstream ever sees it."""
    with pytest.raises(PublishRefused, match="maximum payload"):
        rig_publish(rig, [("headrace.request.training.x", b"x" * (9 * 2**20), CLOUD)])


def test_newer_and_older_speakers(rig: Any, trial: Any, judged: Any) -> None:
    """What a later version adds is passed over, what an older one does not know is optional: nothing is set aside."""
    load = trial(count=0)
    at = "2026-01-05T12:00:00Z"
    said = []
    for number in range(40):
        data: dict[str, Any] = {"model": "without-data", "reason": f"extra-{load.trial}-{number}"}
        envelope = {"specversion": "1.0", "id": f"extra-{load.trial}-{number}", "source": "somebody/new", "time": at}
        envelope |= {"type": "headrace.request.training.v1", "subject": "without-data"}
        if number % 2:
            data |= {"a_field_of_next_year": {"deep": [1, 2, 3]}}
            envelope |= {"anattribute": "of next year"}
        else:
            data.pop("reason") if number % 4 else None
        body = json.dumps({**envelope, "data": data}).encode()
        said.append(("headrace.request.training.without-data", body, {**CLOUD, "Nats-Msg-Id": str(envelope["id"])}))
    before = rig.rows("trainer", "SELECT count(*) FROM trainer_run")[0][0]
    rig_publish(rig, said)
    judged("old consumer with new producer, and the reverse", load, trials=40)
    assert rig.rows("trainer", "SELECT count(*) FROM trainer_run")[0][0] == before + 40


def test_the_clock_jumps(rig: Any, trial: Any, judged: Any, tmp_path: Any) -> None:
    """An hour forward and two back, under load: leases, windows and ids hold."""
    from pathlib import Path

    offset = tmp_path / "offset"
    offset.write_text("0")
    shim = {"PYTHONPATH": str(Path(__file__).parent / "clock"), "FAULT_CLOCK": str(offset)}
    services = ("registry", "trainer", "monitor", "ingest", "deployer", "audit")
    for service in services:
        rig.environment[service] = shim
        rig.stop(service)
        rig.start(service)
    for service in services:
        rig.ready(service)
    load = trial().start()
    for share, seconds in ((0.25, "3600"), (0.6, "-3600")):
        load.sent(share)
        offset.write_text(seconds)
    judged("clock jumps an hour either way", load.finish(), trials=2)
    for service in services:
        rig.environment.pop(service)
        rig.stop(service)
        rig.start(service)
    for service in services:
        rig.ready(service)


def test_services_stopped_past_the_ack_wait(rig: Any, trial: Any, judged: Any) -> None:
    """SIGSTOP in mid-handling for longer than the ack wait; what the zombie does when it wakes changes nothing."""
    import signal

    for _ in range(2):
        load = trial().start()
        load.sent(0.3)
        stopped = ("registry", "trainer", "monitor", "audit", "ingest", "deployer")
        for service in stopped:
            rig.signal(service, signal.SIGSTOP)
        time.sleep(12.0)  # the ack wait is 10 s
        for service in stopped:
            rig.signal(service, signal.SIGCONT)
        judged("process stopped past the ack wait, then woken", load.finish(), trials=6)
