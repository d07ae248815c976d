"""One unit of work: everything that a handler reads, writes and says, in one transaction."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.errors import Refused
from headrace.bus.outbox import put
from headrace.bus.trace import follow
from headrace.contracts import CONTENT_TYPE, Envelope, Event, asker_of, derive_id, encode, wrap
from headrace.contracts.broker import MAX_PAYLOAD
from headrace.contracts.subjects import answer_subject

ID_HEADER = "Nats-Msg-Id"
LARGEST = MAX_PAYLOAD - 2**16  # bytes; the rest is for headers


@dataclass
class UnitOfWork:
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
    traceparent: str | None = None
    emitted: list[str] = field(default_factory=list)
    causationid: str | None = None  # of work that has no cause in hand, but knows which event led to it

    def emit(self, event: Event) -> str:
        """Say `event` when the transaction commits; returns its id, the same if this work is done again.

        Where the request of an outsider led to it, a copy goes to that outsider.

        Raises Refused where the event is larger than the broker takes.
        """
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
        body = _body(envelope)
        self._put(event_id, envelope.nats_subject, body)
        if outsider := asker_of(envelope.correlationid):
            self._put(f"{event_id}/answer", answer_subject(outsider, envelope.nats_subject), body)
        self.emitted.append(event_id)
        self.correlationid = envelope.correlationid
        return event_id

    def _put(self, message_id: str, subject: str, body: bytes) -> None:
        headers = {ID_HEADER: message_id, "Content-Type": CONTENT_TYPE}
        put(self.session, event_id=message_id, subject=subject, body=body, headers=headers, now=self.now)


def _body(envelope: Envelope) -> bytes:
    """The event's bytes; one that the broker would never take is refused here, where its cause can be set aside."""
    body = encode(envelope)
    if len(body) > LARGEST:
        size = f"{len(body):,} bytes; at most {LARGEST:,} fit into an event, put the rest into the object store"
        raise Refused(f"{envelope.type} about {envelope.subject!r} has {size}")
    return body
