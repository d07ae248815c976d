"""Alerts reach people: each once where all goes well, again where it did not, and no place keeps another waiting."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from headrace.contracts import AlertRaised
from headrace.monitor.service import build
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import DeliveryRow
from headrace.testkit import Harness
from headrace.testkit.receiver import Receiver, receiver
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

from .conftest import answer_day, declared, trained

SOON = timedelta(milliseconds=50)


@pytest.fixture
async def on(harness: Callable[..., Harness], database_url: str, s3: S3) -> AsyncIterator[Harness]:
    """A monitor that may reach this machine, and tries again soon."""
    told = {
        "monitor_look_every": 0.05,
        "objects": s3.settings,
        "database_url": database_url,
        "monitor_private_hosts": {"127.0.0.1"},
        "monitor_delivery_retry": SOON,
        "monitor_delivery_timeout": timedelta(seconds=2),
        "dead_letter_after_attempts": 3,
    }
    async with harness(build, MonitorSettings, **told) as running:
        yield running


def alert(severity: str = "critical", name: str = "a1") -> AlertRaised:
    """Something that somebody should look at."""
    told = {"model": "flights", "alert": name, "kind": "drift", "severity": severity, "message": "look"}
    return AlertRaised.model_validate(told)


async def tells(on: Harness, *places: str, **more: Any) -> None:
    """Declare who is told."""
    await on.say(declared(tell=[{"channel": "webhook", "to": each, **more} for each in places]))
    await on.quiet()


async def listed(on: Harness, state: str | None = None) -> list[dict[str, Any]]:
    """The deliveries, newest first."""
    items = (await on.http.get("/models/flights/deliveries")).json()["items"]
    return [each for each in items if state in (None, each["state"])]


def events(kept: Receiver) -> list[str]:
    """The ids of what was received."""
    return [json.loads(body)["id"] for _, body in kept.received]


async def test_a_finding_reaches_whoever_is_declared(on: Harness, s3: S3) -> None:
    """From drifted data to a POST: the event as everybody hears it, once."""
    with receiver() as kept:
        await on.say(declared(tell=[{"channel": "webhook", "to": kept.url}]))
        await on.say(trained(s3))
        await answer_day(on, 0, shift=1.0)
        await answer_day(on, 1, shift=1.0)
        said = await on.heard(AlertRaised)

        sent = await eventually(lambda: listed(on, "sent"))

    assert events(kept) == [said.id]
    assert [(each["channel"], each["to"], each["kind"]) for each in sent] == [("webhook", kept.url, "drift")]


async def test_a_receiver_that_fails_first_is_told_again(on: Harness) -> None:
    """With the same key, until it has answered well."""
    with receiver(500, 503) as kept:
        await tells(on, kept.url)
        await on.say(alert(), as_="registry")
        await eventually(lambda: listed(on, "sent"))

    assert len({headers["idempotency-key"] for headers, _ in kept.received}) == 1
    assert len(kept.received) == 3


async def test_after_a_restart_nothing_is_lost_and_nothing_sent_twice(on: Harness) -> None:
    """What was told of stays told; what was not is told."""
    with receiver() as first, receiver(500) as second:
        await tells(on, first.url, second.url)
        await on.say(alert(), as_="registry")
        await eventually(lambda: listed(on, "sent"))
        await on.restart()

        await eventually(lambda: is_told(on, 2))

    assert len(first.received) == 1
    assert len(second.received) == 2


async def is_told(on: Harness, count: int) -> bool:
    """Whether so many deliveries were made."""
    return len(await listed(on, "sent")) == count


async def test_a_place_that_hangs_or_fails_keeps_no_other_waiting(on: Harness) -> None:
    """Each delivery is on its own."""
    with receiver(0, 0, 0) as hangs, receiver() as well:
        await tells(on, hangs.url, "http://127.0.0.1:9/closed", well.url)
        await on.say(alert(), as_="registry")

        await eventually(lambda: listed(on, "sent"))
        assert len(hangs.received) == 1
        hangs.released.set()

    assert len(well.received) == 1


async def test_a_row_that_no_channel_takes_is_set_aside_and_the_others_are_sent(on: Harness) -> None:
    """A channel of a newer release, a place of a row that was changed by hand: each is a dead letter of its own."""
    with receiver() as kept:
        await tells(on, kept.url)
        async with on.app.state.runtime.work("service:monitor") as work:
            about = {"model": "flights", "alert": "a", "kind": "drift", "severity": "info", "created_at": work.now}
            for number, to in enumerate(["pigeon:loft", "webhook:no place", "webhook:http://["]):
                channel, _, place = to.partition(":")
                work.session.add(DeliveryRow(**about, delivery=f"bad.{number}", channel=channel, to=place, body=b"{}"))
        await on.say(alert(), as_="registry")

        await eventually(lambda: listed(on, "sent"))
        await eventually(lambda: is_given_up(on, 3))

    assert len(kept.received) == 1


async def is_given_up(on: Harness, count: int) -> bool:
    """Whether so many deliveries were given up."""
    return len(await listed(on, "given up")) == count


async def test_a_delivery_that_cannot_be_made_is_a_dead_letter_that_people_replay(on: Harness) -> None:
    """It is listed with its reason; a replay tries again."""
    with receiver(500, 500, 500) as kept:
        await tells(on, kept.url)
        await on.say(alert(), as_="registry")
        (lost,) = await eventually(lambda: listed(on, "given up"))
        assert "answered 500" in lost["reason"]

        (letter,) = (await on.http.get("/dead-letters")).json()["items"]
        assert letter["key"] == lost["delivery"]
        (await on.http.post(f"/dead-letters/{letter['id']}/replay")).raise_for_status()
        (told,) = await eventually(lambda: listed(on, "sent"))

    assert (told["delivery"], told["reason"]) == (lost["delivery"], None)


@pytest.mark.parametrize(("severity", "count"), [("info", 0), ("warning", 1), ("critical", 1)])
async def test_only_what_is_urgent_enough_is_sent(on: Harness, severity: str, count: int) -> None:
    """By default from warnings on."""
    with receiver() as kept:
        await tells(on, kept.url)
        await on.say(alert(severity), as_="registry")
        await on.quiet()

        assert len(await listed(on)) == count


async def test_a_place_that_is_away_for_long_keeps_no_other_out_of_sight(on: Harness) -> None:
    """Hundreds of alerts wait for it; those of another place are sent all the same, and a late replay is, too."""
    with receiver(*[500] * 10_000) as away, receiver() as well:
        await tells(on, away.url)
        for number in range(600):
            await on.say(alert(name=f"a{number}"), as_="registry")
        await on.say(declared(revision=2, tell=[{"channel": "webhook", "to": well.url}]))
        await on.quiet()
        await on.say(alert(), as_="registry")

        await eventually(lambda: listed(on, "sent"))

    assert len(well.received) == 1


async def test_an_alert_that_comes_before_its_model_is_told_all_the_same(on: Harness) -> None:
    """Events have no order between senders."""
    with receiver() as kept:
        await on.say(alert(), as_="registry")
        await tells(on, kept.url)
        await eventually(lambda: listed(on, "sent"))

    assert len(kept.received) == 1


async def test_the_same_alert_heard_twice_is_sent_once(on: Harness) -> None:
    """Redelivery by the broker is no second alert."""
    with receiver() as kept:
        await tells(on, kept.url)
        for _ in range(2):
            await on.say(alert(), as_="registry", id="8a8f7d8e-7f5e-5a3b-9a52-0c8a3c1b2d11")
        await eventually(lambda: listed(on, "sent"))
        await on.quiet()

    assert len(kept.received) == 1


async def test_what_is_not_public_is_not_reached_unless_it_is_allowed(
    harness: Callable[..., Harness], sqlite_url: str, s3: S3
) -> None:
    """Whoever may declare a model may not make the monitor ask inside the network."""
    told: dict[str, Any] = {"monitor_look_every": 0.05, "objects": s3.settings, "database_url": sqlite_url}
    with receiver() as kept:
        async with harness(
            build, MonitorSettings, monitor_delivery_retry=SOON, dead_letter_after_attempts=2, **told
        ) as on:
            await tells(on, kept.url)
            await on.say(alert(), as_="registry")
            (lost,) = await eventually(lambda: listed(on, "given up"))

    assert "not public" in lost["reason"]
    assert kept.received == []
