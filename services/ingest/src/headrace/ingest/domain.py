"""What ingest decides: which contract holds, which dataset version a file makes, and whether it makes one. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from headrace.contracts import Column, ColumnRule, Part

Mode = Literal["append", "replace"]


class Incompatible(Exception):
    """The file cannot become a part of the newest version; the text says why and what to do."""


@dataclass(frozen=True)
class Version:
    """A dataset version: a list of parts, each one ingested file."""

    dataset: str
    number: int
    parts: tuple[Part, ...]
    columns: tuple[Column, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the dataset's name and its parts' digests in order: what was ingested, wherever it lies."""
        named = [self.dataset, [part.object.sha256 for part in self.parts]]
        return hashlib.sha256(json.dumps(named, separators=(",", ":")).encode()).hexdigest()

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def sources(self) -> list[str]:
        """Digests of the files as they came, in order."""
        return [part.source.sha256 for part in self.parts]


def is_known(newest: Version | None, source: str, mode: Mode) -> bool:
    """Whether the newest version already is what this file would make it: then it makes no new one.

    Only the newest counts: replacing by an older file again is a wish, not a repetition.
    """
    if newest is None:
        return False
    return newest.sources == [source] if mode == "replace" else source in newest.sources


def next_version(newest: Version | None, dataset: str, part: Part, columns: Sequence[Column], mode: Mode) -> Version:
    """The version that a new part makes; raises `Incompatible` where it does not fit those before."""
    number = newest.number + 1 if newest else 1
    if newest is None or mode == "replace":
        return Version(dataset, number, (part,), tuple(columns))
    return replace(newest, number=number, parts=(*newest.parts, part), columns=tuple(_joined(newest.columns, columns)))


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


def contract_faults(rules: Sequence[ColumnRule]) -> list[str]:
    """What is wrong with a contract itself."""
    names = [rule.name for rule in rules]
    faults = [f"column {name!r} is named more than once" for name in sorted({n for n in names if names.count(n) > 1})]
    if not rules:
        faults.append("a contract names at least one column")
    for rule in rules:
        if rule.allowed is not None and rule.type not in ("string", "integer", "boolean"):
            faults.append(f"column {rule.name!r}: only string, integer and boolean columns have allowed values")
        limits = (rule.minimum, rule.maximum)
        if any(limit is not None for limit in limits) and rule.type not in ("integer", "number"):
            faults.append(f"column {rule.name!r}: only integer and number columns have limits")
        if None not in limits and limits[0] > limits[1]:  # type: ignore[operator]
            faults.append(f"column {rule.name!r}: its minimum is above its maximum")
    return faults


def file_format(
    given: str | None, content_type: str | None, name: str | None, start: bytes
) -> Literal["csv", "parquet"]:
    """Parquet where the request or the first bytes say so; everything else is read as CSV."""
    if given in ("csv", "parquet"):
        return given  # type: ignore[return-value]
    says = "parquet" in (content_type or "") or (name or "").endswith(".parquet")
    return "parquet" if says or start.startswith(b"PAR1") else "csv"
