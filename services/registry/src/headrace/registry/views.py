"""What the registry shows over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from headrace.registry.governance import voices
from headrace.registry.tables import ChangeRow, DecisionRow, ModelRow, Repository, VersionRow

Reason = Annotated[str, Field(min_length=3, max_length=2000)]


class Standing(BaseModel):
    """How many of the approvals that are needed were given, also in words: `1 of 2`."""

    given: int
    needed: int
    text: str

    @classmethod
    def of(cls, given: int, needed: int) -> "Standing":
        """In words."""
        return cls(given=given, needed=needed, text=f"{given} of {needed}")


class ChangeView(BaseModel):
    """A change that waits for people, or did, with everything that they said of it."""

    change: str
    model: str
    kind: str
    state: str
    by: str
    at: datetime
    base_revision: int
    loosens: list[str]
    changed: list[str]
    declaration: dict[str, Any] | None = None
    alias: str | None = None
    version: int | None = None
    reason: str | None = None
    approvals: Standing
    decisions: list[dict[str, Any]]
    expires_at: datetime
    decided_at: datetime | None = None
    outcome: str | None = None


class ModelView(BaseModel):
    """A declared model as lists show it."""

    name: str
    revision: int
    owner: str
    purpose: str
    dataset: str
    aliases: dict[str, int]
    declared_by: str
    declared_at: datetime
    review_due: datetime


class ModelDetail(ModelView):
    """The same with its declaration; `warnings` say what keeps it from working as it is declared."""

    declaration: dict[str, Any]
    digest: str
    versions: int
    warnings: list[str] = []


class Applied(BaseModel):
    """What declaring did; `changed` is empty when nothing did.

    Where `waits` is given, nothing has changed yet: `revision` and `digest` are those in force. `warnings` tell what is
    legal, but may surprise; `starts` says what starts the next training.
    """

    name: str
    revision: int
    changed: list[str]
    digest: str
    loosens: list[str] = []
    waits: ChangeView | None = None
    warnings: list[str] = []
    starts: str = ""


class Revision(BaseModel):
    """One revision of a declaration."""

    revision: int
    changed: list[str]
    by: str
    at: datetime
    digest: str
    declaration: dict[str, Any]


class VersionView(BaseModel):
    """A version as lists show it."""

    model: str
    version: int
    state: str
    aliases: list[str]
    metrics: dict[str, float]
    digest: str
    created: datetime
    origin: str
    run: str | None = None
    import_id: str | None = None
    estimator: str | None = None
    params: dict[str, Any] = {}
    reason: str | None = None
    rollout: str | None = None


class VersionDetail(VersionView):
    """Everything that is known of a version."""

    uri: str
    author: str
    gates: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    approvals: Standing
    decisions: list[dict[str, Any]]
    registered: dict[str, Any]
    decided_at: datetime | None = None
    expires_at: datetime | None = None
    warnings: list[str] = []


class AliasView(BaseModel):
    """Where an alias points, or pointed at the moment that was asked about."""

    model: str
    alias: str
    version: int
    since: datetime
    previous: int | None
    reason: str
    by: str


class RiskView(BaseModel):
    """Risk as probability times impact, each 0 to 1, with what was seen."""

    model: str
    version: int | None
    probability: float
    impact: float
    score: float
    rating: str
    signals: list[dict[str, Any]]
    review_due: datetime
    due: bool
    reviewed_at: datetime


class Comment(BaseModel):
    """A person's reason."""

    comment: str


class Decision(Comment):
    """A person's reason, and the digest of what they looked at."""

    digest: str | None = None


class Review(BaseModel):
    """What people found when they looked at the risk."""

    comment: str | None = None


class ServiceWish(BaseModel):
    """Which version should serve, and why."""

    version: int
    reason: Reason


class AliasWish(BaseModel):
    """Where an alias should point, and why."""

    version: int
    reason: str = "asked for"


def model_view(row: ModelRow, aliases: dict[str, int]) -> dict[str, Any]:
    """The fields of ModelView."""
    declared = row.declaration
    return {
        "name": row.name,
        "revision": row.revision,
        "owner": declared.get("owner", {}).get("team", ""),
        "purpose": declared.get("purpose", ""),
        "dataset": declared["data"]["dataset"],
        "aliases": aliases,
        "declared_by": row.declared_by,
        "declared_at": row.declared_at,
        "review_due": row.review_due,
    }


def version_view(row: VersionRow, aliases: dict[str, int]) -> dict[str, Any]:
    """The fields of VersionView."""
    names = ("model", "version", "state", "metrics", "digest", "created", "reason", "rollout")
    pointing = [alias for alias, version in aliases.items() if version == row.version]
    facts = row.facts
    lineage = facts.lineage
    made = {"origin": facts.origin, "estimator": lineage.estimator, "params": lineage.params or {}, "run": lineage.run}
    made |= {"import_id": lineage.imported.import_id if lineage.imported else None}
    return {**{name: getattr(row, name) for name in names}, **made, "aliases": pointing}


async def change_view(repository: Repository, row: ChangeRow) -> ChangeView:
    """A change with everything that was said of it."""
    await repository.session.flush()
    decisions = await repository.decisions_on(row.id)
    return ChangeView(
        **row.model_dump(exclude={"id", "needed", "digest"}),
        change=row.id,
        approvals=Standing.of(len(voices(decisions, row.digest)), row.needed),
        decisions=[decision_view(each) for each in decisions],
    )


def decision_view(row: DecisionRow) -> dict[str, Any]:
    """A decision beside what it is about."""
    return row.model_dump(mode="json", include={"by", "decision", "digest", "comment", "at"})
