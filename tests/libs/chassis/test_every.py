"""Background loops: one bad item does not stop the others, and people see it."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from headrace.bus import NotYet, Refused, UnitOfWork
from headrace.bus.retry import RetryPolicy
from headrace.bus.tables import LoopItem
from headrace.chassis import Every, Runtime, ServiceSettings, every
from headrace.chassis.attempts import MemoryAttempts
from headrace.chassis.every import Ticker

SOON = timedelta(milliseconds=20)
HURRIED = RetryPolicy(first_delay=SOON, longest_delay=SOON, longest=timedelta(milliseconds=300))
NEVER = timedelta(hours=1)


class Away(Exception):
    """A store that everybody needs is away."""


@dataclass
class Chores:
    """Items and what becomes of each: an error, a wait in seconds, or nothing."""

    fates: dict[str, Exception | float | None]
    handled: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    broken: Exception | None = None

    async def due(self, _: object) -> Mapping[str, str]:
        """All of them that were not handled."""
        if self.broken:
            raise self.broken
        return {key: key for key in self.fates if key not in self.handled}

    async def handle(self, _: object, key: str) -> None:
        """Handle one."""
        self.tried.append(key)
        fate = self.fates[key]
        if isinstance(fate, Exception):
            raise fate
        await asyncio.sleep(fate or 0)
        self.handled.append(key)

    def loop(self, **more: Any) -> Every[Any, str]:
        """A hurried loop over them."""
        return every(SOON, self.due, self.handle, name="chores", **{"retry_policy": HURRIED, **more})


@pytest.fixture
def with_loop(on_sqlite: Any, program: Any, harness: Any, sqlite_url: str) -> Any:
    """The small service with one loop of the test's own."""

    def put(loop: Every[Any, Any], **settings: Any) -> Any:
        def build(told: ServiceSettings) -> Any:
            return replace(program.build(told), background=[loop])

        told = {"dead_letter_after_attempts": 3, **settings}
        return harness(build, ServiceSettings, identity="trainer", database_url=sqlite_url, **told)

    return put


async def dead_letter(on: Any) -> list[dict[str, Any]]:
    """What the service shows as set aside."""
    items: list[dict[str, Any]] = (await on.http.get("/dead-letters")).json()["items"]
    return items


async def test_a_failing_item_is_set_aside_named_and_the_others_are_handled(with_loop: Any, eventually: Any) -> None:
    """It is tried three times; `/ready` stays 200 and names it; the stream PARKED has a copy."""
    chores = Chores({"first": None, "bad": KeyError("xgboost"), "last": None})
    async with with_loop(chores.loop()) as on:
        (row,) = await eventually(lambda: dead_letter(on))
        await eventually(lambda: all_but_well(on))
        ready = await on.http.get("/ready")
        rows = (await on.http.get(f"/dead-letters/{row['id']}")).json()

        assert sorted(chores.handled) == ["first", "last"]
        assert chores.tried.count("bad") == 3
        assert (row["type"], row["key"], row["attempts"], row["stream"]) == ("headrace.loop.chores", "bad", 3, "loops")
        assert "KeyError: 'xgboost'" in row["reason"]
        assert rows["body"].startswith("{")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert re.search("chores bad.*KeyError", str(ready.json()["degraded"]))
        copies = await eventually(lambda: copied(on))
        assert copies["state"]["messages"] == 1


async def all_but_well(on: Any) -> bool:
    """Whether the service is ready, with something to tell."""
    answer = await on.http.get("/ready")
    return bool(answer.status_code == 200 and answer.json()["degraded"])


async def copied(on: Any) -> Any:
    """The stream PARKED, once it has something."""
    admin = await on._speaker("provisioner")
    info = await admin.request("STREAM.INFO.PARKED")
    return info if info["state"]["messages"] else None


async def test_a_replayed_item_is_tried_anew_and_readiness_clears(with_loop: Any, eventually: Any) -> None:
    """Mend the cause, replay the dead letter: the item is handled."""
    chores = Chores({"bad": KeyError("xgboost")})
    async with with_loop(chores.loop()) as on:
        (row,) = await eventually(lambda: dead_letter(on))
        chores.fates["bad"] = None

        await on.http.post(f"/dead-letters/{row['id']}/replay")

        await eventually(lambda: chores.handled == ["bad"])
        await eventually(lambda: names_nothing(on))


async def test_a_dropped_item_is_named_no_more_and_not_tried_again(with_loop: Any, eventually: Any) -> None:
    """Also after a restart."""
    chores = Chores({"bad": KeyError("xgboost")})
    async with with_loop(chores.loop()) as on:
        (row,) = await eventually(lambda: dead_letter(on))
        await on.http.delete(f"/dead-letters/{row['id']}")
        chores.fates["good"] = None
        await on.restart()

        await eventually(lambda: chores.handled == ["good"])
        assert chores.tried.count("bad") == 3
        await eventually(lambda: names_nothing(on))


async def test_items_that_hang_do_not_keep_the_others_waiting(with_loop: Any, eventually: Any) -> None:
    """Each is cut off after the longest time; meanwhile, and after that, the rest is handled."""
    hanging: dict[str, Exception | float | None] = {f"hangs-{n}": 3600.0 for n in range(6)}
    chores = Chores(hanging | {f"good-{n}": None for n in range(20)})
    async with with_loop(chores.loop(), dead_letter_after_attempts=2) as on:
        await eventually(lambda: len(chores.handled) == 20)

        rows = await eventually(lambda: all_dead_letters(on, 6))
        assert {row["key"] for row in rows} == set(hanging)


async def all_dead_letters(on: Any, count: int) -> Any:
    """What is set aside, once there is so much."""
    rows = await dead_letter(on)
    return rows if len(rows) == count else None


async def test_giving_an_item_up_is_part_of_setting_it_aside(with_loop: Any, eventually: Any, program: Any) -> None:
    """What follows for the domain is written in the same transaction."""
    chores = Chores({"bad": Refused("it will never be right")})

    async def give_up(work: UnitOfWork, key: str, reason: str) -> None:
        await program.keep(work, f"{key}: {reason}")

    async with with_loop(chores.loop(give_up=give_up)) as on:
        (row,) = await eventually(lambda: dead_letter(on))

        assert chores.tried == ["bad"]
        assert row["reason"] == "it will never be right"
        assert (await on.http.get("/notes")).json() == ["bad: it will never be right"]


async def test_an_item_that_cannot_even_be_given_up_is_set_aside_all_the_same(with_loop: Any, eventually: Any) -> None:
    """Its dead letter says both."""
    chores = Chores({"bad": Refused("never")})

    async def give_up(_work: UnitOfWork, _key: str, _reason: str) -> None:
        raise ZeroDivisionError("nor this")

    async with with_loop(chores.loop(give_up=give_up)) as on:
        (row,) = await eventually(lambda: dead_letter(on))
        assert "never" in row["reason"]
        assert "nor this" in row["reason"]


@pytest.mark.parametrize("error", [NotYet("soon", SOON), Away("the store"), ConnectionRefusedError("the database")])
async def test_what_is_no_fault_of_the_item_does_not_count(error: Exception) -> None:
    """It is tried until it is handled, however often that is."""
    chores, degraded = Chores({"early": error}), dict[str, str]()
    ticker = Ticker(chores.loop(outages=(Away,)), None, MemoryAttempts("chores", degraded), {}, degraded)
    for _ in range(10):
        ticker._suspects = dict.fromkeys(ticker._suspects, 0.0)
        await ticker.once()
    chores.fates["early"] = None
    ticker._suspects = dict.fromkeys(ticker._suspects, 0.0)

    await ticker.once()

    assert len(chores.tried) == 11
    assert chores.handled == ["early"]
    assert degraded == {}


async def test_a_chore_that_must_go_on_is_never_set_aside(with_loop: Any, eventually: Any) -> None:
    """It is tried less and less often, and named while it fails."""
    chores = Chores({"prune": ZeroDivisionError("bug")})
    async with with_loop(chores.loop(for_ever=True)) as on:
        await eventually(lambda: len(chores.tried) > 8)
        await eventually(lambda: named(on, "chores/prune", "degraded"))
        chores.fates["prune"] = None

        await eventually(lambda: chores.handled == ["prune"])
        assert await dead_letter(on) == []
        await eventually(lambda: names_nothing(on))


async def test_a_loop_that_cannot_say_what_is_due_is_a_problem_of_the_service(with_loop: Any, eventually: Any) -> None:
    """503 with the name of the loop, until it can again."""
    chores = Chores({"good": None}, broken=ZeroDivisionError("no list"))
    async with with_loop(chores.loop()) as on:
        await eventually(lambda: named(on, "chores"))
        chores.broken = None

        await eventually(lambda: chores.handled == ["good"])
        await eventually(lambda: names_nothing(on))


async def named(on: Any, name: str, among: str = "problems") -> bool:
    """Whether `/ready` names a problem of the whole service, or something degraded."""
    return name in (await on.http.get("/ready")).json()[among]


async def names_nothing(on: Any) -> bool:
    """Whether `/ready` has nothing to tell: what a loop has handled it forgets a moment later."""
    answer = await on.http.get("/ready")
    told = answer.json()
    return bool(answer.status_code == 200 and not told["problems"] and not told["degraded"])


async def test_an_item_that_asks_for_more_is_followed_by_the_next_tick_at_once(with_loop: Any, eventually: Any) -> None:
    """Without waiting for the interval."""
    looks: list[int] = []

    async def due(_: Runtime) -> Mapping[str, int]:
        looks.append(1)
        return {"more": len(looks)}

    async def handle(_: Runtime, number: int) -> bool:
        return number < 5

    async with with_loop(every(NEVER, due, handle)):
        await eventually(lambda: len(looks) == 5)


async def test_an_item_that_failed_is_tried_again_before_the_interval_is_over(with_loop: Any, eventually: Any) -> None:
    """After its own back-off, in a loop that looks once an hour."""
    chores = Chores({"bad": KeyError("x")})
    async with with_loop(every(NEVER, chores.due, chores.handle, name="chores", retry_policy=HURRIED)) as on:
        await eventually(lambda: dead_letter(on))
        assert len(chores.tried) == 3


async def test_an_idle_item_that_is_always_due_costs_no_writes(with_loop: Any, eventually: Any) -> None:
    """Its first try is counted; from then on this process knows that it is harmless."""
    ticks: list[int] = []

    async def due(_: Runtime) -> Mapping[str, str]:
        return {"log": "log"}

    async def handle(_: Runtime, _item: str) -> None:
        ticks.append(1)

    async with with_loop(every(SOON, due, handle)) as on:
        await eventually(lambda: len(ticks) > 5)
        async with on.app.state.runtime.store.engine.connect() as onlooker:
            before = await version(onlooker)
            await eventually(lambda: len(ticks) > 15)

            assert await version(onlooker) == before
        assert [row for row in await rows_of(on) if row.loop != "deferred"] == []  # that one is the chassis's own


async def version(onlooker: AsyncConnection) -> int:
    """A number that every commit of another connection changes."""
    return int((await onlooker.execute(text("PRAGMA data_version"))).scalar_one())


async def rows_of(on: Any) -> list[LoopItem]:
    """The items that are kept as tried."""
    async with on.app.state.runtime.session() as session:
        return list((await (await session.connection()).execute(text("SELECT * FROM loop_item"))).all())


async def test_items_in_memory_are_isolated_in_the_same_way() -> None:
    """A process without a database names what it has set aside, and goes on."""
    chores, degraded = Chores({"bad": KeyError("x"), "good": None, "worse": Refused("never")}), dict[str, str]()
    ticker = Ticker(chores.loop(), None, MemoryAttempts("chores", degraded), {}, degraded)

    for _ in range(20):
        ticker._suspects = dict.fromkeys(ticker._suspects, 0.0)
        await ticker.once()

    assert chores.handled == ["good"]
    assert chores.tried.count("bad") == HURRIED.attempts
    assert sorted(degraded) == ["chores/bad", "chores/worse"]


@pytest.mark.parametrize("reads_before", [True, False], ids=["read before it is stored", "read after"])
async def test_an_item_is_not_tried_again_while_it_is_being_set_aside(reads_before: bool) -> None:
    """A tick that reads what was set aside before the transaction ends knows of it all the same."""
    chores, degraded, stored = Chores({"bad": Refused("never")}), dict[str, str](), asyncio.Event()

    class Slow(MemoryAttempts):
        async def set_aside(self, key: str, item: Any, reason: str) -> None:
            await stored.wait()
            await super().set_aside(key, item, reason)

        async def load(self) -> tuple[set[str], set[str]]:
            read = await super().load()
            if chores.tried and reads_before and not stored.is_set():
                stored.set()
                await asyncio.gather(*ticker._running.values())
            return read

    ticker = Ticker(chores.loop(), None, Slow("chores", degraded), {}, degraded)
    await ticker.tick()
    await asyncio.sleep(0)  # it is tried, and waits to be stored
    assert chores.tried == ["bad"]

    await ticker.tick()
    stored.set()
    for _ in range(5):
        await ticker.once()

    assert chores.tried == ["bad"]
    assert degraded.keys() == {"chores/bad"}


@pytest.mark.parametrize(("held", "tries"), [(True, HURRIED.attempts), (False, HURRIED.attempts + 1)])
async def test_the_tries_of_an_item_that_somebody_holds_are_not_forgotten(held: bool, tries: int) -> None:
    """It is not due while the lease of a process lasts that died of it; what is nobody's any more is over."""
    chores, degraded = Chores({"bad": KeyError("x")}), dict[str, str]()

    async def holds(_: object) -> list[str]:
        return ["bad"] if held else []

    loop = chores.loop(held=holds)
    ticker = Ticker(loop, None, MemoryAttempts("chores", degraded), {}, degraded)
    await ticker.once()
    due, chores.fates = chores.fates, {}
    await ticker.once()
    chores.fates = due
    for _ in range(20):
        ticker._suspects = dict.fromkeys(ticker._suspects, 0.0)
        await ticker.once()

    assert chores.tried.count("bad") == tries
    assert "chores/bad" in degraded


async def test_a_stop_of_the_service_is_no_fault_of_the_item_in_hand(with_loop: Any, eventually: Any) -> None:
    """It is not counted, however often the service is stopped."""
    chores = Chores({"long": 3600.0})
    patient = replace(HURRIED, longest=timedelta(minutes=1))
    async with with_loop(chores.loop(retry_policy=patient)) as on:
        for number in range(1, 5):
            await eventually(lambda number=number: len(chores.tried) == number)
            await on.restart()
        await eventually(lambda: len(chores.tried) == 5)

        assert await dead_letter(on) == []
