"""Reading and writing the tables, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.contracts import Column, ColumnRule, Part
from headrace.ingest.domain import Version
from headrace.ingest.tables import ContractRow, RejectionRow, VersionRow


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

    async def put_contract(
        self, dataset: str, rules: Sequence[ColumnRule], *, origin: str, by: str, at: datetime
    ) -> ContractRow:
        """A new revision, unless the rules are those in force."""
        now = await self.contract(dataset)
        dumped = dump(rules)
        if now is not None and now.rules == dumped:
            return now
        row = ContractRow(
            dataset=dataset, revision=now.revision + 1 if now else 1, rules=dumped, origin=origin, by=by, at=at
        )
        self._session.add(row)
        return row

    async def newest(self, dataset: str) -> VersionRow | None:
        """The newest version of a dataset."""
        query = select(VersionRow).where(VersionRow.dataset == dataset)
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
    """The rules of a contract."""
    return None if row is None else [ColumnRule(**rule) for rule in row.rules]


def version_of(row: VersionRow | None) -> Version | None:
    """A stored version as the domain knows it."""
    if row is None:
        return None
    parts = tuple(Part.model_validate(part) for part in row.parts)
    return Version(row.dataset, row.version, parts, tuple(Column(**column) for column in row.columns))


def dump(models: Sequence[Any]) -> list[dict[str, Any]]:
    """Wire models as JSON columns hold them."""
    return [model.model_dump(mode="json", exclude_none=True) for model in models]
