"""One unit of work: everything that a handler reads, writes and says, in one transaction."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import Outbox
from headrace.bus.trace import follow
from headrace.contracts import CONTENT_TYPE, Envelope, Event, derive_id, encode, wrap

ID_HEADER = "Nats-Msg-Id"


@dataclass
class Work:
    """The transaction of one message, one HTTP request or one tick of a timer.

    `root` is the id that the ids of what is said derive from: the cause's, or one made for this request. `actor` is
    who asked; it travels into every event that follows.
    """

    session: AsyncSession
    service: str
    actor: str
    now: datetime
    root: str
    cause: Envelope | None = None
    correlationid: str | None = None
    causationid: str | None = None  # of work that has no cause in hand, but knows which event led to it
    traceparent: str | None = None
    emitted: list[str] = field(default_factory=list)

    def emit(self, event: Event) -> str:
        """Say `event` when the transaction commits; returns its id, the same if this work is done again."""
        event_id = derive_id(self.root, event.TYPE, event.key, len(self.emitted))
        envelope = wrap(
            event,
            source=f"headrace/{self.service}",
            id=event_id,
            time=self.now,
            correlationid=self.correlationid or event_id,
            causationid=self.cause.id if self.cause else self.causationid,
            traceparent=follow(self.traceparent) if self.traceparent else None,
            authid=self.actor,
        )
        self.session.add(outgoing(envelope, self.now))
        self.emitted.append(event_id)
        self.correlationid = envelope.correlationid
        return event_id


def outgoing(envelope: Envelope, now: datetime) -> Outbox:
    """The outbox row of an envelope."""
    headers = {ID_HEADER: envelope.id, "Content-Type": CONTENT_TYPE}
    return Outbox(
        event_id=envelope.id,
        subject=envelope.nats_subject,
        body=encode(envelope),
        headers=headers,
        created_at=now,
    )
