"""A new dataset version, as the database keeps it and as its event tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.bus import UnitOfWork
from headrace.contracts import DatasetIngested, DataWarning, Part
from headrace.ingest.domain import Version
from headrace.ingest.engine import Accepted
from headrace.ingest.facts import facts_of
from headrace.ingest.manifest import Grown
from headrace.ingest.tables import VersionRow, dump
from headrace.ingest.terms import Terms
from headrace.ingest.violations import without_nulls


@dataclass(frozen=True)
class Made:
    """A version whose objects are all in the store, and that nobody knows of yet."""

    version: Version
    mode: str
    part: Part
    grown: Grown
    result: Accepted
    terms: Terms
    newest: VersionRow | None  # the version before it

    @property
    def after(self) -> int | None:
        """The number of the version before it."""
        return self.newest.version if self.newest else None

    def row(self, work: UnitOfWork, warnings: list[dict[str, Any]]) -> VersionRow:
        """What the database keeps."""
        version, (part,), (manifest,) = self.version, dump([self.part]), dump([self.grown.root])
        return VersionRow(
            dataset=version.dataset,
            version=version.number,
            digest=version.digest,
            mode=self.mode,
            rows=version.rows,
            added_rows=self.part.rows,
            since=version.number - version.parts + 1,
            part=part,
            source=self.part.source.sha256,
            columns=dump(version.columns),
            contract=dump(self.result.rules),
            revision=self.terms.revision,
            manifest=manifest,
            warnings=warnings,
            by=work.actor,
            at=work.now,
        )

    def event(self, setters: Sequence[str], warnings: list[dict[str, Any]]) -> DatasetIngested:
        """What everybody is told: the part, totals, and where the list of all parts lies."""
        version = self.version
        return DatasetIngested(
            dataset=version.dataset,
            version=version.number,
            digest=version.digest,
            mode=self.mode,
            part=self.part,
            parts=version.parts,
            rows=version.rows,
            manifest=self.grown.root,
            sealed=list(self.grown.sealed),
            columns=list(version.columns),
            contract=list(self.result.rules),
            contract_by=list(setters),
            facts=list(facts_of(self.result.profile)),
            warnings=[DataWarning.model_validate(without_nulls(each)) for each in warnings],
        )
