"""The registry's rows, and the questions that handlers and routes ask of them."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, UniqueConstraint, text
from sqlmodel import Field, SQLModel, col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.tables import UtcTime
from headrace.contracts import Declaration, VersionRegistered
from headrace.registry.domain import Change, State, Version
from headrace.registry.gates import CHAMPION

Number = BigInteger().with_variant(Integer(), "sqlite")


class ModelRow(SQLModel, table=True):
    """A declared model as it is now."""

    __tablename__ = "models"

    name: str = Field(primary_key=True)
    revision: int
    declaration: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    declared_by: str
    declared_at: datetime = Field(sa_type=UtcTime)
    last_version: int = 0
    reviewed_at: datetime = Field(sa_type=UtcTime)
    review_due: datetime = Field(sa_type=UtcTime, index=True)
    reminded_at: datetime | None = Field(default=None, sa_type=UtcTime)

    def parsed(self) -> Declaration:
        """The declaration as a typed value."""
        return Declaration.model_validate(self.declaration)


class CodeRow(SQLModel, table=True):
    """A version of a package of code, as the trainer has told of it."""

    __tablename__ = "code_packages"

    package: str = Field(primary_key=True)
    version: int = Field(primary_key=True)


class RevisionRow(SQLModel, table=True):
    """One revision of a declaration, kept for ever."""

    __tablename__ = "revisions"

    name: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    declaration: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str
    changed: list[str] = Field(sa_column=Column(JSON, nullable=False))
    by: str
    at: datetime = Field(sa_type=UtcTime)

    def parsed(self) -> Declaration:
        """The declaration as a typed value."""
        return Declaration.model_validate(self.declaration)


class VersionRow(SQLModel, table=True):
    """One version of a model, with everything that is known of how it was made and judged."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("run"), Index("ix_versions_pending", "state", "expires_at"))

    model: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    run: str | None = None
    digest: str = Field(index=True)
    state: str
    reason: str | None = None
    registered: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    metrics: dict[str, float] = Field(sa_column=Column(JSON, nullable=False))
    gates: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    comparisons: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    author: str
    evaluation: str
    asked: int = 0
    met: int | None = None
    alone: bool = False
    bar: str = ""
    rollout: str | None = None
    created: datetime = Field(sa_type=UtcTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcTime)

    @property
    def as_version(self) -> Version:
        """As the domain knows it."""
        known = {each.name: getattr(self, each.name) for each in fields(Version)}
        return Version(**known | {"state": State(self.state)})

    @property
    def facts(self) -> VersionRegistered:
        """Everything that was said of it when it was registered."""
        return self.as_version.facts


class ChangeRow(SQLModel, table=True):
    """A change that waits for people, or did: a looser declaration, or a move of an alias that serves."""

    __tablename__ = "changes"
    __table_args__ = (Index("ix_changes_pending", "state", "expires_at"),)

    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    kind: str
    base_revision: int
    declaration: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    digest: str
    changed: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    loosens: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    alias: str | None = None
    version: int | None = None
    by: str
    reason: str | None = None
    needed: int
    state: str
    outcome: str | None = None
    at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)

    @property
    def as_change(self) -> Change:
        """As the domain knows it."""
        known = {each.name: getattr(self, each.name) for each in fields(Change)}
        return Change(**known | {"state": State(self.state)})


class DecisionRow(SQLModel, table=True):
    """One person's yes or no to one artifact or one change, kept for ever; a person counts once."""

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_version", "model", "version"),)

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True, autoincrement=True))
    model: str
    version: int | None = None
    change: str | None = Field(default=None, index=True)
    by: str
    decision: str
    digest: str
    comment: str | None = None
    at: datetime = Field(sa_type=UtcTime)


class AliasRow(SQLModel, table=True):
    """Where an alias points now."""

    __tablename__ = "aliases"

    model: str = Field(primary_key=True)
    alias: str = Field(primary_key=True)
    version: int


class AliasMoveRow(SQLModel, table=True):
    """One move of an alias, kept for ever: the answer to what served at any moment in the past."""

    __tablename__ = "alias_moves"
    __table_args__ = (Index("ix_alias_moves_when", "model", "alias", "at"),)

    id: int | None = Field(default=None, sa_column=Column(Number, primary_key=True, autoincrement=True))
    model: str
    alias: str
    version: int
    previous: int | None = None
    reason: str
    by: str
    at: datetime = Field(sa_type=UtcTime)


class DatasetRow(SQLModel, table=True):
    """Who made a dataset version, the authors of what a model learns from, and what its columns hold."""

    __tablename__ = "datasets"

    dataset: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    mode: str
    by: str
    contract_by: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))  # since the one before
    at: datetime = Field(sa_type=UtcTime)
    columns: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    facts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))


class SignalRow(SQLModel, table=True):
    """Something seen of a model that feeds its risk."""

    __tablename__ = "signals"
    __table_args__ = (Index("ix_signals_model", "model", "at"),)

    id: str = Field(primary_key=True)
    model: str
    version: int
    kind: str
    detail: str
    at: datetime = Field(sa_type=UtcTime)


class Repository:
    """The rows of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    def save(self, row: VersionRow | ChangeRow, after: Version | Change) -> None:
        """Keep what became of a version or a change."""
        for each in fields(after):
            value = getattr(after, each.name)
            if getattr(row, each.name) != value:
                setattr(row, each.name, value)
        self.session.add(row)

    async def hold(self, name: str) -> ModelRow | None:
        """A declared model that nobody else decides about until this transaction ends, whether it is there or not.

        Two approvals at the same moment would else each count without the other. SQLite has one writer anyway.
        """
        if self.session.get_bind().dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
            await self.session.exec(lock, params={"name": f"registry/{name}"})  # type: ignore[call-overload]
        return await self.session.get(ModelRow, name, populate_existing=True)

    async def model(self, name: str) -> ModelRow | None:
        """A declared model."""
        return await self.session.get(ModelRow, name)

    async def revision(self, model: str, number: int) -> RevisionRow | None:
        """One revision of a declaration."""
        return await self.session.get(RevisionRow, (model, number))

    async def revisions(self, model: str, since: int = 1) -> list[RevisionRow]:
        """The revisions of a declaration from one on, oldest first."""
        query = select(RevisionRow).where(RevisionRow.name == model, col(RevisionRow.revision) >= since)
        return list((await self.session.exec(query.order_by(col(RevisionRow.revision)))).all())

    async def newest_data(self, dataset: str) -> DatasetRow | None:
        """The newest version of a dataset that is known here."""
        query = select(DatasetRow).where(DatasetRow.dataset == dataset).order_by(col(DatasetRow.version).desc())
        return (await self.session.exec(query.limit(1))).first()

    async def data_changes(self, dataset: str, until: int) -> list[DatasetRow]:
        """Who made the versions of a dataset up to one, newest first."""
        query = select(DatasetRow).where(DatasetRow.dataset == dataset, col(DatasetRow.version) <= until)
        return list((await self.session.exec(query.order_by(col(DatasetRow.version).desc()))).all())

    async def changes(
        self,
        model: str | None = None,
        state: str | None = None,
        after: ChangeRow | None = None,
        limit: int | None = None,
    ) -> list[ChangeRow]:
        """Changes that were proposed, newest first; those that come `after` one, at most `limit`."""
        query = select(ChangeRow) if model is None else select(ChangeRow).where(ChangeRow.model == model)
        query = query if state is None else query.where(ChangeRow.state == state)
        if after is not None:
            same = (col(ChangeRow.at) == after.at) & (col(ChangeRow.id) > after.id)
            query = query.where((col(ChangeRow.at) < after.at) | same)
        ordered = query.order_by(col(ChangeRow.at).desc(), col(ChangeRow.id)).limit(limit)
        return list((await self.session.exec(ordered)).all())

    async def newest_code(self, package: str) -> int | None:
        """The newest version of a package of code that is known here."""
        query = select(func.max(CodeRow.version)).where(CodeRow.package == package)
        return (await self.session.exec(query)).first()

    async def code_packages(self) -> Sequence[str]:
        """The names of the packages of code."""
        return (await self.session.exec(select(CodeRow.package).distinct().order_by(CodeRow.package))).all()

    async def change(self, change: str) -> ChangeRow | None:
        """One change."""
        return await self.session.get(ChangeRow, change)

    # What is due is named by its key alone: a row that cannot be read stops only what reads it, not the question.

    async def lapsed_changes(self, now: datetime) -> list[tuple[str, str]]:
        """Model and id of the changes that nobody decided on in time."""
        columns = (ChangeRow.model, ChangeRow.id)
        query = select(*columns).where(ChangeRow.state == State.PENDING, col(ChangeRow.expires_at) <= now)
        return list((await self.session.exec(query)).all())

    async def reviews_due(self, now: datetime) -> list[tuple[str, datetime]]:
        """Models whose risk must be looked at again since a moment, and of which nobody was told yet."""
        untold = col(ModelRow.reminded_at).is_(None) | (col(ModelRow.reminded_at) < col(ModelRow.review_due))
        query = select(ModelRow.name, ModelRow.review_due).where(col(ModelRow.review_due) <= now, untold)
        return list((await self.session.exec(query)).all())

    async def version(self, model: str, number: int) -> VersionRow | None:
        """One version."""
        return await self.session.get(VersionRow, (model, number))

    async def by_run(self, run: str) -> VersionRow | None:
        """The version that a run made, or an import."""
        return (await self.session.exec(select(VersionRow).where(VersionRow.run == run))).first()

    async def alias(self, model: str, alias: str = CHAMPION) -> AliasRow | None:
        """Where an alias points."""
        return await self.session.get(AliasRow, (model, alias))

    async def champion(self, model: str) -> VersionRow | None:
        """The version that serves."""
        row = await self.alias(model)
        return await self.version(model, row.version) if row else None

    async def aliases(self, models: list[str]) -> dict[str, dict[str, int]]:
        """The aliases of some models."""
        rows = await self.session.exec(select(AliasRow).where(col(AliasRow.model).in_(models)))
        found: dict[str, dict[str, int]] = {name: {} for name in models}
        for row in rows.all():
            found[row.model][row.alias] = row.version
        return found

    async def alias_moves(self, model: str, after: str, limit: int) -> Sequence[AliasMoveRow]:
        """The newest move of each alias of a model, by the alias's name."""
        newest = (
            select(func.max(AliasMoveRow.id))
            .where(AliasMoveRow.model == model, AliasMoveRow.alias > after)
            .group_by(col(AliasMoveRow.alias))
        )
        query = select(AliasMoveRow).where(col(AliasMoveRow.id).in_(newest)).order_by(col(AliasMoveRow.alias))
        return (await self.session.exec(query.limit(limit))).all()

    async def alias_at(self, model: str, alias: str, at: datetime) -> AliasMoveRow | None:
        """The newest move of an alias at or before a moment."""
        query = select(AliasMoveRow).where(AliasMoveRow.model == model, AliasMoveRow.alias == alias)
        ordered = query.where(col(AliasMoveRow.at) <= at).order_by(
            col(AliasMoveRow.at).desc(), col(AliasMoveRow.id).desc()
        )
        return (await self.session.exec(ordered.limit(1))).first()

    async def decisions(self, model: str, version: int) -> list[DecisionRow]:
        """What people said of a version, in order."""
        query = select(DecisionRow).where(DecisionRow.model == model, DecisionRow.version == version)
        return list((await self.session.exec(query.order_by(col(DecisionRow.id)))).all())

    async def decisions_on(self, change: str) -> list[DecisionRow]:
        """What people said of a change, in order."""
        query = select(DecisionRow).where(DecisionRow.change == change).order_by(col(DecisionRow.id))
        return list((await self.session.exec(query)).all())

    async def lapsed(self, now: datetime) -> list[tuple[str, int]]:
        """Model and number of the versions whose request for approval is over."""
        columns = (VersionRow.model, VersionRow.version)
        query = select(*columns).where(VersionRow.state == State.PENDING, col(VersionRow.expires_at) <= now)
        return list((await self.session.exec(query)).all())

    async def signals(self, model: str, version: int | None) -> list[SignalRow]:
        """What was seen of a version."""
        query = select(SignalRow).where(SignalRow.model == model)
        if version is not None:
            query = query.where(SignalRow.version == version)
        return list((await self.session.exec(query.order_by(col(SignalRow.at)))).all())
