"""Does a batch keep the contract? Each check looks at whole columns, and at rows only where one fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.contracts import ColumnRule
from headrace.ingest.profile import Column
from headrace.ingest.sources.batch import Batch
from headrace.ingest.violations import CATEGORICAL, COMPLETENESS, EXTRA, MISSING, RANGE, Violations


def check_header(columns: Sequence[str], rules: Sequence[ColumnRule], keep: int) -> Violations:
    """Every column of the contract is there, and no other."""
    violations = Violations(keep)
    names = [rule.name for rule in rules]
    for name in names:
        if name not in columns:
            near = f"the file has {', '.join(c for c in columns if c not in names) or 'no other column'}"
            violations.add(MISSING, f"the contract's column {name!r} is missing; {near}", column=name, line=1)
    for name in columns:
        if name not in names:
            violations.add(EXTRA, f"the contract has no column {name!r}", column=name, line=1)
    return violations


def check_batch(batch: Batch, rules: Iterable[ColumnRule], profile: Mapping[str, Column]) -> None:
    """Add what breaks the rules to the batch's violations; `profile` is of this batch alone."""
    for rule in rules:
        column, known = batch.table[rule.name], profile[rule.name]
        if known.nulls > len(batch.wrong.get(rule.name, ())) and not rule.nullable:
            _note(batch, COMPLETENESS, "a value is missing", rule.name, pc.is_null(column))
        if rule.allowed and not _all_allowed(known, column, rule.allowed):
            allowed = ", ".join(rule.allowed[:20])
            _note(batch, CATEGORICAL, f"not among the allowed values: {allowed}", rule.name, _foreign(column, rule))
        _check_range(batch, rule, known)


def _check_range(batch: Batch, rule: ColumnRule, known: Column) -> None:
    column = batch.table[rule.name]
    if rule.minimum is not None and known.low is not None and known.low < rule.minimum:
        _note(batch, RANGE, f"below the minimum {rule.minimum:g}", rule.name, pc.less(column, rule.minimum))
    if rule.maximum is not None and known.high is not None and known.high > rule.maximum:
        _note(batch, RANGE, f"above the maximum {rule.maximum:g}", rule.name, pc.greater(column, rule.maximum))


def _all_allowed(known: Column, column: pa.ChunkedArray, allowed: Sequence[str]) -> bool:
    if known.values is not None:
        return known.values.keys() <= set(allowed)
    return pc.any(_outside(column, allowed)).as_py() is not True


def _foreign(column: pa.ChunkedArray, rule: ColumnRule) -> pa.ChunkedArray:
    return _outside(column, rule.allowed or [])


def _outside(column: pa.ChunkedArray, allowed: Sequence[str]) -> pa.ChunkedArray:
    text = column if column.type == pa.string() else column.cast(pa.string())
    return pc.and_(pc.is_valid(text), pc.invert(pc.is_in(text, value_set=pa.array(allowed, pa.string()))))


def _note(batch: Batch, check: str, message: str, name: str, mask: pa.ChunkedArray) -> None:
    rows = np.flatnonzero(pc.fill_null(mask, False).to_numpy())
    rows = np.setdiff1d(rows, [*batch.wrong.get(name, ())], assume_unique=True)
    first = batch.lines((int(row) for row in rows[: batch.violations.keep]), name)
    batch.violations.extend(check, message, name, len(rows), first)
