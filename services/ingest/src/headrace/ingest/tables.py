"""What ingest keeps: contracts with their history, dataset versions, work in progress, and rejections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field, SQLModel, col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import UtcTime
from headrace.contracts import Column as DataColumn
from headrace.contracts import ColumnRule
from headrace.ingest.domain import Use, Version
from headrace.ingest.reading import Wording


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


class Repository:
    """Contracts, versions and rejections."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def contract(self, dataset: str) -> ContractRow | None:
        """The contract in force."""
        query = select(ContractRow).where(ContractRow.dataset == dataset)
        return (await self._session.exec(query.order_by(col(ContractRow.revision).desc()).limit(1))).first()

    async def contract_origins(self, dataset: str) -> set[str]:
        """Where the contract's revisions came from."""
        return set(await self._session.exec(select(ContractRow.origin).where(ContractRow.dataset == dataset)))

    async def contract_authors(self, dataset: str, after: int, until: int) -> list[str]:
        """Who set the contract's revisions behind one, up to another; those that files made are nobody's."""
        query = select(ContractRow.by).where(
            ContractRow.dataset == dataset,
            col(ContractRow.revision) > after,
            col(ContractRow.revision) <= until,
            ContractRow.origin != "inferred",
        )
        return list(dict.fromkeys(await self._session.exec(query.order_by(col(ContractRow.revision)))))

    async def put_contract(
        self, dataset: str, rules: Sequence[ColumnRule], wording: Wording, *, origin: str, by: str, at: datetime
    ) -> ContractRow:
        """A new revision, unless the contract is the one in force; without rules, inferred ones stay in force."""
        now = await self.contract(dataset)
        dumped, worded = dump(rules), wording.as_dict()
        if now is not None and now.wording == worded and (now.rules == dumped or not dumped):
            return now
        revision = now.revision + 1 if now else 1
        row = ContractRow(dataset=dataset, revision=revision, rules=dumped, wording=worded, origin=origin, by=by, at=at)
        self._session.add(row)
        return row

    async def uses(self, dataset: str) -> list[Use]:
        """What declared models use of a dataset."""
        rows = await self._session.exec(select(UseRow).where(UseRow.dataset == dataset))
        return [Use(row.model, row.target, row.time) for row in rows]

    async def put_use(self, dataset: str, use: Use, revision: int) -> None:
        """What a model uses by its newest revision; of other datasets, it uses nothing any more."""
        known = (await self._session.exec(select(UseRow).where(UseRow.model == use.model))).all()
        if any(row.revision > revision for row in known):
            return
        for row in known:
            await self._session.delete(row)
        await self._session.flush()
        self._session.add(UseRow(dataset=dataset, model=use.model, revision=revision, target=use.target, time=use.time))

    async def parts(self, row: VersionRow, after: int, limit: int) -> Sequence[VersionRow]:
        """The versions whose parts make up a version, oldest first, behind the one numbered `after`."""
        query = select(VersionRow).where(
            VersionRow.dataset == row.dataset,
            VersionRow.version >= row.since,
            VersionRow.version > after,
            VersionRow.version <= row.version,
        )
        return (await self._session.exec(query.order_by(col(VersionRow.version)).limit(limit))).all()

    async def is_known(self, newest: VersionRow, source: str, mode: str) -> bool:
        """Whether the newest version already is what this file would make it: then it makes no new one.

        Only the newest counts: replacing by an older file again is a wish, not a repetition.
        """
        if mode == "replace":
            return newest.source == source and newest.since == newest.version
        query = select(VersionRow.version).where(
            VersionRow.dataset == newest.dataset, VersionRow.source == source, VersionRow.version >= newest.since
        )
        return (await self._session.exec(query.limit(1))).first() is not None

    async def newest(self, dataset: str) -> VersionRow | None:
        """The newest version of a dataset."""
        query = select(VersionRow).where(VersionRow.dataset == dataset)
        return (await self._session.exec(query.order_by(col(VersionRow.version).desc()).limit(1))).first()

    async def newest_number(self, dataset: str) -> int | None:
        """The number of the newest version of a dataset."""
        query = select(VersionRow.version).where(VersionRow.dataset == dataset)
        return (await self._session.exec(query.order_by(col(VersionRow.version).desc()).limit(1))).first()

    async def version(self, dataset: str, version: int) -> VersionRow | None:
        """One version."""
        return await self._session.get(VersionRow, (dataset, version))

    async def versions(self, dataset: str, before: int | None, limit: int) -> Sequence[VersionRow]:
        """Versions of a dataset, newest first."""
        query = select(VersionRow).where(VersionRow.dataset == dataset)
        if before is not None:
            query = query.where(VersionRow.version < before)
        return (await self._session.exec(query.order_by(col(VersionRow.version).desc()).limit(limit))).all()

    async def datasets(self, after: str, limit: int) -> Sequence[VersionRow]:
        """The newest version of each dataset, by name."""
        last = (
            select(VersionRow.dataset, func.max(VersionRow.version).label("version"))
            .where(VersionRow.dataset > after)
            .group_by(col(VersionRow.dataset))
            .order_by(col(VersionRow.dataset))
            .limit(limit)
            .subquery()
        )
        query = select(VersionRow).join(
            last, (col(VersionRow.dataset) == last.c.dataset) & (col(VersionRow.version) == last.c.version)
        )
        return (await self._session.exec(query.order_by(col(VersionRow.dataset)))).all()

    async def rejections(self, dataset: str, before: int | None, limit: int) -> Sequence[RejectionRow]:
        """Rejected files of a dataset, newest first."""
        query = select(RejectionRow).where(RejectionRow.dataset == dataset)
        if before is not None:
            query = query.where(col(RejectionRow.id) < before)
        return (await self._session.exec(query.order_by(col(RejectionRow.id).desc()).limit(limit))).all()


def rules_of(row: ContractRow | None) -> list[ColumnRule] | None:
    """The rules of a contract; None where the next file makes them."""
    return None if row is None or not row.rules else [ColumnRule(**rule) for rule in row.rules]


def wording_in(row: ContractRow | None) -> Wording:
    """How a contract says that values are written."""
    return Wording() if row is None else Wording.of(row.wording)


def version_of(row: VersionRow) -> Version:
    """A stored version as the domain knows it."""
    columns = tuple(DataColumn(**column) for column in row.columns)
    return Version(row.dataset, row.version, row.digest, parts_in(row), row.rows, columns)


def parts_in(row: VersionRow) -> int:
    """How many parts a version has: each version brings one."""
    return row.version - row.since + 1


def dump(models: Sequence[Any]) -> list[dict[str, Any]]:
    """Wire models as JSON columns hold them."""
    return [model.model_dump(mode="json", exclude_none=True) for model in models]
