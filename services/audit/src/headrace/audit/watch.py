"""What audit does without being asked: publish checkpoints, copy the log to the bucket, look at gaps, check itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from sqlalchemy import insert, select, update

from headrace.audit.checks import verify
from headrace.audit.domain import Gap, checkpoint_due, judge_gap
from headrace.audit.handlers import GAP
from headrace.audit.log import HEAD, Log, run, table
from headrace.audit.records import microseconds
from headrace.audit.settings import AuditSettings
from headrace.audit.tables import CheckpointRow
from headrace.bus import Work
from headrace.chassis import Runtime
from headrace.contracts import CheckpointSigned, IntegrityViolated
from headrace.tlog import Checkpoint, SigningKey

CHECKPOINT = table(CheckpointRow)
LOOK_EVERY = 1.0  # seconds; how exact "every T seconds" is
ACTOR = "service:audit"

FirstSequence = Callable[[str], Awaitable[int | None]]
"""First sequence number that a stream still holds; None where the broker did not answer."""


async def publish_checkpoints(runtime: Runtime, settings: AuditSettings, key: SigningKey) -> None:
    """Publish the newest head whenever the rule says so."""
    while True:
        async with runtime.work(ACTOR) as work:
            await publish_if_due(work, settings, key)
        await asyncio.sleep(LOOK_EVERY)


async def publish_if_due(work: Work, settings: AuditSettings, key: SigningKey) -> Checkpoint | None:
    """One look: say checkpoint.signed if entries other than checkpoints have come, and it is time."""
    head = await Log(work.session, key).head()
    if not head.unpublished or not await _due(work, head.unpublished, settings):
        return None
    head = await Log(work.session, key).lock()
    checkpoint = Checkpoint.open(head.note, key.verifying_key)
    await run(work.session, insert(CHECKPOINT).values(**_row(head.note, checkpoint, work), mirrored=False))
    await run(work.session, update(HEAD).values(unpublished=0))
    work.emit(
        CheckpointSigned(
            origin=checkpoint.origin, size=checkpoint.size, root=checkpoint.root.hex(), checkpoint=head.note
        )
    )
    return checkpoint


def _row(note: str, checkpoint: Checkpoint, work: Work) -> Mapping[str, object]:
    return {"size": checkpoint.size, "note": note, "at": microseconds(work.now)}


async def _due(work: Work, unpublished: int, settings: AuditSettings) -> bool:
    newest = await work.session.scalar(select(CHECKPOINT.c.at).order_by(CHECKPOINT.c.size.desc()).limit(1))
    age = timedelta(microseconds=microseconds(work.now) - (newest or 0))
    return checkpoint_due(
        unpublished, age, every_entries=settings.audit_checkpoint_entries, every=settings.audit_checkpoint_every
    )


async def watch_gaps(runtime: Runtime, settings: AuditSettings, key: SigningKey, first: FirstSequence) -> None:
    """Settle gaps: filled late, expired by retention, or reported."""
    while True:
        async with runtime.work(ACTOR) as work:
            await settle_gaps(work, settings, key, first)
        await asyncio.sleep(LOOK_EVERY)


async def settle_gaps(work: Work, settings: AuditSettings, key: SigningKey, first: FirstSequence) -> None:
    """One look at every open gap."""
    rows = (await run(work.session, select(GAP).where(GAP.c.state == "open"))).mappings().all()
    for row in rows:
        gap = Gap(row["stream"], row["first"], row["last"])
        recorded = await Log(work.session, key).count(gap.stream, gap.first, gap.last)
        age = timedelta(microseconds=microseconds(work.now) - row["noticed"])
        state = judge_gap(
            gap,
            recorded=recorded,
            stream_first=await first(gap.stream),
            age=age,
            patience=settings.audit_gap_patience,
        )
        here = (GAP.c.stream == gap.stream) & (GAP.c.first == gap.first)
        await run(work.session, update(GAP).where(here).values(state=state))
        if state == "reported":
            _report_gap(gap, recorded, work, key)


def _report_gap(gap: Gap, recorded: int, work: Work, key: SigningKey) -> None:
    count = gap.last - gap.first + 1
    work.emit(
        IntegrityViolated(
            origin=key.name,
            what="gap",
            where=gap.where,
            expected=f"{count} messages",
            found=f"{recorded}, while the stream still begins before them",
        )
    )


async def check_itself(runtime: Runtime, settings: AuditSettings, key: SigningKey) -> None:
    """Verify the whole log now and then; say so where it does not hold."""
    while True:
        await asyncio.sleep(settings.audit_verify_every.total_seconds())
        verdict = await verify(runtime.session, key)
        if verdict.first is not None:
            bad = verdict.first
            async with runtime.work(ACTOR) as work:
                work.emit(
                    IntegrityViolated(
                        origin=key.name, what=bad.what, where=bad.where, expected=bad.expected, found=bad.found
                    )
                )
