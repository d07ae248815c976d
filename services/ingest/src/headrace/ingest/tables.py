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
    rules: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    origin: str  # inferred | put | declared:<model>/<revision>
    by: str
    at: datetime = _moment()


class VersionRow(SQLModel, table=True):
    """One dataset version, with all of its parts."""

    __tablename__ = "dataset_version"

    dataset: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    digest: str
    mode: str
    rows: int = Field(sa_type=BigInteger)
    added_rows: int = Field(sa_type=BigInteger)
    parts: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    columns: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    contract: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    profile: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))  # ObjectRef
    by: str
    at: datetime = _moment()


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
    not_before: datetime = _moment()
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
