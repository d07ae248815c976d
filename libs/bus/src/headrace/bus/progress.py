"""How far a durable has come: whether everything that its stream held a moment ago was handled.

Whoever has been told by another service that something is done asks here before saying that it is not known.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from headrace.bus.connection import Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.contracts.topology import ConsumerSpec

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.1
ANSWER_S = 1.0


@dataclass(frozen=True)
class Place:
    """What the broker says of a durable: messages that wait for it, that are in hand, and consumer sequences."""

    pending: int
    unacknowledged: int
    delivered: int
    floor: int


class Progress:
    """One durable's progress. `sent_back` says how many of its messages wait for another try by our own wish."""

    def __init__(self, connection: Connection, spec: ConsumerSpec, sent_back: Callable[[], int]) -> None:
        self._connection, self._spec, self._sent_back = connection, spec, sent_back

    async def place(self) -> Place | None:
        """Where the durable is; None where the broker does not say."""
        if not self._connection.connected:
            return None
        try:
            subject = f"CONSUMER.INFO.{self._spec.stream}.{self._spec.durable}"
            info = await self._connection.request(subject, wait=ANSWER_S)
        except (BrokerAway, PublishRefused):
            return None
        delivered, floor = info["delivered"]["consumer_seq"], info["ack_floor"]["consumer_seq"]
        return Place(info["num_pending"], info["num_ack_pending"], delivered, floor)

    async def is_caught_up(self) -> bool:
        """Whether everything is handled that the stream holds now; False too where the broker does not say."""
        place = await self.place()
        return place is not None and self._all_handled(place)

    async def catch_up(self, longest: float) -> bool:
        """Wait until everything is handled that the stream holds now, at most `longest` seconds.

        False where that took longer, or the broker does not say.
        """
        first = await self.place()
        place, end, pause = first, time.monotonic() + longest, FIRST_PAUSE_S
        while first is not None and place is not None:
            if self._all_handled(place) or place.floor >= first.delivered + first.pending:
                return True
            if time.monotonic() > end:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            place = await self.place()
        return False

    def _all_handled(self, place: Place) -> bool:
        return not place.pending and place.unacknowledged <= self._sent_back()
