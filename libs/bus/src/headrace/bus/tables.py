"""The tables of delivery, in every service's own database: what came in, what must go out, the dead letters."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Index, Integer, LargeBinary, TypeDecorator
from sqlmodel import Field, SQLModel

Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up by itself only with INTEGER


class UtcTime(TypeDecorator[datetime]):
    """A moment with its offset; databases that keep none are given, and give back, UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: with its offset."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Inbox(SQLModel, table=True):
    """One row a message: the only place where it is decided whether a message was handled, and how often tried."""

    __tablename__ = "inbox"

    message_id: str = Field(primary_key=True)
    stream: str
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    attempts: int = 0
    first_seen: datetime = Field(sa_type=UtcTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcTime, index=True)
    outcome: str | None = None
    error: str | None = None


class DeduplicationMark(SQLModel, table=True):
    """What is left of an inbox row that was pruned: a mark of its id, by which a late copy is still known."""

    __tablename__ = "deduplication"
    __table_args__ = ({"sqlite_with_rowid": False},)

    mark: bytes = Field(sa_column=Column(LargeBinary(16), primary_key=True))
    day: int = Field(index=True)  # since 1970


class StreamCheckpoint(SQLModel, table=True):
    """How far a stream was handled when this database last looked, to notice that it is older than the broker's word.

    `seq` is the highest message that was handled; `floor` the message up to which all were acknowledged.
    """

    __tablename__ = "stream_checkpoint"

    stream: str = Field(primary_key=True)
    seq: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    floor: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class Outbox(SQLModel, table=True):
    """One row an event to be said; the relay takes them in the order of `seq`."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_unsent", "sent_at", "seq"),)

    seq: int | None = Field(default=None, sa_column=Column(Number, primary_key=True, autoincrement=True))
    event_id: str = Field(unique=True)
    subject: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    headers: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcTime)


class DeadLetter(SQLModel, table=True):
    """One message that could not be handled: its bytes as they came, why, how often tried, what became of it."""

    __tablename__ = "dead_letter"
    __table_args__ = (Index("ix_dead_letter_open", "replayed_at", "dropped_at"),)

    id: str = Field(primary_key=True)
    message_id: str = Field(index=True)
    stream: str
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    subject: str
    type: str
    key: str
    headers: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    reason: str
    attempts: int
    taken_at: datetime = Field(sa_type=UtcTime)  # by its stream
    set_aside_at: datetime = Field(sa_type=UtcTime)
    replayed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    dropped_at: datetime | None = Field(default=None, sa_type=UtcTime)

    def as_document(self) -> dict[str, Any]:
        """What a person needs to see in a list."""
        names = ("id", "type", "key", "subject", "stream", "seq", "reason", "attempts", "set_aside_at", "replayed_at")
        return {name: getattr(self, name) for name in names}


class DeferredMessage(SQLModel, table=True):
    """One message that waits until this program is upgraded, because it, or one before it, is of a newer version."""

    __tablename__ = "deferred"

    stream: str = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    subject: str = Field(index=True)
    type: str
    headers: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    taken_at: datetime = Field(sa_type=UtcTime)  # by its stream
    deferred_at: datetime = Field(sa_type=UtcTime)
    tries: int = 0  # how often it was handed on since it can be read


class LoopItem(SQLModel, table=True):
    """One item of a background loop whose handling has begun and not ended well: how often tried, and why it failed.

    `dead_letter` is the id of its dead letter, once it is set aside; then it is tried no more until that is replayed.
    """

    __tablename__ = "loop_item"

    loop: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    attempts: int = 0
    first_tried: datetime = Field(sa_type=UtcTime)
    error: str | None = None
    dead_letter: str | None = Field(default=None, index=True)
