"""What audit keeps: every message and its entry, the tree's tiles, signed heads, and gaps in streams."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from headrace.bus.tables import Number


class RecordRow(SQLModel, table=True):
    """One message and its log entry. Long columns stand last, so that reading the short ones stays cheap."""

    __tablename__ = "log_record"
    __table_args__ = (
        UniqueConstraint("stream", "seq"),
        Index("ix_log_record_type", "type", "position"),
        Index("ix_log_record_key", "key", "position"),
    )

    position: int = Field(sa_column=Column(Number, primary_key=True, autoincrement=False))  # the row id on SQLite
    stream: str
    seq: int = Field(sa_type=BigInteger)
    subject: str
    id: str = Field(index=True)
    type: str
    source: str
    time: str
    key: str
    at: int = Field(sa_column=Column(BigInteger, index=True, nullable=False))  # microseconds since 1970
    correlationid: str | None = Field(default=None, index=True)
    causationid: str | None = None
    authid: str | None = Field(default=None, index=True)
    trace_id: str | None = None
    headers: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ReferenceRow(SQLModel, table=True):
    """What an event refers to: the way from a prediction to its model, and on to its data."""

    __tablename__ = "log_reference"

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class TileRow(SQLModel, table=True):
    """Up to 256 hashes of the tree, 32 bytes each."""

    __tablename__ = "log_tile"

    level: int = Field(primary_key=True)
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hashes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class HeadRow(SQLModel, table=True):
    """The newest signed checkpoint; one row, whose lock makes appenders wait for each other."""

    __tablename__ = "log_head"

    id: int = Field(default=1, primary_key=True)
    size: int = Field(default=0, sa_type=BigInteger)
    note: str = Field(sa_column=Column(Text, nullable=False))
    unpublished: int = 0  # entries since the last published checkpoint, checkpoints themselves not counted


class CheckpointRow(SQLModel, table=True):
    """A checkpoint that was published as an event: history that cannot be signed anew."""

    __tablename__ = "log_checkpoint"

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    note: str = Field(sa_column=Column(Text, nullable=False))
    at: int = Field(sa_type=BigInteger)
    mirrored: bool = False  # it and its tiles lie in the bucket


class StreamRow(SQLModel, table=True):
    """How far each stream has been recorded."""

    __tablename__ = "log_stream"

    name: str = Field(primary_key=True)
    last: int = Field(sa_type=BigInteger)


class GapRow(SQLModel, table=True):
    """Sequence numbers of a stream that did not come."""

    __tablename__ = "log_gap"

    stream: str = Field(primary_key=True)
    first: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    last: int = Field(sa_type=BigInteger)
    noticed: int = Field(sa_type=BigInteger)
    state: str = "open"  # open | filled | expired (by the stream's retention) | reported


class MirrorRow(SQLModel, table=True):
    """How many full tiles of a level the bucket holds; level -1 stands for bundles of entries."""

    __tablename__ = "log_mirror"

    level: int = Field(primary_key=True)
    tiles: int = Field(default=0, sa_type=BigInteger)
