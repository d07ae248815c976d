"""From the write-ahead log to the broker: predictions in atomic batches, the rest one by one; nothing lost or doubled.

A batch is one sync of the broker's disk instead of hundreds. It is stored whole or not at all; where the answer to
it is lost, the second attempt finds its ids known (error 10201) and goes on message by message, of which the broker
drops those that it has.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby

import structlog
from nats.errors import Error as NatsError

from headrace.bus.connection import ACK_TIMEOUT_S, Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.bus.retry import RetryPolicy
from headrace.chassis.every import Every, chore
from headrace.contracts import CONTENT_TYPE
from headrace.faults import point
from headrace.inference.wal import Frame, Place, WriteAheadLog

log = structlog.get_logger()

LINGER = timedelta(milliseconds=20)  # gathers some two hundred predictions at full load
_WORTH_A_BATCH = 128 * 1024  # bytes that are not kept waiting for more
LARGEST_BATCH = 500  # messages; the broker's limit is 1,000
_PAUSE_S = 0.5  # seconds between attempts while the broker is away
DUPLICATES_IN_BATCH = 10201
_HURRIED = RetryPolicy(
    longest_delay=timedelta(seconds=5), longest=timedelta(minutes=10)
)  # a slow broker, a full write-ahead log
_PREDICTIONS = "headrace.prediction."


class LogRelay:
    """Empties a write-ahead log into the broker, for ever."""

    def __init__(self, wal: WriteAheadLog) -> None:
        self._wal = wal
        self.shipped = 0
        self.trouble: str | None = None
        """Why nothing goes out at present; None where all is well."""

    def loop(self) -> Every[Connection, None]:
        """The loop that ships what there is and what comes."""
        return chore(LINGER, self._ship_some, name="wal", retry_policy=_HURRIED)

    async def finish(self, connection: Connection) -> None:
        """Ship what is left; at the end of a process, while the broker answers."""
        while await self.ship(connection):
            continue

    async def _ship_some(self, connection: Connection) -> bool:
        """Ship one reading; True where so much is left that nothing more need be gathered."""
        await self.ship(connection)
        return self._wal.size >= _WORTH_A_BATCH

    async def ship(self, connection: Connection) -> bool:
        """Ship one reading of the write-ahead log; False where nothing was shipped."""
        frames, place = self._wal.read()
        if not frames:
            return False
        try:
            for batch in _batches(frames):
                await self._send(connection, batch)
        except (BrokerAway, PublishRefused, OSError, NatsError) as error:
            return await self._wait(error)
        point("log_relay.stored")
        self._done(frames, place)
        return True

    async def _send(self, connection: Connection, batch: Sequence[Frame]) -> None:
        if len(batch) == 1 or not batch[0].subject.startswith(_PREDICTIONS):
            return await self._singly(connection, batch)
        try:
            await self._together(connection, batch)
        except PublishRefused as refused:
            if refused.code != DUPLICATES_IN_BATCH:
                raise
            await self._singly(connection, batch)

    async def _together(self, connection: Connection, batch: Sequence[Frame]) -> None:
        messages = [(frame.subject, frame.payload, _headers(frame)) for frame in batch]
        future = await connection.publish_batch(messages)
        async with asyncio.timeout(ACK_TIMEOUT_S):  # TimeoutError is an OSError: waited out
            await future

    async def _singly(self, connection: Connection, batch: Sequence[Frame]) -> None:
        sent = [await connection.publish(frame.subject, frame.payload, _headers(frame)) for frame in batch]
        async with asyncio.timeout(5 + len(batch) / 100):
            await asyncio.gather(*sent)

    async def _wait(self, error: Exception) -> bool:
        if self.trouble is None:
            log.warning("predictions_wait_for_the_broker", reason=str(error))
        self.trouble = str(error)
        await asyncio.sleep(_PAUSE_S)
        return False

    def _done(self, frames: Sequence[Frame], place: Place) -> None:
        self._wal.forget(place)
        self.shipped += len(frames)
        if self.trouble is not None:
            log.info("predictions_flow_again", waiting_bytes=self._wal.size)
        self.trouble = None


def _batches(frames: Sequence[Frame]) -> Iterator[Sequence[Frame]]:
    """Runs of frames of one stream, in order, none too long."""
    for _, run in groupby(frames, key=lambda frame: frame.subject.startswith(_PREDICTIONS)):
        same = list(run)
        for at in range(0, len(same), LARGEST_BATCH):
            yield same[at : at + LARGEST_BATCH]


def _headers(frame: Frame) -> dict[str, str]:
    return {"Nats-Msg-Id": frame.id, "Content-Type": CONTENT_TYPE}
