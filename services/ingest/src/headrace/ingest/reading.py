"""How a dataset's files are read: what its contract says besides the rules of columns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.contracts import ColumnRule, Contract
from headrace.contracts.cells import TIMESTAMP


@dataclass(frozen=True)
class Reading:
    """How a column is read. A guessed type holds only what it changes in nothing; a declared one what people write."""

    kind: str | None  # None: no value is known so far
    guessed: bool = False
    missing: tuple[str, ...] = ()
    time_format: str | None = None
    decimal: str = "."


@dataclass(frozen=True)
class Wording:
    """How values are written: tokens for missing ones, formats of times, the dialect of CSV."""

    missing: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"

    def missing_of(self, name: str, rule: ColumnRule | None = None) -> tuple[str, ...]:
        """Declared tokens that mean a missing value of a column."""
        return (*self.missing, *((rule.missing or ()) if rule else ()))

    def reading(self, name: str, kind: str | None, rule: ColumnRule | None = None) -> Reading:
        """How one column is read: by its rule, or by a guess where there is none."""
        time_format = (rule.format if rule else None) or self.formats.get(name)
        if rule is not None and rule.type != TIMESTAMP:
            time_format = None
        guessed = rule is None and time_format is None
        declared = TIMESTAMP if rule is None and time_format else kind
        return Reading(declared, guessed, self.missing_of(name, rule), time_format, self.decimal)

    def as_dict(self) -> dict[str, Any]:
        """As it is stored, and as a contract has it."""
        return {
            "missing": list(self.missing),
            "formats": dict(self.formats),
            "dialect": {"delimiter": self.delimiter, "decimal": self.decimal, "encoding": self.encoding},
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Wording:
        """Read back what `as_dict` wrote; what is not there has its default."""
        return cls(tuple(stored.get("missing") or ()), stored.get("formats") or {}, **(stored.get("dialect") or {}))


def wording_of(contract: Contract) -> Wording:
    """How a contract says that files are read."""
    return Wording.of(contract.model_dump(mode="json", exclude_none=True))


def resolved(rules: Sequence[ColumnRule], wording: Wording) -> list[ColumnRule]:
    """Rules that say all of their column, for whoever reads rows without the whole contract."""
    return [_resolved(rule, wording) for rule in rules]


def _resolved(rule: ColumnRule, wording: Wording) -> ColumnRule:
    reading = wording.reading(rule.name, str(rule.type), rule)
    missing = list(dict.fromkeys(reading.missing)) or None
    return rule.model_copy(update={"missing": missing, "format": reading.time_format})
