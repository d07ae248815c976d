"""From a message to its effect, exactly once: inbox, handler and outbox in one transaction, then the ack.

A batch is handled in one transaction (one commit, one fsync). When anything in it fails, the whole is rolled back and
each message is done again in a transaction of its own, so that a bad one cannot harm its neighbours.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.connection import Connection
from headrace.bus.errors import NotYet, Refused
from headrace.bus.messages import RawMessage
from headrace.bus.parking import park
from headrace.bus.policy import Patience, jitter
from headrace.bus.store import Clock, Store, is_outage
from headrace.bus.tables import Inbox
from headrace.bus.trace import follow, span, trace_id
from headrace.bus.work import Work
from headrace.contracts import ContractError, Envelope, Event

log = structlog.get_logger()

Handler = Callable[[Any, Work], Awaitable[None]]
Observe = Callable[[str, str, float], None]  # event type, outcome, seconds

OUTAGE_DELAY_S = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """A message that was read, under the id by which the inbox knows it."""

    message: RawMessage
    envelope: Envelope

    @property
    def id(self) -> str:
        """The event's id."""
        return self.envelope.id


class Inlet:
    """Handles the messages of one service; see the module for how."""

    def __init__(
        self,
        service: str,
        store: Store,
        connection: Connection,
        handlers: Mapping[type[Event], Handler],
        *,
        wake: Callable[[], None],
        clock: Clock,
        patience: Patience | None = None,
        observe: Observe = lambda _type, _outcome, _seconds: None,
    ) -> None:
        self._service = service
        self._store = store
        self._connection = connection
        self._handlers = {cls.TYPE: handler for cls, handler in handlers.items()}
        self._wake = wake
        self._clock = clock
        self._patience = patience or Patience()
        self._observe = observe

    async def process(self, messages: Sequence[RawMessage]) -> None:
        """Handle a batch; every message is acknowledged, or goes back with a delay. Never raises but on a bug here."""
        items: dict[str, Item] = {}
        for message in messages:
            item = await self._read(message)
            if item is None:
                continue
            if item.id in items:  # the same message twice in one batch: the first decides
                await self._ack(message)
                continue
            items[item.id] = item
        if items:
            await self._handle(list(items.values()))

    async def _handle(self, items: Sequence[Item]) -> None:
        if len(items) > 1 and await self._together(items):
            return
        for item in items:
            await self._alone(item)

    async def _together(self, items: Sequence[Item]) -> bool:
        """One transaction for all; False when it was rolled back."""
        started = time.perf_counter()
        try:
            async with self._store.write() as session:
                fresh = await self._fresh(session, items)
                for item in fresh:
                    await self._run(item, session)
                session.add_all([self._row(item, "done") for item in fresh])
        except Exception:  # whatever it was, each message is judged alone now
            return False
        self._wake()
        seconds = (time.perf_counter() - started) / max(1, len(fresh))
        for item in fresh:
            self._tell(item, "done", seconds)
        for item in items:
            await self._ack(item.message)
        return True

    async def _alone(self, item: Item) -> None:
        started = time.perf_counter()
        try:
            async with self._store.write() as session:
                known = await session.get(Inbox, item.id)
                if known is None or known.done_at is None:
                    await self._run(item, session)
                    await session.merge(self._row(item, "done", known))
            outcome: str = "done" if known is None or known.done_at is None else "duplicate"
            self._wake()
            await self._ack(item.message)
        except Exception as error:
            outcome = await self._judge(item, error)
        self._tell(item, outcome, time.perf_counter() - started)

    async def _run(self, item: Item, session: AsyncSession) -> None:
        handler = self._handlers.get(item.envelope.type)
        if handler is None:
            raise Refused(f"{self._service} hears no {item.envelope.type}")
        envelope = item.envelope
        with (
            span(
                f"handle {envelope.type}", envelope.traceparent, SpanKind.CONSUMER, {"messaging.message.id": item.id}
            ) as at,
            structlog.contextvars.bound_contextvars(**context(envelope)),
        ):
            await handler(envelope.data, self._work(item, session, at))

    def _work(self, item: Item, session: AsyncSession, traceparent: str) -> Work:
        envelope = item.envelope
        actor = envelope.authid or f"{envelope.source.replace('headrace/', 'service:')}"
        return Work(
            session, self._service, actor, self._clock(), envelope.id, envelope, envelope.correlationid, traceparent
        )

    async def _judge(self, item: Item, error: Exception) -> str:
        """What becomes of a message whose handling failed. Nothing of what it did was kept."""
        if is_outage(error):
            log.warning("database_outage", error=str(error).splitlines()[0])
            await self._back(item.message, jitter(OUTAGE_DELAY_S))
            return "outage"
        try:
            return await self._verdict(item, error)
        except Exception as again:  # the verdict could not be written either: it comes back
            log.warning("verdict_not_kept", error=str(again).splitlines()[0])
            await self._back(item.message, jitter(OUTAGE_DELAY_S))
            return "outage"

    async def _verdict(self, item: Item, error: Exception) -> str:
        known = await self._note(item, error)
        if known.done_at is not None:  # another copy of this service was faster
            await self._ack(item.message)
            return "duplicate"
        if isinstance(error, Refused):
            return await self._park(item, error.reason, known.attempts)
        if isinstance(error, NotYet):
            if self._clock() - known.first_seen > self._patience.not_yet:
                return await self._park(item, f"still too early after {self._patience.not_yet}: {error.reason}", 0)
            await self._back(item.message, jitter(error.delay.total_seconds()))
            return "not_yet"
        if known.attempts >= self._patience.attempts:
            return await self._park(item, reason_of(error), known.attempts)
        log.warning("handler_failed", exc_info=error, attempt=known.attempts, **context(item.envelope))
        await self._back(item.message, self._patience.delay(known.attempts))
        return "failed"

    async def _note(self, item: Item, error: Exception) -> Inbox:
        """Count the attempt where the broker's own count cannot be trusted: in the inbox."""
        async with self._store.write() as session:
            known = await session.get(Inbox, item.id)
            row = known or self._row(item, None)
            if row.done_at is None:
                row.attempts += not isinstance(error, NotYet)
                row.error = reason_of(error)
                session.add(row)
        return row

    async def _park(self, item: Item, reason: str, attempts: int) -> str:
        async with self._store.write() as session:
            work = self._work(item, session, follow(item.envelope.traceparent))
            work.root = f"{item.id}/parked"  # its refusal is not what the handler would have said
            park(work, item.message, item.id, reason, attempts)
            done = {"done_at": self._clock(), "outcome": "parked", "error": reason[:500]}
            await session.exec(update(Inbox).where(col(Inbox.message_id) == item.id).values(**done))
        self._wake()
        await self._ack(item.message)
        return "parked"

    async def _read(self, message: RawMessage) -> Item | None:
        """Read a message, or park it at once when no schema allows it."""
        try:
            return Item(message, message.envelope())
        except ContractError as error:
            await self._park_unread(message, str(error))
            return None

    async def _park_unread(self, message: RawMessage, reason: str) -> None:
        message_id = f"{message.stream}-{message.seq}"
        now = self._clock()
        row = Inbox(
            message_id=message_id, stream=message.stream, seq=message.seq, first_seen=now, done_at=now, outcome="parked"
        )
        try:
            async with self._store.write() as session:
                if await session.get(Inbox, message_id) is None:
                    session.add(row)
                    work = Work(session, self._service, "nats:outsider", now, message_id, traceparent=follow(None))
                    park(work, message, message_id, reason, 1)
        except Exception as error:
            if not isinstance(error, IntegrityError):
                await self._back(message, jitter(OUTAGE_DELAY_S))
                return
        self._wake()
        log.warning("message_parked", subject=message.subject, stream=message.stream, seq=message.seq, reason=reason)
        self._observe("unreadable", "parked", 0.0)
        await self._ack(message)

    async def _fresh(self, session: AsyncSession, items: Sequence[Item]) -> list[Item]:
        """Those that were never tried; a batch with one that failed before is handled one by one."""
        ids = [item.id for item in items]
        rows = (await session.exec(select(Inbox.message_id, Inbox.done_at).where(col(Inbox.message_id).in_(ids)))).all()
        if any(done_at is None for _, done_at in rows):
            raise NotYet("a message of this batch failed before")
        done = {message_id for message_id, _ in rows}
        return [item for item in items if item.id not in done]

    def _row(self, item: Item, outcome: str | None, known: Inbox | None = None) -> Inbox:
        now = self._clock()
        done_at: datetime | None = now if outcome else None
        return Inbox(
            message_id=item.id,
            stream=item.message.stream,
            seq=item.message.seq,
            attempts=known.attempts if known else 0,
            first_seen=known.first_seen if known else now,
            done_at=done_at,
            outcome=outcome,
        )

    async def _ack(self, message: RawMessage) -> None:
        await self._connection.send(message.reply, b"+ACK")

    async def _back(self, message: RawMessage, seconds: float) -> None:
        await self._connection.send(message.reply, b'-NAK {"delay": %d}' % int(seconds * 1e9))

    def _tell(self, item: Item, outcome: str, seconds: float) -> None:
        """One wide line per message."""
        self._observe(item.envelope.type, outcome, seconds)
        level = "info" if outcome in {"done", "duplicate", "not_yet"} else "warning"
        getattr(log, level)("message_handled", outcome=outcome, ms=round(seconds * 1e3, 2), **context(item.envelope))


def context(envelope: Envelope) -> dict[str, object]:
    """What every log line about an event carries."""
    return {
        "event_type": envelope.type,
        "event_id": envelope.id,
        "key": envelope.subject,
        "correlation_id": envelope.correlationid,
        "trace_id": trace_id(envelope.traceparent),
    }


def reason_of(error: Exception) -> str:
    """An error in one readable line."""
    if isinstance(error, (Refused, NotYet)):
        return error.reason
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]
