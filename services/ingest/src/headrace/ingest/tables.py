"""What ingest keeps: contracts with their history, dataset versions, work in progress, and rejections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from headrace.bus.tables import UtcTime


def _moment() -> Any:
    return Field(sa_column=Column(UtcTime, nullable=False))


class ContractRow(SQLModel, table=True):
    """A dataset's contract as it stood from `at` on; the highest revision holds."""

    __tablename__ = "dataset_contract"

    dataset: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    rules: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))  # none: the next file makes them
    wording: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # missing, formats, dialect
    origin: str  # inferred | put | declared:<model>/<revision>
    by: str
    at: datetime = _moment()


class VersionRow(SQLModel, table=True):
    """One dataset version: the part that it brought, and since which version the parts before belong to it.

    A version's parts are the rows of the versions since then; the manifest lists the same, for whoever has no database.
    """

    __tablename__ = "dataset_version"
    __table_args__ = (Index("ix_dataset_version_source", "dataset", "source"),)

    dataset: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    mode: str
    rows: int = Field(sa_type=BigInteger)
    added_rows: int = Field(sa_type=BigInteger)
    since: int  # first version whose part is one of this version; each version brings one part
    part: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    source: str  # SHA-256 of the part's file as it came
    columns: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    contract: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    revision: int  # of the contract that its part was checked against; 0: there was none
    manifest: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # ObjectRef
    warnings: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    by: str
    at: datetime = _moment()


class UseRow(SQLModel, table=True):
    """What a declared model uses of a dataset."""

    __tablename__ = "dataset_use"

    dataset: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    revision: int
    target: str
    time: str | None = None


class JobRow(SQLModel, table=True):
    """A file to be ingested: written before the work begins, so that a restart takes it up again."""

    __tablename__ = "ingest_job"
    __table_args__ = (Index("ix_ingest_job_state", "state", "created"),)

    id: str = Field(primary_key=True)  # of the request event, or of the upload
    dataset: str
    mode: str
    source: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # bucket, key, version_id?
    format: str | None = None
    source_name: str | None = None
    cause: str | None = None  # the request's envelope, as JSON
    actor: str
    correlation: str | None = None
    traceparent: str | None = None
    state: str = "queued"  # queued | running | done | rejected
    attempts: int = 0
    lease: datetime | None = Field(default=None, sa_column=Column(UtcTime))
    answer: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    created: datetime = _moment()


class RejectionRow(SQLModel, table=True):
    """A file that broke the contract: why, and where first."""

    __tablename__ = "dataset_rejection"

    id: int | None = Field(default=None, primary_key=True)
    dataset: str = Field(index=True)
    reason: str
    source: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    source_name: str | None = None
    rows: int = Field(sa_type=BigInteger)
    violations: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    by: str
    at: datetime = _moment()
