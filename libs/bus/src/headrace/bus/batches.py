"""Raw batches of a whole stream, for services that read everything: audit, and monitor's predictions.

A batch subscription handles a batch in one transaction and is itself idempotent by (stream, seq): there is no inbox row
a message. A batch that fails is halved until the messages that fail are found; each of those is tried a few times
alone, and then handed to the subscription's last resort, which sets it aside, and passed over.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.checkpoints import InHand, reach
from headrace.bus.connection import Connection
from headrace.bus.dead_letters import set_aside_once
from headrace.bus.deferred import Deferred
from headrace.bus.errors import NotYet, Refused
from headrace.bus.items import count_try, forget_items
from headrace.bus.messages import RawMessage
from headrace.bus.processor import OUTAGE_DELAY_S, SUSPECT, guarded, is_away, reason_of
from headrace.bus.retry import RetryPolicy, jitter
from headrace.bus.store import Clock, Store
from headrace.bus.trace import follow
from headrace.bus.unit_of_work import UnitOfWork
from headrace.contracts import ContractError, NewerVersion
from headrace.faults import point

log = structlog.get_logger()

BatchHandler = Callable[[Sequence[RawMessage], UnitOfWork], Awaitable[None]]
LastResort = Callable[[UnitOfWork, RawMessage, str], Awaitable[None]]
"""What becomes of a message that a batch subscription cannot handle, and why; it must bear any bytes."""

Hopeless = list[tuple[RawMessage, str]]  # what is given up at the end of a batch, and why

BATCH_RETRY_POLICY = RetryPolicy(
    attempts=3
)  # what waits counts against the durable's limit: thousands must not stop the rest


class BatchProcessor:
    """Hands whole batches over; no message is negatively acknowledged for ever, none is passed over in silence."""

    def __init__(
        self,
        service: str,
        store: Store,
        connection: Connection,
        batch_handler: BatchHandler,
        *,
        clock: Clock,
        last_resort: LastResort = set_aside_once,
        retry_policy: RetryPolicy = BATCH_RETRY_POLICY,
        deferred: Deferred | None = None,
    ) -> None:
        self.deferred = deferred or Deferred(store, clock=clock)
        self._service = service
        self._store = store
        self._connection = connection
        self._batch_handler = batch_handler
        self._clock = clock
        self._last_resort = last_resort
        self._retry_policy = retry_policy
        self._failures: dict[int, int] = {}  # by sequence; a batch subscription has one stream
        self._in_hand: InHand | None = None
        self.problem: str | None = None

    def suspect(self, in_hand: InHand) -> None:
        """What the process before this one may have died of is handled alone, and counted before it is tried."""
        self._in_hand = in_hand

    def sent_back(self, _stream: str) -> int:
        """How many messages wait for another try."""
        return len(self._failures)

    async def process(self, messages: Sequence[RawMessage]) -> None:
        """Handle a batch."""
        hopeless: Hopeless = []
        together = [message for message in messages if not self._is_alone(message)]
        if together:
            await self._halving(together, hopeless)
        for message in messages:
            if self._is_suspect(message):
                await self._counted(message, hopeless)
            elif message.seq in self._failures and message not in together:
                await self._halving([message], hopeless)
        await self._give_up(hopeless)

    def _is_alone(self, message: RawMessage) -> bool:
        """Whether a message has failed before, so that it would only take the others of a batch with it."""
        return message.seq in self._failures or self._is_suspect(message)

    def _is_suspect(self, message: RawMessage) -> bool:
        """Whether a process may have died of it: in hand at its end, or delivered more often than this one knows."""
        before = self._in_hand
        was_in_hand = before is not None and before.after < message.seq <= before.until
        return was_in_hand or message.delivered - self._failures.get(message.seq, 0) >= SUSPECT

    async def _halving(self, messages: Sequence[RawMessage], hopeless: Hopeless) -> None:
        """All together; where that fails, each half."""
        error = await self._try(messages)
        if error is None:
            return
        if is_away(error):
            await self._outage(messages, error)
        elif isinstance(error, NewerVersion):
            await self._without_newer(messages, hopeless)
        elif len(messages) == 1:
            await self._failed(messages[0], error, hopeless)
        else:
            middle = len(messages) // 2
            await self._halving(messages[:middle], hopeless)
            await self._halving(messages[middle:], hopeless)

    async def _without_newer(self, messages: Sequence[RawMessage], hopeless: Hopeless) -> None:
        """The rest of a batch; what is of a newer version than this program knows waits until it is upgraded.

        A handler that takes any bytes raises no NewerVersion, and leaves nothing for later.
        """
        newer = {message.seq: kind for message in messages if (kind := newer_kind(message))}
        try:
            await self.deferred.put([(message, newer[message.seq]) for message in messages if message.seq in newer])
        except Exception as error:
            await self._outage(messages, error)
            return
        point("batch.deferred")
        await self._ack([message for message in messages if message.seq in newer])
        rest = [message for message in messages if message.seq not in newer]
        if rest:
            await self._halving(rest, hopeless)

    async def _counted(self, message: RawMessage, hopeless: Hopeless) -> None:
        """One that the process may have died of: counted before it is tried."""
        try:
            async with self._store.write() as session:
                attempts = (await count_try(session, self._loop(message), str(message.seq), self._clock())).attempts
        except Exception as error:
            await self._outage([message], error)
            return
        if attempts > self._retry_policy.attempts:
            hopeless.append((message, f"handling it ended the process, or failed, {attempts - 1} times"))
        else:
            await self._halving([message], hopeless)

    async def _try(self, messages: Sequence[RawMessage]) -> Exception | None:
        try:
            async with self._store.write() as session:
                await guarded(self._batch_handler(messages, self._work(session, messages)), self._retry_policy)
                await self._reached(session, messages)
        except Exception as error:
            return error
        point("batches.committed")
        self.problem = None
        await self._ack(messages)
        return None

    async def _failed(self, message: RawMessage, error: Exception, hopeless: Hopeless) -> None:
        """One more failure of a message that was tried alone."""
        tries = self._failures[message.seq] = self._failures.get(message.seq, 0) + 1
        log.warning("message_failed", stream=message.stream, seq=message.seq, attempt=tries, error=reason_of(error))
        if isinstance(error, NotYet):
            await self._back(message, error.delay.total_seconds())
        elif isinstance(error, (Refused, ContractError)) or tries >= self._retry_policy.attempts:
            log.error("message_set_aside", stream=message.stream, seq=message.seq, exc_info=error)
            hopeless.append((message, reason_of(error)))
        else:
            await self._back(message, self._retry_policy.delay(tries))

    async def _give_up(self, hopeless: Hopeless) -> None:
        """Hand messages to the last resort, once, and go on behind them: all in one transaction, or else one by one."""
        if not hopeless:
            return
        messages = [message for message, _ in hopeless]
        try:
            async with self._store.write() as session:
                for message, reason in hopeless:
                    await self._last_resort(self._work(session, [message]), message, reason)
                await self._reached(session, messages)
        except Exception as error:
            await self._give_up_singly(hopeless, error)
            return
        await self._ack(messages)

    async def _give_up_singly(self, hopeless: Hopeless, error: Exception) -> None:
        if len(hopeless) > 1 and not is_away(error):
            for each in hopeless:
                await self._give_up([each])
            return
        log.error("last_resort_failed", seq=hopeless[0][0].seq, exc_info=error)  # nothing is passed over in silence
        await self._outage([message for message, _ in hopeless], error)

    async def _reached(self, session: AsyncSession, messages: Sequence[RawMessage]) -> None:
        known = [message for message in messages if self._is_suspect(message)]  # these were counted
        if known:
            await forget_items(session, self._loop(known[0]), [str(message.seq) for message in known])
        await reach(session, messages[0].stream, seq=max(message.seq for message in messages))

    def _work(self, session: AsyncSession, messages: Sequence[RawMessage]) -> UnitOfWork:
        first = messages[0]
        root = f"{first.stream}-{first.seq}-{len(messages)}"
        return UnitOfWork(
            session, self._service, f"service:{self._service}", self._clock(), root, traceparent=follow(None)
        )

    def _loop(self, message: RawMessage) -> str:
        return f"batch:{message.stream}"

    async def _ack(self, messages: Sequence[RawMessage]) -> None:
        for message in messages:
            self._failures.pop(message.seq, None)
            if not message.reply:  # the broker has its answer
                self.deferred.done(message)
                continue
            await self._connection.send(message.reply, b"+ACK")

    async def _outage(self, messages: Sequence[RawMessage], error: Exception) -> None:
        """Nothing can be kept right now; all come back, as often as it takes."""
        self.problem = reason_of(error)
        for message in messages:
            await self._back(message, OUTAGE_DELAY_S)

    async def _back(self, message: RawMessage, seconds: float) -> None:
        if not message.reply:
            self.deferred.later(message, seconds)
            return
        await self._connection.send(message.reply, b'-NAK {"delay": %d}' % int(jitter(seconds) * 1e9))


def newer_kind(message: RawMessage) -> str | None:
    """The type of a message whose version is newer than this program knows; None of any other."""
    try:
        message.envelope()
    except NewerVersion as error:
        return error.kind
    except ContractError:
        return None
    return None
