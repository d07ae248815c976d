"""Messages of a version that is newer than this program knows: kept until it is upgraded, and then handled in order.

Such a message is neither set aside nor passed over. It is put aside in the service's own database, as it came, and
acknowledged, so that the durable goes on however many there are. What comes later under the same subject waits behind
it, and so do requests about the same key, since they may need what it says; everything else goes on. `/ready` says
which event waits, and in which version. Once the program knows the version, a pass over the table hands the messages
on in the order of their stream, as if they had just come.
"""

import time
from asyncio import Lock
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy import Row, Table, and_, case, delete, func, or_, select, update

from headrace.bus.checkpoints import reach
from headrace.bus.messages import RawMessage
from headrace.bus.store import Clock, Store
from headrace.bus.tables import DeferredMessage
from headrace.bus.upsert import put_rows
from headrace.contracts.event_versions import newer_than

log = structlog.get_logger()

DEFERRED: Table = DeferredMessage.metadata.tables["deferred"]
CHUNK = 128  # messages handed on together
REQUESTS = "REQUESTS"
Place = tuple[str, int]
"""Stream and number of a message."""


class Processor(Protocol):
    """What handles messages: an MessageProcessor or a BatchProcessor."""

    async def process(self, messages: Sequence[RawMessage]) -> None:
        """Handle every message of the batch to an ack or a delay."""
        ...


@dataclass(frozen=True)
class Waiting:
    """What is put aside, as the table was when it was last read."""

    newer: Mapping[str, int] = field(default_factory=dict)
    """How many messages there are of each type that is newer than this program knows."""
    unread: frozenset[str] = frozenset()
    """Subjects with such a message."""
    subjects: frozenset[str] = frozenset()
    """Subjects with a message that was never handed on: what comes after it waits, too."""
    ready: int = 0
    """Messages that can be handed on."""

    @property
    def keys(self) -> frozenset[str]:
        """The keys of facts that wait: requests about them wait as well."""
        return frozenset(key_of(subject) for subject in self.subjects if not _is_request(subject))

    def holds(self, message: RawMessage) -> bool:
        """Whether a message that just came has to wait behind one that is here."""
        return message.subject in self.subjects or (message.stream == REQUESTS and key_of(message.subject) in self.keys)

    def blocks(self, subject: str) -> bool:
        """Whether a message that is here cannot be handed on yet."""
        return subject in self.unread or (
            _is_request(subject) and key_of(subject) in {key_of(each) for each in self.unread if not _is_request(each)}
        )


class Deferred:
    """The messages of one service that wait for its upgrade; its processors put them here and are given them back."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._waiting = Waiting()
        self._due: dict[Place, float] = {}  # when what failed is tried again
        self._finished: set[Place] = set()
        self._after: Place = ("", 0)
        self._lock = Lock()  # between what is put aside and the picture of it

    @property
    def problems(self) -> Mapping[str, str]:
        """Which events wait for an upgrade, and in which versions."""
        return {f"upgrade:{kind}": _told(kind, count) for kind, count in self._waiting.newer.items()}

    def holds(self, message: RawMessage) -> bool:
        """Whether a message that just came has to wait behind one that is here."""
        return bool(self._waiting.subjects) and bool(message.reply) and self._waiting.holds(message)

    async def put(self, messages: Sequence[tuple[RawMessage, str]]) -> None:
        """Put messages aside, each with its type; what is here already stays as it is."""
        async with self._lock:
            async with self._store.write() as session:
                await put_rows(session, DEFERRED, [self._row(message, kind) for message, kind in messages])
                for stream in {message.stream for message, _ in messages}:
                    last = max(message.seq for message, _ in messages if message.stream == stream)
                    await reach(session, stream, seq=last)
            await self._look()
        for kind, count in Counter(kind for _, kind in messages).items():
            log.warning("messages_deferred", event_type=kind, messages=count)

    async def refresh(self) -> None:
        """Look at the table anew: another copy of the service may have put something there, or handed it on."""
        async with self._lock:
            await self._look()

    async def release(self, processor_of: Callable[[str], Processor]) -> bool:
        """Hand some messages on that can be read by now, in the order of their streams; True where there may be more.

        `processor_of` names what handles the messages of a stream.
        """
        if self._after == ("", 0):
            await self.refresh()
        rows = await self._next() if self._waiting.ready else []
        self._after = (rows[-1].stream, rows[-1].seq) if rows else ("", 0)
        ready = [row for row in rows if self._is_due(row)]
        for stream in dict.fromkeys(row.stream for row in ready):
            await self._hand_on([row for row in ready if row.stream == stream], processor_of(stream))
        if len(rows) < CHUNK:
            self._after = ("", 0)
            await self.refresh()
        return len(rows) == CHUNK

    def done(self, message: RawMessage) -> None:
        """A message that was handed on was handled, or set aside."""
        self._finished.add((message.stream, message.seq))

    def later(self, message: RawMessage, seconds: float) -> None:
        """It was not; it is handed on again after a while."""
        self._due[message.stream, message.seq] = time.monotonic() + seconds

    async def _look(self) -> None:
        """How many there are of each subject and type, and which were never handed on."""
        untried = func.sum(case((DEFERRED.c.tries == 0, 1), else_=0))
        query = select(DEFERRED.c.subject, DEFERRED.c.type, func.count().label("messages"), untried.label("untried"))
        async with self._store.read() as session:
            connection = await session.connection()
            rows = (await connection.execute(query.group_by(DEFERRED.c.subject, DEFERRED.c.type))).all()
        newer: Counter[str] = Counter()
        for row in rows:
            if newer_than(row.type):
                newer[row.type] += row.messages
        unread = frozenset(row.subject for row in rows if row.type in newer)
        found = Waiting(newer, unread, frozenset(row.subject for row in rows if row.untried))
        ready = sum(row.messages for row in rows if not found.blocks(row.subject))
        self._waiting = Waiting(newer, unread, found.subjects, ready)

    async def _next(self) -> Sequence[Row[Any]]:
        place, (stream, seq) = DEFERRED.c, self._after
        behind = or_(place.stream > stream, and_(place.stream == stream, place.seq > seq))
        query = select(DEFERRED).where(behind, place.type.not_in(list(self._waiting.newer)))
        async with self._store.read() as session:
            connection = await session.connection()
            return (await connection.execute(query.order_by(place.stream, place.seq).limit(CHUNK))).all()

    def _is_due(self, row: Row[Any]) -> bool:
        due = self._due.get((row.stream, row.seq), 0.0)
        return not self._waiting.blocks(row.subject) and due <= time.monotonic()

    async def _hand_on(self, rows: Sequence[Row[Any]], processor: Processor) -> None:
        """Count the try before it is made, since the process may not outlive it; forget what was handled."""
        here = and_(DEFERRED.c.stream == rows[0].stream, DEFERRED.c.seq.in_([row.seq for row in rows]))
        async with self._store.write() as session:
            await (await session.connection()).execute(update(DEFERRED).where(here).values(tries=DEFERRED.c.tries + 1))
        self._finished.clear()
        await processor.process([_message(row) for row in rows])
        finished = [seq for stream, seq in self._finished if stream == rows[0].stream]
        async with self._store.write() as session:
            gone = and_(DEFERRED.c.stream == rows[0].stream, DEFERRED.c.seq.in_(finished))
            await (await session.connection()).execute(delete(DEFERRED).where(gone))
        for seq in finished:
            self._due.pop((rows[0].stream, seq), None)

    def _row(self, message: RawMessage, kind: str) -> dict[str, Any]:
        return {
            "stream": message.stream,
            "seq": message.seq,
            "subject": message.subject,
            "type": kind,
            "headers": dict(message.headers),
            "body": message.data,
            "taken_at": message.time,
            "deferred_at": self._clock(),
            "tries": 0,
        }


def key_of(subject: str) -> str:
    """The entity that a subject is about."""
    return subject.rpartition(".")[2]


def _is_request(subject: str) -> bool:
    return subject.startswith("headrace.from.")


def _message(row: Row[Any]) -> RawMessage:
    """The message as its stream gave it; it has no reply, since the broker has its answer."""
    return RawMessage(row.stream, row.seq, row.subject, row.headers, row.body, row.taken_at, row.tries + 1)


def _told(kind: str, count: int) -> str:
    waits = "1 message waits" if count == 1 else f"{count:,} messages wait"
    return f"{waits}, and what comes after on the same subjects; version {newer_than(kind)} is known here: upgrade"
