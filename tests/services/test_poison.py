"""Poison in every background loop of every service: the loops are derived, so that a new one is tried at once."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from headrace.chassis import Every, Service
from headrace.chassis.settings import ServiceSettings
from headrace.contracts import load_topology
from headrace.testkit import Harness

SERVICES = sorted(name for name, kind in load_topology().identities.items() if kind == "service")
SOON = timedelta(milliseconds=20)
ATTEMPTS = 2


class Broken(Exception):
    """What poison does where it is looked at."""


class Poison:
    """An item in which everything is wrong: it has no field, cannot be unpacked, compared or written to a database."""

    def __getattr__(self, name: str) -> Any:
        raise Broken(f"this item has no {name}")

    def __iter__(self) -> Any:
        raise Broken("this item cannot be unpacked")

    def __repr__(self) -> str:
        return "Poison()"


class Poisoned:
    """A loop of a service with its own name, handler and way of giving up, among whose items one is poison.

    `others` counts how often an item beside it was handled after the poison had been tried.
    """

    def __init__(self, loop: Every[Any, Any]) -> None:
        self._loop = loop
        self.tried = 0
        self.others = 0
        self.cured = False

    async def due(self, _: object) -> Mapping[str, Any]:
        """The poison first, and a fresh item each time."""
        poison = {} if self.cured and not self._loop.for_ever else {"poison": Poison()}
        return {**poison, f"other-{self.others}": None}

    async def handle(self, context: Any, item: Any) -> None:
        """The poison goes to the loop's own handler; a chore has no items, so it is the chore itself that breaks."""
        if item is None:
            self.others += bool(self.tried)
            return
        self.tried += 1
        if not self._loop.for_ever:
            await self._loop.handle(context, item)
        elif not self.cured:
            raise Broken("this chore cannot be done")

    @property
    def name(self) -> str:
        """The name of the loop."""
        return self._loop.name

    @property
    def is_chore(self) -> bool:
        """Whether it must go on whatever happens."""
        return self._loop.for_ever

    def loop(self) -> Every[Any, Any]:
        """As the service runs it, in a hurry."""
        retry_policy = replace(self._loop.retry_policy, first_delay=SOON, longest_delay=SOON)
        hurried = {"interval": lambda: SOON, "wait_first": False, "wake": None, "retry_policy": retry_policy}
        return replace(self._loop, due=self.due, handle=self.handle, **hurried)


@pytest.fixture(params=SERVICES)
async def poisoned(request: pytest.FixtureRequest, harness: Any, sqlite_url: str, tmp_path: Any) -> AsyncIterator[Any]:
    """A service as it is, all of whose loops are poisoned; and the loops by name."""
    name = request.param
    loops: dict[str, Poisoned] = {}

    def build(settings: Any) -> Service:
        service: Service = import_module(f"headrace.{name}.service").build(settings)
        for each in service.background:
            assert isinstance(each, Every), f"{name} has a loop that is not run by every(): {each}"
            loops.setdefault(each.name, Poisoned(each))
        assert len(loops) == len(service.background), f"two loops of {name} have one name"
        # no object store runs here, and it is not the subject
        return replace(service, background=[each.loop() for each in loops.values()], dependencies=())

    told = {"database_url": sqlite_url, "dead_letter_after_attempts": ATTEMPTS, **own_folders(name, tmp_path)}
    async with harness(build, settings_of(name), **told) as on:
        yield on, loops


def settings_of(name: str) -> type[ServiceSettings]:
    """The settings of a service."""
    module = import_module(f"headrace.{name}.settings")
    mine = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)
    found: type[ServiceSettings] = next(each for each in mine if issubclass(each, ServiceSettings))
    return found


def own_folders(name: str, folder: Any) -> dict[str, Any]:
    """Settings that name a folder."""
    told = {"audit_key_file": folder / "signing.key", "ingest_spool": folder / "spool"}
    return {key: value for key, value in told.items() if key in settings_of(name).model_fields}


async def test_poison_stops_no_loop_and_people_see_and_clear_it(poisoned: Any, eventually: Any) -> None:
    """Others go on, `/ready` names the item, `/dead-letters` lists it; a replay tries it anew, a drop clears it."""
    on, loops = poisoned
    with_items = {name for name, each in loops.items() if not each.is_chore}
    chores = loops.keys() - with_items

    rows = await eventually(lambda: dead_letter(on, with_items))
    await eventually(lambda: all(each.others > 3 for each in loops.values()))
    await eventually(lambda: names_all(on, with_items, chores))

    assert {name: row["attempts"] <= ATTEMPTS for name, row in rows.items()} == dict.fromkeys(with_items, True)

    for row in rows.values():
        (await on.http.post(f"/dead-letters/{row['id']}/replay")).raise_for_status()
    again = await eventually(lambda: dead_letter(on, with_items, but=rows))
    for each in loops.values():
        each.cured = True
    for row in again.values():
        (await on.http.delete(f"/dead-letters/{row['id']}")).raise_for_status()

    await eventually(lambda: is_clear(on))


async def dead_letter(on: Harness, loops: set[str], but: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The dead letters by loop, once each of these has one, other than those of `but`."""
    old = {row["id"] for row in (but or {}).values()}
    found: dict[str, Any] = defaultdict(dict)
    for row in (await on.http.get("/dead-letters")).json()["items"]:
        if row["id"] not in old:
            assert row["key"] == "poison"
            found[row["type"].removeprefix("headrace.loop.")] = row
    return dict(found) if found.keys() == loops else None


async def names_all(on: Harness, with_items: set[str], chores: set[str]) -> bool:
    """Whether `/ready` names each poison, and sees no problem of the whole service."""
    ready = (await on.http.get("/ready")).json()
    named = {name for name in with_items if any(f"loop.{name} poison" in told for told in ready["degraded"].values())}
    return (
        named == with_items
        and {f"{name}/poison" for name in chores} <= ready["degraded"].keys()
        and not ready["problems"]
    )


async def is_clear(on: Harness) -> bool:
    """Whether `/ready` has nothing to tell."""
    answer = (await on.http.get("/ready")).json()
    return answer["status"] == "ready" and not answer["degraded"]
