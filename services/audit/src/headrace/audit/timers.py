"""What audit does without being asked: publish checkpoints, copy the log to the bucket, look at gaps, check itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import insert, select, update

from headrace.audit.bookkeeping import CHECKPOINT
from headrace.audit.checks import UNCHECKED, verify
from headrace.audit.domain import Gap, checkpoint_due, judge_gap
from headrace.audit.handlers import GAP
from headrace.audit.log import HEAD, Log, run
from headrace.audit.records import microseconds
from headrace.audit.settings import AuditSettings
from headrace.audit.streams import first_sequence
from headrace.audit.witnesses import witnesses
from headrace.bus import UnitOfWork
from headrace.chassis import Every, Runtime, chore, every
from headrace.contracts import CheckpointSigned, IntegrityViolated
from headrace.objects import ObjectStore
from headrace.tlog import Checkpoint, SigningKey

LOOK_EVERY = timedelta(seconds=1)  # how exact "every T seconds" is
LONGEST_CHECK = timedelta(hours=12)  # a log of a billion entries
ACTOR = "service:audit"


def publish_checkpoints(settings: AuditSettings, key: SigningKey) -> Every[Runtime, None]:
    """Publish the newest head whenever the rule says so."""

    async def publish(runtime: Runtime) -> None:
        async with runtime.work(ACTOR) as work:
            await publish_if_due(work, settings, key)

    return chore(LOOK_EVERY, publish, name="checkpoints")


async def publish_if_due(work: UnitOfWork, settings: AuditSettings, key: SigningKey) -> Checkpoint | None:
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


def _row(note: str, checkpoint: Checkpoint, work: UnitOfWork) -> Mapping[str, object]:
    return {"size": checkpoint.size, "note": note, "at": microseconds(work.now)}


async def _due(work: UnitOfWork, unpublished: int, settings: AuditSettings) -> bool:
    newest = await work.session.scalar(select(CHECKPOINT.c.at).order_by(CHECKPOINT.c.size.desc()).limit(1))
    age = timedelta(microseconds=microseconds(work.now) - (newest or 0))
    return checkpoint_due(
        unpublished, age, every_entries=settings.audit_checkpoint_entries, every=settings.audit_checkpoint_every
    )


Place = tuple[str, int]
"""Where a gap begins: stream and sequence."""


def watch_gaps(settings: AuditSettings, key: SigningKey) -> Every[Runtime, Place]:
    """Settle gaps: filled late, expired by retention, or reported."""

    async def settle(runtime: Runtime, place: Place) -> None:
        first = await first_sequence(runtime.connection, place[0])
        async with runtime.work(ACTOR) as work:
            await settle_gap(work, place, settings, key, first)

    return every(LOOK_EVERY, open_gaps, settle, name="gaps")


async def open_gaps(runtime: Runtime) -> Mapping[str, Place]:
    """Where every gap begins that is not settled; one that cannot be read stops no other."""
    async with runtime.session() as session:
        rows = await run(session, select(GAP.c.stream, GAP.c.first).where(GAP.c.state == "open"))
    return {f"{row.stream} {row.first}": (row.stream, row.first) for row in rows}


async def settle_gap(
    work: UnitOfWork, place: Place, settings: AuditSettings, key: SigningKey, first: int | None
) -> None:
    """One look at a gap; `first` is the first sequence that its stream still holds, None where nobody knows."""
    here = (GAP.c.stream == place[0]) & (GAP.c.first == place[1])
    row = (await run(work.session, select(GAP).where(here, GAP.c.state == "open"))).mappings().one_or_none()
    if row is None:
        return
    gap = Gap(row["stream"], row["first"], row["last"])
    recorded = await Log(work.session, key).count(gap.stream, gap.first, gap.last)
    age = timedelta(microseconds=microseconds(work.now) - row["noticed"])
    state = judge_gap(gap, recorded=recorded, stream_first=first, age=age, allowed=settings.audit_gap_patience)
    await run(work.session, update(GAP).where(here).values(state=state))
    if state == "reported":
        _report_gap(gap, recorded, work, key)


def _report_gap(gap: Gap, recorded: int, work: UnitOfWork, key: SigningKey) -> None:
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


def check_itself(settings: AuditSettings, key: SigningKey, store: ObjectStore) -> Every[Runtime, None]:
    """Verify the whole log now and then; say so where it does not hold."""

    async def check(runtime: Runtime) -> None:
        verdict = await verify(runtime.session, key, witnesses(runtime.connection, store, key.name))
        bad = next((each for each in verdict.findings if each.what != UNCHECKED), None)
        if bad is not None:
            async with runtime.work(ACTOR) as work:
                work.emit(
                    IntegrityViolated(
                        origin=key.name, what=bad.what, where=bad.where, expected=bad.expected, found=bad.found
                    )
                )

    return chore(settings.audit_verify_every, check, name="check", longest=LONGEST_CHECK, wait_first=True)
