"""What is wrong with a file: one violation for each check and column, with the first offending rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TOLD = 50  # with a file; one of thousands of columns may have several for each, and an event has a bound
VALUE_SHOWN = 120  # characters; a value may be a megabyte long, a message may not

MISSING = "missing_column_check"
EXTRA = "extra_column_check"
TYPE = "data_type_check"
COMPLETENESS = "completeness_check"
CATEGORICAL = "categorical_values_check"
RANGE = "range_check"
UNIQUE = "unique_check"
ENCODING = "encoding_check"
PARSE = "parse_check"


def shown(value: object) -> str | None:
    """A value as a message may show it."""
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]}... ({len(text)} characters)"


@dataclass
class Violation:
    """One promise that the data breaks: which, where first, and in how many rows."""

    check: str
    message: str
    column: str | None = None
    rows: int = 0
    first: list[tuple[int, str | None]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The shape that the event and the HTTP answer share."""
        out: dict[str, Any] = {"check": self.check, "message": self.message, "rows": self.rows}
        if self.column is not None:
            out["column"] = self.column
        return out | {"first": [{"line": line, "value": value} for line, value in self.first]}


class Violations:
    """All violations of one file; keeps the first `keep` rows of each kind, and counts the rest."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._found: dict[tuple[str, str | None, str], Violation] = {}

    def add(self, check: str, message: str, *, column: str | None = None, rows: int = 1, line: int = 0) -> None:
        """Note one violation that is of the file or of one line rather than of values."""
        self.extend(check, message, column, rows, [(line, None)] if line else [])

    def extend(
        self, check: str, message: str, column: str | None, rows: int, first: Iterable[tuple[int, object]]
    ) -> None:
        """Note `rows` more offending rows; `first` are line and value of the first among them."""
        known = self._found.setdefault((check, column, message), Violation(check, message, column))
        known.rows += rows
        for line, value in first:
            if len(known.first) < self.keep:
                known.first.append((line, shown(value)))

    def update(self, other: Violations) -> None:
        """Take over what another part of the file found."""
        for v in other:
            known = self._found.setdefault((v.check, v.column, v.message), Violation(v.check, v.message, v.column))
            known.rows += v.rows
            known.first.extend(v.first[: self.keep - len(known.first)])

    def __iter__(self) -> Any:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    @property
    def rows(self) -> int:
        """How many offending rows have been counted; a row may offend more than once."""
        return sum(v.rows for v in self._found.values())


class Unacceptable(Exception):
    """The file cannot be read further; the violations say why."""

    def __init__(self, violations: Violations) -> None:
        super().__init__("; ".join(v.message for v in violations))
        self.violations = violations


def refuse(check: str, message: str, *, line: int = 0, column: str | None = None) -> Unacceptable:
    """A refusal of the whole file for one reason."""
    violations = Violations(keep=1)
    violations.add(check, message, column=column, line=line)
    return Unacceptable(violations)


def told(found: Violations, called: str) -> list[dict[str, Any]]:
    """The first of them, as the answer, the event and the database have them; and how many more there are."""
    each = [violation.as_dict() for violation in found]
    if len(each) <= TOLD:
        return each
    left = each[TOLD:]
    rows = sum(violation["rows"] for violation in left)
    more = {"check": f"more_{called}", "message": f"{len(left)} more {called} are not told", "rows": rows, "first": []}
    return [*each[:TOLD], more]


def without_nulls(violation: dict[str, Any]) -> dict[str, Any]:
    """The shape in which schemas have it: what is unknown of a place is left out."""
    first = [{name: value for name, value in offence.items() if value is not None} for offence in violation["first"]]
    return violation | {"first": first}


def _place(violation: Mapping[str, Any]) -> str:
    """The line of the first offending row, unless the message names it itself."""
    line = violation["first"][0]["line"] if violation["first"] else 0
    named = re.search(rf"\bline {line}\b", violation["message"])
    return f"line {line}: " if line and not named else ""


def reason(violations: Iterable[Mapping[str, Any]]) -> str:
    """One sentence for people: the first violation, and how many more there are."""
    found = list(violations)
    first = found[0]
    place = _place(first)
    column = f"column {first['column']!r}: " if first.get("column") else ""
    more = f" (and {len(found) - 1} more violations)" if len(found) > 1 else ""
    return f"{first['check']}: {place}{column}{first['message']}{more}"
