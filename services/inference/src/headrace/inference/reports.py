"""What this replica saw during a rollout, said once a second: the evidence that the deployer judges by.

It is also said without traffic, since it shows that the replica lives. Reports are worth nothing later, so they do
not go through the write-ahead log: what the broker does not take at once is left out.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import structlog

from headrace.bus import Connection
from headrace.bus.errors import BrokerAway, PublishRefused
from headrace.chassis.every import Every, every
from headrace.contracts import CONTENT_TYPE, AnswersCompared, ReplicaReported, VersionTraffic, encode, wrap
from headrace.inference.model_repository import ModelRepository
from headrace.inference.record import SOURCE
from headrace.inference.route_table import RoutedVersion, RouteTable

log = structlog.get_logger()

EVERY = timedelta(seconds=1)
LONGEST_S = 1.0  # for the broker's answer; the next report is due then


@dataclass(frozen=True)
class Due:
    """A model to report on, and the time that the report is about."""

    table: RouteTable
    since: datetime
    until: datetime


class Reporter:
    """Reports on every model that has a version on trial."""

    def __init__(
        self, replica: str, repository: ModelRepository, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._replica = replica
        self._repository = repository
        self._now = now
        self._since = now()

    def loop(self) -> Every[Connection, Due]:
        """The loop that reports, on each model apart from the others."""
        return every(EVERY, self.due, self._report, name="reports", wait_first=True)

    async def due(self, _: object = None) -> Mapping[str, Due]:
        """What there is to report on now."""
        since, self._since = self._since, self._now()
        rolling = [table for table in self._repository.tables if table.rolling]
        return {f"{table.model}/{self._since.isoformat()}": Due(table, since, self._since) for table in rolling}

    async def _report(self, connection: Connection, due: Due) -> None:
        """Say what a model's versions did; counts begin anew."""
        await self._say(connection, reported(self._replica, due))

    async def _say(self, connection: Connection, report: ReplicaReported) -> None:
        envelope = wrap(report, source=SOURCE, id=secrets.token_hex(16), time=report.until, authid="service:inference")
        headers = {"Nats-Msg-Id": envelope.id, "Content-Type": CONTENT_TYPE}
        try:
            await connection.publish_and_wait(
                envelope.nats_subject, encode(envelope), headers, wait=EVERY.total_seconds()
            )
        except (BrokerAway, PublishRefused) as error:
            log.debug("report_not_taken", model=report.model, error=str(error))


def reported(replica: str, due: Due) -> ReplicaReported:
    """What a model's versions did since the report before."""
    versions = [_traffic(routed) for routed in due.table.routed_versions]
    return ReplicaReported(replica=replica, model=due.table.model, since=due.since, until=due.until, versions=versions)


def _traffic(routed: RoutedVersion) -> VersionTraffic:
    span = routed.stats.take()
    return VersionTraffic(
        version=routed.loaded.version,
        role=routed.role,
        requests=span.requests,
        errors=span.errors,
        p50_ms=round(span.quantile_ms(0.5), 3),
        p99_ms=round(span.quantile_ms(0.99), 3),
        compared=AnswersCompared(**asdict(span.compared)) if routed.role == "shadow" else None,
    )
