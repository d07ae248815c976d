"""What ingest decides: which contract holds, which dataset version a file makes, and whether it makes one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.contracts import Column, ColumnRule, Part, column_name
from headrace.contracts.catalogs import CATALOGS
from headrace.contracts.cells import STRING
from headrace.contracts.versions import version_digest

INGEST_MODES = CATALOGS["ingest-mode"]


class Incompatible(Exception):
    """The file cannot become a part of the newest version; the text says why and what to do."""


@dataclass(frozen=True)
class Version:
    """A dataset version: some parts, each one ingested file, of which the digest names every one and their order."""

    dataset: str
    number: int
    digest: str
    parts: int
    rows: int
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Use:
    """What a declared model uses of a dataset."""

    model: str
    target: str
    time: str | None = None


def next_version(newest: Version | None, dataset: str, part: Part, columns: Sequence[Column], mode: str) -> Version:
    """The version that a new part makes; raises `Incompatible` where it does not fit those before."""
    number, added = (newest.number + 1 if newest else 1), part.object.sha256
    if newest is None or mode == "replace":
        return Version(dataset, number, version_digest(dataset, None, added), 1, part.rows, tuple(columns))
    return replace(
        newest,
        number=number,
        digest=version_digest(dataset, newest.digest, added),
        parts=newest.parts + 1,
        rows=newest.rows + part.rows,
        columns=tuple(_joined(newest.columns, columns)),
    )


def _joined(old: Sequence[Column], new: Sequence[Column]) -> list[Column]:
    if [(c.name, c.type) for c in old] != [(c.name, c.type) for c in new]:
        raise Incompatible(
            f"the file's columns ({_listed(new)}) are not those of the newest version ({_listed(old)}); "
            "the contract has changed since: begin anew with mode=replace"
        )
    pairs = zip(old, new, strict=True)
    return [Column(name=a.name, type=a.type, nullable=a.nullable or b.nullable) for a, b in pairs]


def _listed(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name}: {column.type}" for column in columns)


def columns_of(rules: Sequence[ColumnRule]) -> list[Column]:
    """The columns that a contract describes."""
    return [Column(name=rule.name, type=rule.type, nullable=rule.nullable) for rule in rules]


def relaxed(rules: Sequence[ColumnRule], uses: Sequence[Use]) -> list[ColumnRule]:
    """Inferred rules, in which a target may be missing: rows come before their labels do."""
    targets = {use.target for use in uses}
    return [rule.model_copy(update={"nullable": rule.nullable or rule.name in targets}) for rule in rules]


def unordered(rules: Sequence[ColumnRule], uses: Sequence[Use]) -> list[tuple[str, str]]:
    """Columns by which models order rows in time, and that are text; each with its model."""
    texts = {rule.name for rule in rules if rule.type == STRING}
    return [(use.time, use.model) for use in uses if use.time in texts and use.time is not None]


def named(rules: Sequence[ColumnRule]) -> list[ColumnRule]:
    """The rules, with names in the form in which names are compared."""
    return [rule.model_copy(update={"name": column_name(rule.name)}) for rule in rules]
