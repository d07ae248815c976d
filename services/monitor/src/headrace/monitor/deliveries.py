"""Alerts to people: who is to be told of one, and telling them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from headrace.bus import Refused, UnitOfWork
from headrace.bus.retry import RetryPolicy
from headrace.channels import CHANNELS, Delivery, Means
from headrace.chassis import Runtime
from headrace.contracts import AlertRaised, Declaration, Envelope, encode
from headrace.contracts.errors import choice_problem
from headrace.contracts.severities import rank
from headrace.monitor.domain import ACTOR
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.tables import DeliveryRow, Repository

LOOP = "deliveries"
AT_ONCE = 500  # rows that are looked at in one tick
EACH = 8  # of one place
DELIVERED_AT_ONCE = 16  # a place that hangs holds one of these for as long as its timeout
LONGEST_DELAY = timedelta(minutes=10)


def deliveries_of(alert: AlertRaised, envelope: Envelope, declared: Declaration) -> Iterator[DeliveryRow]:
    """One for each place that is told of alerts as urgent as this one."""
    places = [
        (number, told)
        for number, told in enumerate(declared.monitoring.tell)
        if rank(alert.severity) >= rank(told.severity)
    ]
    body = encode(envelope) if places else b""
    for number, told in places:
        yield DeliveryRow(
            delivery=f"{envelope.id}.{number}",
            model=alert.model,
            alert=alert.alert,
            kind=alert.kind,
            severity=alert.severity,
            channel=told.channel,
            to=told.to,
            body=body,
            created_at=envelope.time,
        )


def retrying(settings: MonitorSettings) -> RetryPolicy:
    """Receivers are away for minutes: with the usual settings the last try is a quarter of an hour after the first."""
    longest = settings.monitor_delivery_timeout + timedelta(seconds=20)
    return RetryPolicy(first_delay=settings.monitor_delivery_retry, longest_delay=LONGEST_DELAY, longest=longest)


@dataclass(frozen=True)
class Deliveries:
    """Tells people, each delivery apart from the others."""

    means: Means

    async def due(self, runtime: Runtime) -> Mapping[str, str]:
        """What nobody was told yet, oldest first."""
        async with runtime.session() as session:
            waiting = await Repository(session).undelivered(LOOP, EACH, AT_ONCE)
        return {delivery: delivery for delivery in waiting}

    async def deliver(self, runtime: Runtime, id: str) -> None:
        """Tell, then keep that it was told: after a crash between the two, the same is sent again with the same id."""
        async with runtime.session() as session:
            row = await Repository(session).delivery(id)
        if row is None or row.sent_at is not None:
            return
        if row.channel not in CHANNELS:
            raise Refused(f"channel {choice_problem(row.channel, list(CHANNELS))}")
        await CHANNELS[row.channel].deliver(Delivery(row.delivery, row.to, row.body), self.means)
        async with runtime.work(ACTOR) as work:
            sent = await Repository(work.session).delivery(id)
            if sent is not None:
                sent.sent_at, sent.given_up = work.now, None
                work.session.add(sent)

    async def give_up(self, work: UnitOfWork, id: str, reason: str) -> None:
        """Kept with the delivery, beside the dead letter that people replay or drop."""
        row = await Repository(work.session).delivery(id)
        if row is not None:
            row.given_up = reason
            work.session.add(row)
