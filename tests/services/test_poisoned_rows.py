"""A row of a table that cannot be read, among those that a background loop works on: the others are worked on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from headrace.audit.bookkeeping import CHECKPOINT
from headrace.audit.tables import CheckpointRow, GapRow
from headrace.chassis import Every
from headrace.contracts import VersionRegistered, load_topology
from headrace.deployer.tables import TrafficRow
from headrace.registry.domain import State
from headrace.registry.tables import ChangeRow, ModelRow, VersionRow
from headrace.testkit import Harness, a
from headrace.testkit.builders import a_declaration
from headrace.testkit.s3 import S3
from headrace.tlog import Checkpoint, Edge, SigningKey

from .test_poison import ATTEMPTS, SERVICES, own_folders, settings_of

PAST = datetime.now(UTC) - timedelta(days=1)
KEY = SigningKey("headrace-audit", bytes(32))
BAD, GOOD = "a-bad", "b-good"  # in the order in which a query would name them


@dataclass(frozen=True)
class Case:
    """Rows that a loop must work on, how one of them is spoiled, and what is true when the other was worked on."""

    rows: Callable[[], Sequence[SQLModel]]
    spoiled: str  # SQL
    letter: str  # how the key of the dead letter begins
    done: str  # SQL that counts the good rows that are done


def a_model(name: str, **fields: Any) -> ModelRow:
    """A declared model."""
    declaration = a_declaration(name=name).model_dump(mode="json", exclude_none=True)
    told = {"declared_at": PAST, "reviewed_at": PAST, "review_due": PAST + timedelta(days=99), **fields}
    return ModelRow(name=name, revision=1, declaration=declaration, digest="d", declared_by="key:ann", **told)


def a_version(model: str) -> VersionRow:
    """A version whose request for approval is over."""
    registered = a(VersionRegistered, model=model, version=1).model_dump(mode="json", exclude_none=True)
    return VersionRow(
        model=model,
        version=1,
        run=model,
        digest="d" * 64,
        state=State.PENDING,
        registered=registered,
        metrics={},
        author="key:ann",
        evaluation="e",
        created=PAST,
        expires_at=PAST,
    )


def a_change(model: str) -> ChangeRow:
    """A change that nobody has decided on in time."""
    told = {"kind": "declaration", "base_revision": 1, "digest": "d", "by": "key:ann", "needed": 1}
    return ChangeRow(id=f"change-{model}", model=model, state=State.PENDING, at=PAST, expires_at=PAST, **told)


def a_traffic(model: str) -> TrafficRow:
    """A model whose deadline has passed."""
    return TrafficRow(model=model, revision=1, deadline=PAST, body=f'{{"model": "{model}"}}')


def a_gap(first: int) -> GapRow:
    """A gap that was noticed long ago."""
    return GapRow(stream="EVENTS", first=first, last=first + 1, noticed=0)


def a_checkpoint(size: int) -> CheckpointRow:
    """A published checkpoint of the log; of none but 0 there are entries."""
    return CheckpointRow(size=size, note=Checkpoint(KEY.name, size, Edge().root()).signed(KEY), at=0)


CASES: Mapping[str, Case] = {
    "registry.expire": Case(
        lambda: [a_model(BAD), a_model(GOOD), a_version(BAD), a_version(GOOD)],
        f"UPDATE versions SET registered = 'none' WHERE model = '{BAD}'",
        f"{BAD}/1",
        f"SELECT count(*) FROM versions WHERE model = '{GOOD}' AND state = '{State.EXPIRED}'",
    ),
    "registry.expire_change": Case(
        lambda: [a_model(BAD), a_model(GOOD), a_change(BAD), a_change(GOOD)],
        f"UPDATE changes SET loosens = 'none' WHERE model = '{BAD}'",
        f"{BAD}/change-{BAD}",
        f"SELECT count(*) FROM changes WHERE model = '{GOOD}' AND state = '{State.EXPIRED}'",
    ),
    "registry.remind": Case(
        lambda: [a_model(BAD, review_due=PAST), a_model(GOOD, review_due=PAST)],
        f"UPDATE models SET declaration = 'none' WHERE name = '{BAD}'",
        f"{BAD}/",
        f"SELECT count(*) FROM models WHERE name = '{GOOD}' AND reminded_at IS NOT NULL",
    ),
    "deployer.deadlines": Case(
        lambda: [a_traffic(BAD), a_traffic(GOOD)],
        f"UPDATE deployer_traffic SET body = 'none' WHERE model = '{BAD}'",
        f"{BAD}/1",
        f"SELECT count(*) FROM deployer_traffic WHERE model = '{GOOD}' AND deadline IS NULL",
    ),
    "audit.gaps": Case(
        lambda: [a_gap(5), a_gap(8)],
        "UPDATE log_gap SET last = 'none' WHERE first = 5",
        "EVENTS 5",
        "SELECT count(*) FROM log_gap WHERE first = 8 AND state <> 'open'",
    ),
    "audit.mirror": Case(
        lambda: [a_checkpoint(0), a_checkpoint(1)],
        "UPDATE log_checkpoint SET note = 'none' WHERE size = 1",
        "checkpoints/000000000001",
        "SELECT count(*) FROM log_checkpoint WHERE size = 0 AND mirrored",
    ),
}
ELSEWHERE = {
    "ingest.jobs": "ingest/test_service.py",
    "monitor.deliveries": "monitor/test_deliveries.py",
    "monitor.windows": "monitor/test_isolation.py",
    "monitor.silence": "monitor/test_isolation.py",
    "monitor.schedules": "monitor/test_isolation.py",
    "trainer.checkpoints": "trainer/test_isolation.py",
    "trainer.dispatch": "trainer/test_isolation.py",
}
"""Loops whose rows are poisoned in the tests of their own service."""


def loops() -> set[str]:
    """Every loop with items, of every service."""
    built = {name: import_module(f"headrace.{name}.service").build(settings_of(name)()) for name in SERVICES}
    return {
        f"{name}.{each.name}"
        for name, service in built.items()
        for each in service.background
        if isinstance(each, Every) and not each.for_ever
    }


def test_every_loop_has_a_poisoned_row() -> None:
    """Here or in the tests of its service; a new loop is missed at once."""
    assert loops() == CASES.keys() | ELSEWHERE.keys()
    assert all((Path(__file__).parent / file).is_file() for file in ELSEWHERE.values())
    assert {name.partition(".")[0] for name in CASES} <= load_topology().identities.keys()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a service, with the key that signs the rows of audit."""
    (tmp_path / "signing.key").write_text(KEY.seed.hex())
    return tmp_path


@pytest.mark.parametrize("name", CASES)
async def test_a_row_that_cannot_be_read_stops_no_other(
    name: str, harness: Any, sqlite_url: str, s3: S3, folder: Path, eventually: Any
) -> None:
    """The good row is worked on, the bad one is a dead letter that `/ready` and `/dead-letters` name."""
    service, _, loop = name.partition(".")
    case = CASES[name]
    async with harness(
        import_module(f"headrace.{service}.service").build,
        settings_of(service),
        database_url=sqlite_url,
        dead_letter_after_attempts=ATTEMPTS,
        objects=s3.settings,
        registry_expiry_every=0.05,
        **own_folders(service, folder),
    ) as on:
        await put(on, case)

        letter = await eventually(lambda: dead_letter(on, loop))
        await eventually(lambda: counted(on, case.done))
        await eventually(lambda: names(on, f"loop.{loop} {case.letter}"))

    assert letter["key"].startswith(case.letter)


async def names(on: Harness, what: str) -> bool:
    """Whether `/ready` names it as degraded."""
    degraded = (await on.http.get("/ready")).json()["degraded"]
    return any(what in told for told in degraded.values())


async def test_a_log_whose_head_is_no_checkpoint_says_so_and_goes_on_with_the_rest(
    harness: Any, sqlite_url: str, s3: S3, tmp_path: Path, eventually: Any
) -> None:
    """Publishing is a chore: tried again and again, named by `/ready`, and no reason for gaps to stay open."""
    told = {"objects": s3.settings, "audit_checkpoint_entries": 1, **own_folders("audit", tmp_path)}
    build = import_module("headrace.audit.service").build
    async with harness(build, settings_of("audit"), database_url=sqlite_url, **told) as on:
        async with on.app.state.runtime.store.write() as session:
            await session.exec(
                text("INSERT INTO log_head (id, size, note, unpublished) VALUES (1, 0, 'none', 1) "
                     "ON CONFLICT (id) DO UPDATE SET note = 'none', unpublished = 1")
            )  # fmt: skip
            session.add(a_gap(8))

        await eventually(lambda: named(on, "checkpoints/always"))
        await eventually(lambda: counted(on, "SELECT count(*) FROM log_gap WHERE state <> 'open'"))
        assert not await counted(on, f"SELECT count(*) FROM {CHECKPOINT.name}")


async def put(on: Harness, case: Case) -> None:
    """Write the rows and spoil one of them, in one transaction."""
    async with on.app.state.runtime.store.write() as session:
        session.add_all(case.rows())
        await session.flush()
        await session.exec(text(case.spoiled))


async def dead_letter(on: Harness, loop: str) -> dict[str, Any] | None:
    """The dead letter of a loop."""
    found = (await on.http.get("/dead-letters")).json()["items"]
    return next((row for row in found if row["type"] == f"headrace.loop.{loop}"), None)


async def counted(on: Harness, statement: str) -> bool:
    """Whether a statement counts something."""
    async with on.app.state.runtime.session() as session:
        return bool((await session.exec(text(statement))).scalar_one())


async def named(on: Harness, key: str) -> bool:
    """Whether `/ready` names something as degraded."""
    return key in (await on.http.get("/ready")).json()["degraded"]
