"""A channel that nobody else knows, added from this file alone: from the declaration to a delivery."""

import json
from collections.abc import Iterator
from typing import cast

import pytest

from headrace.channels import CHANNELS, Channel, Delivery, Means, NotDelivered
from headrace.contracts import AlertRaised, ContractError
from headrace.tasks import parse_declaration
from headrace.testkit import Harness
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import eventually

from .conftest import answer_day, declared, trained


class Pager:
    """Rings a bell in a room."""

    name = "pager"
    about = "a bell in a room"

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.failures = 1

    def place_problem(self, to: str) -> str | None:
        """Rooms are numbers."""
        return None if to.isdecimal() else f"{to!r} is no room"

    async def deliver(self, delivery: Delivery, means: Means) -> None:
        """The first ring is not heard."""
        if self.failures:
            self.failures -= 1
            raise NotDelivered("nobody is there")
        self.rung.append((delivery.to, json.loads(delivery.body)["id"]))


@pytest.fixture
def pager() -> Iterator[Pager]:
    """The one line that a channel takes, undone after the test."""
    channels, added = cast("dict[str, Channel]", CHANNELS), Pager()
    channels["pager"] = added
    yield added
    del channels["pager"]


@pytest.mark.parametrize(
    ("told", "wrong"),
    [({"channel": "pagr", "to": "12"}, "did you mean 'pager'"), ({"channel": "pager", "to": "hall"}, "is no room")],
)
def test_it_is_checked_when_it_is_declared(pager: Pager, told: dict[str, str], wrong: str) -> None:
    """Its name, and its place by its own rule."""
    with pytest.raises(ContractError, match=wrong):
        parse_declaration({"name": "m", "data": {"dataset": "d", "target": "y"}, "monitoring": {"tell": [told]}})


async def test_a_windows_finding_rings(pager: Pager, on: Harness, s3: S3) -> None:
    """Drift in a window, the alert, the delivery: nothing but this file knows of pagers."""
    await on.say(declared(tell=[{"channel": "pager", "to": "12", "severity": "info"}]))
    await on.say(trained(s3))
    await answer_day(on, 0, shift=1.0)
    await answer_day(on, 1, shift=1.0)
    said = await on.heard(AlertRaised)

    await eventually(lambda: bool(pager.rung))

    assert pager.rung == [("12", said.id)]
