"""From a message to its effect, exactly once: inbox, handler and outbox in one transaction, then the ack.

A batch is handled in one transaction (one commit, one sync of the disk). When anything in it fails, the whole is
rolled back: what came before the bad message is done again together, the bad one alone, in a transaction of its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog
from opentelemetry.trace import SpanKind
from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.checkpoints import InHand
from headrace.bus.connection import Connection
from headrace.bus.dead_letters import UNREAD, kept, plain, set_aside_message
from headrace.bus.deferred import Deferred
from headrace.bus.errors import NotYet, Refused
from headrace.bus.inbox import Item, claim, close, count
from headrace.bus.messages import RawMessage, said_by
from headrace.bus.retry import RetryPolicy, jitter
from headrace.bus.store import Clock, Store, is_outage
from headrace.bus.tables import Inbox
from headrace.bus.trace import follow, log_context, span
from headrace.bus.unit_of_work import UnitOfWork
from headrace.contracts import ContractError, Event, MessageReplayed, NewerVersion
from headrace.faults import point

log = structlog.get_logger()

Handler = Callable[[Any, UnitOfWork], Awaitable[None]]
Answer = TypeVar("Answer")
BatchHandler = Callable[
    [Sequence[RawMessage], UnitOfWork], Awaitable[None]
]  # of a stream that is read whole; it hears replays, too
Observe = Callable[[str, str, float], None]  # event type, outcome, seconds

OUTAGE_DELAY_S = 1.0
LARGEST_BATCH = 128  # more gains little, and a failure repeats what came before it
LONGEST_BATCH_S = 0.25  # others wait for the database meanwhile; slow handlers get smaller batches
SUSPECT = 3  # delivered this often without an answer: perhaps handling it ends the process
LONGEST_ID = 256
REQUESTS = "REQUESTS"
REPLAY_DELAY_S = 60.0
BEHIND_DELAY_S, LONGEST_BEHIND_S = 0.1, 5.0  # how long a request waits for the facts before it


class HandlerBroke(Exception):
    """A handler raised what would look like an outage of the database, or like the end of this task."""


class _Again(Exception):
    """A message of this batch failed before and is handled alone, after the `good` ones in front of it."""

    def __init__(self, good: int) -> None:
        self.good = good


class MessageProcessor:
    """Handles the messages of one service; see the module for how."""

    def __init__(
        self,
        service: str,
        store: Store,
        connection: Connection,
        handlers: Mapping[type[Event], Handler],
        *,
        clock: Clock,
        batch_subscriptions: Mapping[str, BatchHandler] | None = None,
        retry_policy: RetryPolicy | None = None,
        observe: Observe = lambda _type, _outcome, _seconds: None,
        deferred: Deferred | None = None,
    ) -> None:
        self.deferred = deferred or Deferred(store, clock=clock)
        self._service = service
        self._store = store
        self._connection = connection
        self._handlers = {cls.TYPE: handler for cls, handler in handlers.items()}
        self._batch_subscriptions = batch_subscriptions or {}
        self._clock = clock
        self._retry_policy = retry_policy or RetryPolicy()
        self._observe = observe
        self._most = LARGEST_BATCH
        self._in_hand: dict[str, InHand] = {}
        self._sent_back: set[tuple[str, int]] = set()
        self.is_caught_up: Callable[[], Awaitable[bool]] | None = None
        """Whether all facts are handled that there are now; requests are handled after them, see `process`."""
        self.problem: str | None = None

    def suspect(self, in_hand: InHand) -> None:
        """What the process before this one may have died of is handled alone, and counted before it is tried.

        How often the broker has delivered it does not tell: that is forgotten when the broker is killed, or its
        durable set back.
        """
        self._in_hand[in_hand.stream] = in_hand

    async def process(self, messages: Sequence[RawMessage]) -> None:
        """Handle messages in their order; each is acknowledged, or goes back with a delay.

        A request waits a few seconds for the facts that were there before it: who asks has been told of them.

        The same message may lie in a batch twice. Its copy is not answered before it is handled, since the broker
        takes an answer to one for an answer to both; nor after, since the answer to the first is enough.
        """
        if await self._is_early(messages):
            for message in messages:
                await self._back(message, BEHIND_DELAY_S)
            return
        items: dict[str, Item] = {}
        later: list[RawMessage] = []  # the same event under another sequence: known by then
        waiting: list[tuple[RawMessage, str]] = []  # of a newer version, or behind one that is
        for message in messages:
            item = await self._read(message, waiting)
            if item is None:
                continue
            first = items.setdefault(item.id, item)
            if (first.message.stream, first.message.seq) != (message.stream, message.seq):
                later.append(message)
        await self._defer(waiting)
        await self._handle(list(items.values()))
        if later:
            await self.process(later)

    async def _defer(self, waiting: Sequence[tuple[RawMessage, str]]) -> None:
        """Put messages aside until this program is upgraded; the durable goes on."""
        fresh = [(message, kind) for message, kind in waiting if message.reply]
        for message, _ in waiting:
            if not message.reply:  # it replays what cannot be read yet
                self.deferred.later(message, REPLAY_DELAY_S)
        if not fresh:
            return
        try:
            await self.deferred.put(fresh)
        except Exception as error:
            self.problem = reason_of(error)
            for message, _ in fresh:
                await self._back(message, jitter(OUTAGE_DELAY_S))
            return
        point("inlet.deferred")
        for message, kind in fresh:
            self._observe(kind, "deferred", 0.0)
            await self._ack(message)

    async def _is_early(self, messages: Sequence[RawMessage]) -> bool:
        """Whether these are requests, and facts that were there before them are not handled yet."""
        self._sent_back -= {(message.stream, message.seq) for message in messages}
        if self.is_caught_up is None or messages[0].stream != REQUESTS:
            return False
        age = time.time() - min(message.time.timestamp() for message in messages)
        return age < LONGEST_BEHIND_S and not await self.is_caught_up()

    def sent_back(self, stream: str) -> int:
        """How many messages of a stream wait for another try."""
        return sum(1 for name, _ in self._sent_back if name == stream)

    async def _handle(self, items: Sequence[Item]) -> None:
        suspects = [item for item in items if self._is_suspect(item.message)]
        calm = [item for item in items if not self._is_suspect(item.message)]
        while calm:
            handled = await self._some(calm)
            calm = calm[handled:]
        for item in suspects:
            await self._alone(item)

    def _is_suspect(self, message: RawMessage) -> bool:
        before = self._in_hand.get(message.stream)
        was_in_hand = before is not None and before.after < message.seq <= before.until
        return was_in_hand or message.delivered >= SUSPECT

    async def _some(self, items: Sequence[Item]) -> int:
        """Handle some from the front; returns how many."""
        batch = items[: self._most]
        good = await self._together(batch) if len(batch) > 1 else 0
        if good == len(batch):
            return good
        if good and await self._together(batch[:good]) != good:  # it was not the message after them
            good = 0
        await self._alone(batch[good])
        return good + 1

    async def _together(self, items: Sequence[Item]) -> int:
        """One transaction for all; returns how many went well. Unless that is all, nothing of it was kept."""
        started, good = time.perf_counter(), 0
        try:
            async with self._store.write() as session:
                fresh = await claim(session, items, self._clock())
                failed_before = [at for at, item in enumerate(items) if fresh.get(item.id)]
                if failed_before:
                    raise _Again(failed_before[0])
                point("processor.claimed")
                for item in items:
                    if item.id in fresh:
                        await self._run(item, session)
                    good += 1
                point("processor.handled")
        except _Again as again:
            return again.good
        except Exception as error:  # whatever it was, the message is judged alone
            return await self._outage(items, error) if is_outage(error) else min(good, len(items) - 1)
        await self._after(items, fresh, time.perf_counter() - started)
        return len(items)

    async def _after(self, items: Sequence[Item], fresh: Mapping[str, int], seconds: float) -> None:
        """The transaction is on the disk: say so to the broker and in the log."""
        self.problem = None
        self._most = fitting(len(items), seconds, self._most)
        point("processor.committed")
        for item in items:
            await self._ack(item.message)
        point("processor.acknowledged")
        for item in items:
            self._tell(item, "done" if item.id in fresh else "duplicate", seconds / len(items))

    async def _alone(self, item: Item) -> None:
        started = time.perf_counter()
        counted = self._is_suspect(item.message)
        try:
            if counted and await self._deadly(item):
                outcome = "dead_letter"
            else:
                outcome = await self._once(item)
        except Exception as error:
            outcome = await self._judge(item, error, counted)
        self._tell(item, outcome, time.perf_counter() - started)

    async def _once(self, item: Item) -> str:
        """Handle one message in a transaction of its own."""
        started = time.perf_counter()
        async with self._store.write() as session:
            fresh = await claim(session, [item], self._clock())
            if fresh:
                await self._run(item, session)
            point("processor.handled_alone")
        # a batch that has shrunk to one message would never grow again
        self._most = max(self._most, fitting(1, time.perf_counter() - started, self._most))
        self.problem = None
        point("processor.committed_alone")
        await self._ack(item.message)
        return "done" if fresh else "duplicate"

    async def _deadly(self, item: Item) -> bool:
        """Count the attempt before it is made, since the process may not outlive it; True where it was set aside."""
        async with self._store.write() as session:
            known = await count(session, item, self._clock(), tries=1, error=None)
        point("processor.counted")
        if known.done_at is not None or known.attempts <= self._retry_policy.attempts:
            return False
        reason = known.error or f"handling it ended the process, or was never answered, {known.attempts - 1} times"
        return await self._set_aside(item, reason, known.attempts - 1) == "dead_letter"

    async def _run(self, item: Item, session: AsyncSession) -> None:
        envelope = item.envelope
        handler = self._handler_of(item)
        if handler is None:
            raise Refused(f"{self._service} hears no {envelope.data.TYPE}")
        attributes = {"messaging.message.id": item.id}
        with (
            span(f"handle {envelope.type}", envelope.traceparent, SpanKind.CONSUMER, attributes) as at,
            structlog.contextvars.bound_contextvars(**log_context(envelope)),
        ):
            await guarded(handler(envelope.data, self._work(item, session, at)), self._retry_policy)

    def _handler_of(self, item: Item) -> Handler | None:
        """What handles a message; a replayed dead letter of a batch subscription goes to that subscription."""
        batch_handler = self._batch_subscriptions.get(item.meant.stream) if item.meant is not item.message else None
        kind = item.envelope.data.TYPE  # the newest version, whichever was said
        if batch_handler is None or kind in self._handlers:
            return self._handlers.get(kind)
        return lambda _event, work: batch_handler([item.meant], work)

    def _work(self, item: Item, session: AsyncSession, traceparent: str) -> UnitOfWork:
        envelope = item.envelope
        actor = envelope.authid or envelope.source.replace("headrace/", "service:")
        return UnitOfWork(
            session, self._service, actor, self._clock(), envelope.id, envelope, envelope.correlationid, traceparent
        )

    async def _judge(self, item: Item, error: Exception, counted: bool) -> str:
        """What becomes of a message whose handling failed. Nothing of what it did was kept."""
        if is_outage(error):
            await self._outage([item], error)
            return "outage"
        try:
            return await self._verdict(item, error, counted)
        except Exception as again:  # the verdict could not be written either: it comes back
            await self._outage([item], again)
            return "outage"

    async def _outage(self, items: Sequence[Item], error: Exception) -> int:
        """Nothing can be kept right now; all come back, as often as it takes."""
        self.problem = reason_of(error)
        log.warning("database_outage", error=self.problem, messages=len(items))
        for item in items:
            await self._back(item.message, jitter(OUTAGE_DELAY_S))
        return len(items)

    async def _verdict(self, item: Item, error: Exception, counted: bool) -> str:
        tries = int(not isinstance(error, NotYet)) - int(counted)
        async with self._store.write() as session:
            known = await count(session, item, self._clock(), tries=tries, error=plain(reason_of(error)))
        if known.done_at is not None:  # another copy of this service was faster
            await self._ack(item.message)
            return "duplicate"
        if isinstance(error, (Refused, ContractError)):  # neither will ever be right
            return await self._set_aside(item, reason_of(error), known.attempts)
        if isinstance(error, NotYet):
            return await self._wait(item, error, known)
        log.warning("handler_failed", exc_info=error, attempt=known.attempts, **log_context(item.envelope))
        if known.attempts >= self._retry_policy.attempts:
            return await self._set_aside(item, reason_of(error), known.attempts)
        await self._back(item.message, self._retry_policy.delay(known.attempts))
        return "failed"

    async def _wait(self, item: Item, error: NotYet, known: Inbox) -> str:
        if self._clock() - known.first_seen > self._retry_policy.not_yet:
            reason = f"still too early after {self._retry_policy.not_yet}: {error.reason}"
            return await self._set_aside(item, reason, known.attempts)
        await self._back(item.message, jitter(error.delay.total_seconds()))
        return "not_yet"

    async def _set_aside(self, item: Item, reason: str, attempts: int) -> str:
        async with self._store.write() as session:
            now = self._clock()
            if not await close(session, item.id, now, outcome="dead_letter", error=plain(reason)[:500]):
                return "duplicate"  # done meanwhile: acknowledged by whoever did it
            work = self._work(item, session, follow(item.envelope.traceparent))
            # its refusal is not what the handler would have said; nor can anybody foresee its id, and say it first
            work.root = f"{item.id}/dead-letters/{item.message.time.isoformat()}"
            set_aside_message(work, item.meant, item.id, reason, attempts)
        point("processor.parked")
        await self._ack(item.message)
        return "dead_letter"

    async def _read(self, message: RawMessage, waiting: list[tuple[RawMessage, str]]) -> Item | None:
        """Read a message, or park it at once when no schema allows it; add it to those that wait where it must."""
        meant = message
        try:
            envelope = message.envelope()
            if isinstance(envelope.data, MessageReplayed):
                meant = await self._kept(envelope.data)
                again = meant.envelope()
                envelope = replace(again, id=envelope.id, causationid=again.id)
            if len(envelope.id) > LONGEST_ID or plain(envelope.id) != envelope.id:
                raise ContractError(f"id: at most {LONGEST_ID} characters of plain text are needed")
        except NewerVersion as error:
            waiting.append((message, error.kind))
        except ContractError as error:
            await self._unreadable(message, meant, str(error))
        except Exception as error:  # a bug in reading must not stop what comes after
            if is_outage(error):
                self.problem = reason_of(error)
                await self._back(message, jitter(OUTAGE_DELAY_S))
                return None
            log.exception("reading_failed", stream=message.stream, seq=message.seq)
            await self._unreadable(message, meant, reason_of(error))
        else:
            if not (self.deferred.holds(message) or any(each.subject == message.subject for each, _ in waiting)):
                return Item(message, envelope, meant)
            waiting.append((message, envelope.type))
        return None

    async def _kept(self, replayed: MessageReplayed) -> RawMessage:
        """What a replay names, as this service has kept it."""
        async with self._store.read() as session:
            return await kept(session, replayed)

    async def _unreadable(self, message: RawMessage, meant: RawMessage, reason: str) -> None:
        try:
            await self._set_aside_unread(message, meant, reason)
        except IntegrityError:
            log.debug("parked_before", stream=message.stream, seq=message.seq)
        except Exception as error:
            self.problem = reason_of(error)
            await self._back(message, jitter(OUTAGE_DELAY_S))
            return
        point("processor.unreadable_parked")
        log.warning("message_parked", subject=message.subject, stream=message.stream, seq=message.seq, reason=reason)
        self._observe("unreadable", "dead_letter", 0.0)
        await self._ack(message)

    async def _set_aside_unread(self, message: RawMessage, meant: RawMessage, reason: str) -> None:
        """Under the message's place, since its id cannot be trusted."""
        actor, own = said_by(meant)
        place, now = own(f"{message.stream}-{message.seq}{UNREAD}"), self._clock()
        row = Inbox(
            message_id=place, stream=message.stream, seq=message.seq, first_seen=now, done_at=now, outcome="dead_letter"
        )
        async with self._store.write() as session:
            session.add(row)
            await session.flush()
            work = UnitOfWork(session, self._service, actor, now, f"{place}/{message.time.isoformat()}")
            work.traceparent, work.correlationid = follow(None), place.removesuffix(UNREAD)
            set_aside_message(work, meant, place, reason, 1)

    async def _ack(self, message: RawMessage) -> None:
        if not message.reply:  # the broker has its answer
            self.deferred.done(message)
            return
        await self._connection.send(message.reply, b"+ACK")

    async def _back(self, message: RawMessage, seconds: float) -> None:
        if not message.reply:
            self.deferred.later(message, seconds)
            return
        self._sent_back.add((message.stream, message.seq))
        await self._connection.send(message.reply, b'-NAK {"delay": %d}' % int(seconds * 1e9))

    def _tell(self, item: Item, outcome: str, seconds: float) -> None:
        """One wide line per message."""
        self._observe(item.envelope.type, outcome, seconds)
        tell = log.info if outcome in {"done", "duplicate", "not_yet"} else log.warning
        tell("message_handled", outcome=outcome, ms=round(seconds * 1e3, 2), **log_context(item.envelope))


async def guarded(handling: Awaitable[Answer], retry_policy: RetryPolicy) -> Answer:
    """A handler that hangs, or whose own tasks end badly, stops neither its loop nor its neighbours."""
    try:
        async with asyncio.timeout(retry_policy.longest.total_seconds()):
            return await handling
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise HandlerBroke("something that the handler waited for was cancelled") from None
    except OSError as error:  # TimeoutError is one; neither is an outage of the database
        raise HandlerBroke(f"{type(error).__name__}: {error}") from error


def is_away(error: Exception) -> bool:
    """Whether the database failed, also where a guarded handler was the first to ask it."""
    return is_outage(error) or (isinstance(error, HandlerBroke) and isinstance(error.__cause__, ConnectionError))


def fitting(handled: int, seconds: float, most: int) -> int:
    """How many messages the next batch may have, so that it does not hold the database for long."""
    if seconds > LONGEST_BATCH_S:
        return max(1, int(handled * LONGEST_BATCH_S / seconds))
    return min(LARGEST_BATCH, 2 * most) if handled >= most else most


def reason_of(error: Exception) -> str:
    """An error in one readable line."""
    if isinstance(error, (Refused, NotYet)):
        return error.reason
    text = str(error) if isinstance(error, (HandlerBroke, ContractError)) else f"{type(error).__name__}: {error}"
    return (text.splitlines() or [type(error).__name__])[0][:500]
