"""What this replica saw during a rollout, said once a second: the evidence that the control loop judges by.

It is also said without traffic, since it shows that the replica lives. Reports are worth nothing later, so they do
not go through the journal: what the broker does not take at once is left out.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from headrace.bus import Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.contracts import CONTENT_TYPE, ReplicaReported, VersionTraffic, encode, wrap
from headrace.deployer.serving.board import Board
from headrace.deployer.serving.record import SOURCE
from headrace.deployer.serving.versions import Slot, Table

log = structlog.get_logger()

EVERY = 1.0  # seconds


class Reporter:
    """Reports on every model that has a version on trial."""

    def __init__(self, replica: str, board: Board, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._replica = replica
        self._board = board
        self._now = now
        self._since = now()

    async def run(self, connection: Connection) -> None:
        """Report once a second, for ever."""
        while True:
            await asyncio.sleep(EVERY)
            for report in self.reports():
                await self._say(connection, report)

    def reports(self) -> list[ReplicaReported]:
        """What there is to report now; counts begin anew."""
        since, self._since = self._since, self._now()
        return [self._report(table, since) for table in self._board.tables if table.rolling]

    def _report(self, table: Table, since: datetime) -> ReplicaReported:
        return ReplicaReported(
            replica=self._replica,
            model=table.model,
            since=since,
            until=self._since,
            versions=[_traffic(slot) for slot in table.slots],
        )

    async def _say(self, connection: Connection, report: ReplicaReported) -> None:
        envelope = wrap(report, source=SOURCE, id=secrets.token_hex(16), time=report.until, authid="service:inference")
        headers = {"Nats-Msg-Id": envelope.id, "Content-Type": CONTENT_TYPE}
        try:
            await connection.publish_and_wait(envelope.nats_subject, encode(envelope), headers, wait=EVERY)
        except (BrokerAway, PublishRefused) as error:
            log.debug("report_not_taken", model=report.model, error=str(error))


def _traffic(slot: Slot) -> VersionTraffic:
    span = slot.stats.take()
    return VersionTraffic(
        version=slot.loaded.version,
        role=slot.role,  # type: ignore[arg-type]  # roles come from route.changed, which allows only these
        requests=span.requests,
        errors=span.errors,
        p50_ms=round(span.quantile_ms(0.5), 3),
        p99_ms=round(span.quantile_ms(0.99), 3),
    )
