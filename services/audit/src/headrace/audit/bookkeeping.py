"""What the service keeps beside the log to go on with its work, compared with what the log says.

Published checkpoints, how far each stream was recorded, and what no checkpoint covers yet: none of it is in the tree,
and each of it, changed behind the service's back, would let it publish, record or compare wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping, func, literal, select, union_all
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.audit.log import HEAD, RECORD, as_bytes, run, table
from headrace.audit.records import CHECKPOINT_SIGNED
from headrace.audit.tables import CheckpointRow, StreamRow
from headrace.contracts import CheckpointSigned, ContractError, decode
from headrace.tlog import Checkpoint, Finding, NoteError, Past, SigningKey

CHECKPOINT, STREAM = table(CheckpointRow), table(StreamRow)
KIND = "bookkeeping"  # of the findings


@dataclass
class Books:
    """The published checkpoints to compare the log with, and what of the service's own tables does not fit."""

    history: list[Past] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


async def read_books(session: AsyncSession, key: SigningKey) -> Books:
    """Compare everything; what was deleted or changed here hides nothing, since the log has the events."""
    rows = {row["size"]: row for row in (await run(session, select(CHECKPOINT))).mappings()}
    said = {past.checkpoint.size: (note, at, past) for note, at, past in await _recorded(session, key.name)}
    books = Books([past for _, _, past in said.values()])
    for size, row in sorted(rows.items()):
        if size not in said:
            books.history += parsed(row["note"], key.name, "published")
        books.findings += _unlike(row, said.get(size), key)
    books.findings += [
        Finding(KIND, past.where, "a row of log_checkpoint", "nothing")
        for size, (_, _, past) in sorted(said.items())
        if size not in rows
    ]
    books.findings += [*await _streams(session), *await _head(session)]
    return books


async def _recorded(session: AsyncSession, origin: str) -> list[tuple[str, int, Past]]:
    """Every published checkpoint that came back as an event: its note, when it was said, and what it says."""
    query = select(RECORD.c.position, RECORD.c.at, RECORD.c.body).where(RECORD.c.type.in_(CHECKPOINT_SIGNED))
    return [
        (note, row.at, past)
        for row in await run(session, query)
        for note in note_of(as_bytes(row.body))
        for past in parsed(note, origin, "published")
    ]


def _unlike(row: RowMapping, said: tuple[str, int, Past] | None, key: SigningKey) -> Iterator[Finding]:
    """What of a row is not what its event says; one whose event has not come back yet must bear our signature."""
    where = f"checkpoint of size {row['size']}"
    if said is None:
        if problem := _problem(row, key):
            yield Finding(KIND, f"{where}, its note", f"{row['size']} entries, signed by {key.name}", problem)
        return
    for name, value in {"note": said[0], "at": said[1]}.items():
        if row[name] != value:
            yield Finding(KIND, f"{where}, its {name}", repr(value), repr(row[name]))


def _problem(row: RowMapping, key: SigningKey) -> str | None:
    try:
        size = Checkpoint.open(row["note"], key.verifying_key).size
    except NoteError as error:
        return str(error)
    return None if size == row["size"] else f"{size} entries"


async def _streams(session: AsyncSession) -> list[Finding]:
    """One statement sees one state, also where messages are recorded meanwhile."""
    newest = func.max(RECORD.c.seq)
    kept = select(STREAM.c.name, STREAM.c.last, literal("kept").label("side"))
    recorded = select(RECORD.c.stream, newest, literal("recorded")).group_by(RECORD.c.stream)
    sides: dict[str, dict[str, int]] = {"kept": {}, "recorded": {}}
    for row in await run(session, union_all(kept, recorded)):
        sides[row.side][row.name] = row.last
    return list(_differences(sides["recorded"], sides["kept"]))


def _differences(recorded: Mapping[str, int], kept: Mapping[str, int]) -> Iterator[Finding]:
    for name in sorted(recorded.keys() | kept.keys()):
        expected, found = recorded.get(name, "nothing"), kept.get(name, "nothing")
        if expected != found:
            yield Finding(KIND, f"stream {name}, its last number", str(expected), str(found))


async def _head(session: AsyncSession) -> Sequence[Finding]:
    """The head's size, and its count of what is not published: both follow from the records."""
    covered = select(func.coalesce(func.max(CHECKPOINT.c.size), 0)).scalar_subquery()
    size = select(func.count()).select_from(RECORD).scalar_subquery().label("records")
    open_ = select(func.count()).where(RECORD.c.position >= covered, RECORD.c.type.not_in(CHECKPOINT_SIGNED))
    query = select(HEAD.c.size, HEAD.c.unpublished, size, open_.scalar_subquery().label("uncovered"))
    row = (await run(session, query)).first()
    if row is None:
        return []
    pairs = {"size": (row.records, row.size), "unpublished": (row.uncovered, row.unpublished)}
    return [Finding(KIND, f"head, its {name}", str(a), str(b)) for name, (a, b) in pairs.items() if a != b]


def note_of(body: bytes) -> list[str]:
    """The signed note of a `checkpoint.signed` event; nothing where it is none."""
    try:
        event = decode(body).data
    except ContractError:
        return []
    return [event.checkpoint] if isinstance(event, CheckpointSigned) else []


def parsed(note: str, origin: str, where: str) -> list[Past]:
    """A note's checkpoint; of another log, or none, it says nothing about this one.

    Its signature is not asked for: only this service may publish there, and a key that was replaced must not make
    what the old one signed forgotten.
    """
    try:
        checkpoint = Checkpoint.parse(note)
    except NoteError:
        return []
    return [Past(checkpoint, where)] if checkpoint.origin == origin else []
