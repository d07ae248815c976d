"""Decisions of ingest: which version a file makes, whether it makes one, and whether a contract can be kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.contracts import Column, ColumnRule, ObjectRef, Part
from headrace.ingest.domain import (
    Incompatible,
    Use,
    Version,
    columns_of,
    next_version,
    relaxed,
    unordered,
)
from headrace.ingest.sources import stated_format

A, B = "a" * 64, "b" * 64
MODES = ("append", "replace")
COLUMNS = [Column(name="x", type="integer", nullable=False)]


def part(source: str, rows: int = 10) -> Part:
    """A part made of one source file."""
    ref = ObjectRef(bucket="headrace-uploads", key=source, size=1, sha256=source)
    return Part(object=ref, rows=rows, source=ref, profile=ref, ingested_at=datetime(2026, 1, 1, tzinfo=UTC))


def version(*sources: str, number: int | None = None) -> Version:
    """A version made of some files, appended one behind the other."""
    made: Version | None = None
    for source in sources:
        made = next_version(made, "flights", part(source), COLUMNS, "append")
    assert made is not None
    return made if number is None else replace(made, number=number)


def test_the_first_file_makes_version_one() -> None:
    """Whatever the mode."""
    for mode in MODES:
        made = next_version(None, "flights", part(A), COLUMNS, mode)
        assert (made.number, made.rows, made.parts) == (1, 10, 1)


def test_appending_keeps_the_parts_before() -> None:
    """Parts and rows add up; the old version stays what it was."""
    old = version(A)
    made = next_version(old, "flights", part(B, 5), COLUMNS, "append")
    assert (made.number, made.rows, made.parts) == (2, 15, 2)
    assert (old.rows, old.parts) == (10, 1)


def test_replacing_begins_anew() -> None:
    """Only the new file is left, and other columns are fine."""
    made = next_version(version(A), "flights", part(B), [Column(name="y", type="string", nullable=True)], "replace")
    assert (made.number, made.parts, made.columns[0].name) == (2, 1, "y")
    assert made.digest == version(B).digest


def test_other_columns_cannot_be_appended() -> None:
    """The error says both, and what to do."""
    other = [Column(name="x", type="string", nullable=False)]
    with pytest.raises(Incompatible, match=r"x: string.*x: integer.*mode=replace"):
        next_version(version(A), "flights", part(B), other, "append")


def test_a_column_may_begin_to_miss_values() -> None:
    """The version's column then says so."""
    made = next_version(version(A), "flights", part(B), [Column(name="x", type="integer", nullable=True)], "append")
    assert made.columns[0].nullable


def test_the_digest_is_of_what_was_ingested() -> None:
    """Files and their order decide, not the number of the version."""
    later = next_version(version(A, number=8), "flights", part(B), COLUMNS, "append")
    assert (later.number, later.digest) == (9, version(A, B).digest)
    assert next_version(None, "other", part(A), COLUMNS, "append").digest != version(A).digest
    assert len({version(A, B).digest, version(B, A).digest, version(A).digest}) == 3


def rule(**fields: Any) -> ColumnRule:
    """A rule for column x."""
    return ColumnRule(**{"name": "x", "type": "number", "nullable": False, **fields})


def test_a_target_may_be_missing_in_an_inferred_contract() -> None:
    """Rows come before their labels do; other columns stay complete."""
    rules = relaxed([rule(), rule(name="y")], [Use("m", "y")])
    assert [each.nullable for each in rules] == [False, True]


def test_columns_are_those_of_the_contract() -> None:
    """Name, type and whether values may be missing."""
    (column,) = columns_of([rule(name="day", type="timestamp", format="%d/%m/%Y")])
    assert (column.name, column.type, column.nullable) == ("day", "timestamp", False)


def test_text_orders_nothing_in_time() -> None:
    """The column and the model that orders rows by it."""
    uses = [Use("m", "y", "day"), Use("n", "y", "x"), Use("o", "y")]
    assert unordered([rule(name="day", type="string"), rule()], uses) == [("day", "m")]


@pytest.mark.parametrize(
    ("given", "content_type", "name", "form"),
    [
        (None, None, None, None),
        (None, "text/csv", "x.csv", None),
        (None, "application/vnd.apache.parquet", None, "parquet"),
        (None, None, "x.parquet", "parquet"),
        ("csv", "application/vnd.apache.parquet", "x.parquet", "csv"),
        ("parquet", None, None, "parquet"),
    ],
)
def test_the_format_is_stated_or_left_to_the_first_bytes(
    given: str | None, content_type: str | None, name: str | None, form: str | None
) -> None:
    """What is asked for holds; else type or name say Parquet; else the file itself."""
    assert stated_format(given, content_type, name) == form
