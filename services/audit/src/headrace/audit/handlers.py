"""What audit does with what it hears: it adds every message to the log, and looks for what did not come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import insert, select, update

from headrace.audit.bookkeeping import STREAM
from headrace.audit.domain import Event, gaps_between
from headrace.audit.log import Log, run, table
from headrace.audit.records import describe, microseconds
from headrace.audit.tables import GapRow
from headrace.bus import RawMessage, UnitOfWork
from headrace.contracts import IntegrityViolated
from headrace.tlog import Entry, SigningKey

logger = structlog.get_logger()

GAP = table(GapRow)


async def on_messages(messages: Sequence[RawMessage], work: UnitOfWork, *, key: SigningKey) -> None:
    """Record a batch of one stream: what is new becomes entries; what came before must be the same."""
    log = Log(work.session, key)
    await log.lock()
    stream = messages[0].stream
    events = {message.seq: describe(message) for message in messages}
    known = await log.known(stream, min(events), max(events))
    _compare(known, events, work, key.name)
    new = [event for seq, event in sorted(events.items()) if seq not in known]
    if new:
        await log.append(new)
        await _note_gaps(stream, new, work)
        traces = sorted({event.trace_id for event in new if event.trace_id})
        logger.info("recorded", stream=stream, first=new[0].seq, entries=len(new), trace_ids=traces)


def _compare(known: Mapping[int, bytes], events: Mapping[int, Event], work: UnitOfWork, origin: str) -> None:
    """A message that comes again under its number must be the one that is recorded."""
    for seq, encoded in known.items():
        entry = Entry.decode(encoded)
        if entry.sha256 != events[seq].entry.sha256:
            where = f"{entry.stream} {seq}"
            work.emit(
                IntegrityViolated(
                    origin=origin, what="stream", where=where, expected=entry.sha256, found=events[seq].entry.sha256
                )
            )


async def _note_gaps(stream: str, events: Sequence[Event], work: UnitOfWork) -> None:
    last = await work.session.scalar(select(STREAM.c.last).where(STREAM.c.name == stream))
    seqs = [event.seq for event in events]
    for gap in gaps_between(stream, last or 0, seqs):
        row = {"stream": stream, "first": gap.first, "last": gap.last, "noticed": microseconds(work.now)}
        await run(work.session, insert(GAP).values(state="open", **row))
    if last is None:
        await run(work.session, insert(STREAM).values(name=stream, last=max(seqs)))
    elif max(seqs) > last:
        await run(work.session, update(STREAM).where(STREAM.c.name == stream).values(last=max(seqs)))
