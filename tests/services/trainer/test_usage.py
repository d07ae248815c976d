"""What runs took and what that cost: the arithmetic, the file of prices, the meter of a worker, and the sums."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

import headrace.trainer
from headrace.chassis.database import create_engine, migrate
from headrace.trainer.domain import State
from headrace.trainer.tables import Repository, RunRow
from headrace.trainer.usage import BadPrices, Prices, Rate, read_prices, usage
from headrace.trainer.worker.jobs import Used
from headrace.trainer.worker.meter import Meter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EUROS = Prices(currency="EUR", cpu_hour=0.04, gpu_hour=2.0, memory_gib_hour=0.01)


def taken(**fields: Any) -> Any:
    """What a run took that waited one minute and worked for an hour."""
    told = {"asked_at": NOON, "started_at": NOON + MINUTE, "ended_at": NOON + 61 * MINUTE, "attempts": 1}
    return usage(**{**told, "cpus": 2, "gpus": 0.5, "used": None, "rate": None, **fields})


def test_a_run_costs_what_it_sets_aside_for_as_long_as_it_worked() -> None:
    """Two processors, half a GPU and 2 GiB for an hour, at the rate of its start."""
    rate = EUROS.rate(cpus=2, gpus=0.5, memory_mb=2048)

    found = taken(rate=rate)

    assert (found.queued_seconds, found.seconds, found.gpu_seconds) == (60.0, 3600.0, 1800.0)
    assert found.cost == pytest.approx(2 * 0.04 + 0.5 * 2.0 + 2 * 0.01)
    assert found.currency == "EUR"


def test_without_prices_nothing_has_a_cost() -> None:
    """A cost of 0 would be a claim."""
    found = taken()

    assert (found.cost, found.currency) == (None, None)


def test_a_run_that_never_started_took_nothing_but_its_place() -> None:
    """Cancelled while it waited."""
    found = taken(started_at=None, ended_at=NOON + 5 * MINUTE, attempts=0, rate=Rate(1.0, "EUR"))

    assert (found.queued_seconds, found.seconds, found.gpu_seconds, found.cost) == (300.0, 0.0, 0.0, 0.0)


def test_a_clock_that_was_set_back_gives_no_negative_figure() -> None:
    """The schema takes none, and the end of a run must be told."""
    found = taken(started_at=NOON - MINUTE, ended_at=NOON - 2 * MINUTE, rate=Rate(1.0, "EUR"))

    assert (found.queued_seconds, found.seconds, found.cost) == (0.0, 0.0, 0.0)


def test_what_the_last_worker_told_is_told_beside_what_was_set_aside() -> None:
    """The two differ where a run asks for more than it uses."""
    found = taken(used=Used(cpu_seconds=12.5, peak_memory_mb=800.0), attempts=2)

    assert (found.cpu_seconds, found.peak_memory_mb, found.attempts, found.cpus) == (12.5, 800.0, 2, 2)


def test_prices_are_read_from_yaml(tmp_path: Path) -> None:
    """What is left out costs nothing."""
    file = tmp_path / "prices.yaml"
    file.write_text("currency: USD\ncpu_hour: 0.05\n")

    assert read_prices(file) == Prices(currency="USD", cpu_hour=0.05)
    assert read_prices(None) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("currency: euro\n", "currency: "),
        ("cpu_hour: 1\n", "currency: Field required"),
        ("currency: EUR\ncpu_hour: -1\n", "cpu_hour: "),
        ("currency: EUR\ncpu_hour: .nan\n", "cpu_hour: "),
        ("currency: EUR\ncpus_hour: 1\n", "cpus_hour: "),
        ("- 1\n", "file: "),
        ("a: [\n", "expected"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_prices_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, told: str) -> None:
    """At the start, with the place, rather than runs without a cost."""
    file = tmp_path / "prices.yaml"
    if text is not None:
        file.write_text(text)

    with pytest.raises(BadPrices) as error:
        read_prices(file)

    assert str(file) in str(error.value)
    assert told in str(error.value)


def test_the_meter_counts_this_job_and_not_the_one_before() -> None:
    """A warm worker does many jobs; each has its own processor time and its own peak."""
    large = np.ones(40 << 20, dtype=np.uint8)  # resident: the peak of an earlier job
    del large
    before = Meter()
    while before.used().cpu_seconds < 0.2:
        sum(range(10_000))

    fresh = Meter()
    kept = np.ones(30 << 20, dtype=np.uint8)
    found, earlier = fresh.used(), before.used()

    assert found.cpu_seconds < earlier.cpu_seconds
    if found.peak_memory_mb is None:
        pytest.skip("this kernel does not begin the peak of resident memory anew")
    assert found.peak_memory_mb >= 30
    assert kept.nbytes == 30 << 20


@pytest.fixture
async def session(database_url: str):  # type: ignore[no-untyped-def]
    """A session on a migrated database."""
    engine = create_engine(database_url)
    await migrate(engine, Path(headrace.trainer.__file__).parent / "migrations")
    async with AsyncSession(engine) as made:
        yield made
    await engine.dispose()


def ended(name: str, minutes: int, **fields: Any) -> RunRow:
    """A run that ended some minutes after noon, with what it took."""
    told = {"model": "delay", "dataset": "flights", "state": State.COMPLETED, "reason": "", "declared_revision": 1}
    took = taken(rate=fields.pop("rate", EUROS.rate(1, 0, None)), used=fields.pop("used", None))
    shown = took.model_dump(mode="json", exclude_none=True)
    known = {"requested_by": "me", "asked_at": NOON, "ended_at": NOON + minutes * MINUTE, "usage": shown}
    return RunRow(run=name, **{**told, **known, **fields})


async def test_what_runs_took_is_summed_by_model_and_by_owner(session: AsyncSession) -> None:
    """Failed runs cost as well; a run that has not ended counts once it has; each currency has a line of its own."""
    session.add(ended("run-1", 61, owner="ops", used=Used(cpu_seconds=10.0)))
    session.add(ended("run-2", 62, owner="ops", state=State.FAILED, used=Used(cpu_seconds=5.0)))
    session.add(ended("run-3", 63, model="price", owner="sales", rate=Rate(7.0, "USD")))
    session.add(ended("run-4", 64, model="price", rate=None))
    session.add(ended("run-5", 65, state=State.RUNNING, usage=None))
    await session.commit()

    models = await Repository(session).taken_by("model", None, None, after="", limit=10)
    owners = await Repository(session).taken_by("owner", None, None, after="", limit=10)

    assert [(each.name, each.currency, each.runs) for each in models] == [
        ("price", None, 1),
        ("delay", "EUR", 2),
        ("price", "USD", 1),
    ]
    assert [(each.name, each.currency, each.runs) for each in owners] == [
        ("", None, 1),
        ("ops", "EUR", 2),
        ("sales", "USD", 1),
    ]
    both = models[1]
    assert (both.seconds, both.queued_seconds, both.cpu_seconds) == (7200.0, 120.0, 15.0)
    assert both.cost == pytest.approx(0.08)
    assert models[0].cost is None


async def test_sums_are_of_the_runs_that_ended_within_a_time_and_come_page_by_page(session: AsyncSession) -> None:
    """The end of the time is not within it."""
    session.add_all([ended(f"run-{at}", at, model=f"m{at}") for at in range(6)])
    await session.commit()

    within = await Repository(session).taken_by("model", NOON + 1 * MINUTE, NOON + 4 * MINUTE, after="", limit=10)
    first = await Repository(session).taken_by("model", None, None, after="", limit=4)
    rest = await Repository(session).taken_by("model", None, None, after=first[-1].cursor, limit=4)

    assert [each.name for each in within] == ["m1", "m2", "m3"]
    assert [each.name for each in (*first, *rest)] == [f"m{at}" for at in range(6)]
