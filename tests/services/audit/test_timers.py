"""Checkpoints by rule, and gaps: late, expired, or a violation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from headrace.audit.domain import Gap, checkpoint_due, gaps_between, judge_gap
from headrace.audit.handlers import GAP
from headrace.audit.log import Log
from headrace.audit.service import signing_key
from headrace.audit.settings import AuditSettings
from headrace.audit.timers import CHECKPOINT, publish_if_due, settle_gap
from headrace.tlog import Checkpoint, Edge, SigningKey

KEY = SigningKey("test-log", b"k" * 32)

PATIENCE = timedelta(seconds=30)


def settings(**changes: object) -> AuditSettings:
    """Settings for these tests."""
    wanted = {"audit_checkpoint_entries": 100, "audit_checkpoint_every": timedelta(seconds=10)} | changes
    return AuditSettings(audit_gap_patience=PATIENCE, **wanted)  # type: ignore[arg-type]


async def look(log: Any) -> Checkpoint | None:
    """One look at whether a checkpoint is due."""
    found: Checkpoint | None = await log.do(lambda work: publish_if_due(work, settings(), KEY))
    return found


async def test_a_checkpoint_is_said_after_a_time(log: Any) -> None:
    """The first at once, the next only when it is time and something has come."""
    await log.hear(log.message(1))
    first = await look(log)
    await log.hear(log.message(2))
    too_early = await look(log)
    log.now += timedelta(seconds=10)
    second = await look(log)
    log.now += timedelta(hours=1)
    idle = await look(log)

    assert [c and c.size for c in (first, too_early, second, idle)] == [1, None, 2, None]
    said = await log.said()
    assert [event["data"]["size"] for event in said] == [1, 2]
    assert all(Checkpoint.open(e["data"]["checkpoint"], KEY.verifying_key).size for e in said)
    assert said[1]["data"]["root"] == second.root.hex() if second else None


async def test_a_checkpoint_is_said_after_so_many_entries(log: Any) -> None:
    """A busy log does not wait for the clock."""
    await log.hear(log.message(1))
    await look(log)
    for seq in range(2, 101):
        await log.hear(log.message(seq))
    assert await look(log) is None
    await log.hear(log.message(101))
    assert await look(log) is not None


async def test_an_idle_log_comes_to_rest(log: Any) -> None:
    """The event of a checkpoint is recorded like any other, and asks for no further checkpoint."""
    await log.hear(log.message(1))
    await look(log)
    await log.hear(log.message(2, kind="checkpoint.signed", key="test-log"))
    log.now += timedelta(hours=1)
    assert await look(log) is None


async def test_published_checkpoints_are_history(log: Any) -> None:
    """Who signs a new past must also change what was published; here only the table was."""
    await log.hear_many(300)
    await look(log)
    forged = Checkpoint("test-log", 300, Edge().root()).signed(KEY)
    await log.tamper(update(CHECKPOINT).values(note=forged))

    first = (await log.verify()).first

    assert first is not None
    assert (first.what, first.where) == ("history", "checkpoint of size 300")


@pytest.mark.parametrize(
    ("unpublished", "seconds", "due"),
    [(0, 999, False), (1, 9, False), (1, 10, True), (99, 0, False), (100, 0, True)],
)
def test_when_a_checkpoint_is_due(unpublished: int, seconds: int, due: bool) -> None:
    """After so many entries, or so long, but never for nothing."""
    age = timedelta(seconds=seconds)
    assert checkpoint_due(unpublished, age, every_entries=100, every=timedelta(seconds=10)) is due


def test_gaps_are_holes_in_the_numbers() -> None:
    """Within a batch, before it, and none where messages come late."""
    assert gaps_between("E", 0, [1, 2, 3]) == []
    assert gaps_between("E", 3, [6, 8, 9]) == [Gap("E", 4, 5), Gap("E", 7, 7)]
    assert gaps_between("E", 9, [4, 5]) == []
    assert [gap.where for gap in gaps_between("E", 3, [6, 8])] == ["E 4..5", "E 7"]


@pytest.mark.parametrize(
    ("recorded", "stream_first", "seconds", "verdict"),
    [
        (2, 1, 0, "filled"),
        (1, 1, 29, "open"),
        (1, None, 999, "open"),
        (0, 6, 30, "expired"),
        (0, 5, 30, "reported"),
        (0, 1, 30, "reported"),
    ],
)
def test_what_a_gap_means(recorded: int, stream_first: int | None, seconds: int, verdict: str) -> None:
    """Late messages fill it; retention explains it only where the stream begins behind it."""
    found = judge_gap(
        Gap("E", 4, 5),
        recorded=recorded,
        stream_first=stream_first,
        age=timedelta(seconds=seconds),
        allowed=PATIENCE,
    )
    assert found == verdict


@pytest.mark.parametrize(("first", "state", "said"), [(1, "reported", 1), (4, "expired", 0)])
async def test_a_gap_is_settled_once(log: Any, first: int, state: str, said: int) -> None:
    """Messages 2 and 3 never come: a violation, unless the stream's retention took them."""
    await log.hear(log.message(1), log.message(4))
    for _ in range(2):
        log.now += PATIENCE
        await log.do(lambda work: settle_gap(work, ("EVENTS", 2), settings(), KEY, first))

    async with log.store.read() as session:
        assert list((await session.execute(select(GAP.c.state))).scalars()) == [state]
    assert [(e["data"]["what"], e["data"]["where"]) for e in await log.said()] == [("gap", "EVENTS 2..3")] * said


async def test_messages_that_come_late_fill_their_gap(log: Any) -> None:
    """Two batches that overtook each other are no violation."""
    await log.hear(log.message(1), log.message(4))
    await log.hear(log.message(2), log.message(3))
    log.now += PATIENCE
    await log.do(lambda work: settle_gap(work, ("EVENTS", 2), settings(), KEY, 1))

    async with log.store.read() as session:
        assert list((await session.execute(select(GAP.c.state))).scalars()) == ["filled"]
        assert (await Log(session, KEY).head()).size == 4
    assert await log.said() == []


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """At the first start; later starts, and other processes, read the same."""
    path = tmp_path / "keys" / "audit.key"
    first = signing_key("log", path)
    assert signing_key("log", path) == first
    assert path.stat().st_mode & 0o077 == 0
    assert sorted(path.parent.iterdir()) == [path, path.with_suffix(".pub")]
    assert path.with_suffix(".pub").read_text().strip() == str(first.verifying_key)
    assert replace(first, name="x") != first


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    """Half a key signs nothing."""
    path = tmp_path / "audit.key"
    path.write_text("abcd")
    with pytest.raises(ValueError, match="an Ed25519 seed has 32"):
        signing_key("log", path)
