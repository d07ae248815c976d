"""What the registry shows over HTTP."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from headrace.registry.tables import ModelRow, VersionRow


class ModelView(BaseModel):
    """A declared model as lists show it."""

    name: str
    revision: int
    owner: str
    purpose: str
    aliases: dict[str, int]
    declared_by: str
    declared_at: datetime


class ModelDetail(ModelView):
    """The same with its declaration."""

    declaration: dict[str, Any]
    digest: str
    versions: int


class Applied(BaseModel):
    """What declaring did; `changed` is empty when nothing did."""

    name: str
    revision: int
    changed: list[str]
    digest: str


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
    run: str
    reason: str | None = None
    rollout: str | None = None


class VersionDetail(VersionView):
    """Everything that is known of a version."""

    uri: str
    author: str
    gates: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    training: dict[str, Any]
    decided_at: datetime | None = None
    expires_at: datetime | None = None


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
    reviewed_at: datetime


class Decision(BaseModel):
    """A person's reason."""

    comment: str
    digest: str | None = None


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
        "aliases": aliases,
        "declared_by": row.declared_by,
        "declared_at": row.declared_at,
    }


def version_view(row: VersionRow, aliases: dict[str, int]) -> dict[str, Any]:
    """The fields of VersionView."""
    names = ("model", "version", "state", "metrics", "digest", "created", "run", "reason", "rollout")
    pointing = [alias for alias, version in aliases.items() if version == row.version]
    return {**{name: getattr(row, name) for name in names}, "aliases": pointing}
