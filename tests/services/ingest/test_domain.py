"""Decisions of ingest: which version a file makes, whether it makes one, and whether a contract can be kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.contracts import Column, ColumnRule, ObjectRef, Part
from headrace.ingest.domain import (
    Incompatible,
    Version,
    columns_of,
    contract_faults,
    file_format,
    is_known,
    next_version,
)

A, B = "a" * 64, "b" * 64
COLUMNS = [Column(name="x", type="integer", nullable=False)]


def part(source: str, rows: int = 10) -> Part:
    """A part made of one source file."""
    ref = ObjectRef(bucket="headrace-uploads", key=source, size=1, sha256=source)
    return Part(object=ref, rows=rows, source=ref, ingested_at=datetime(2026, 1, 1, tzinfo=UTC))


def version(*sources: str, number: int = 1) -> Version:
    """A version made of some files."""
    return Version("flights", number, tuple(map(part, sources)), tuple(COLUMNS))


def test_the_first_file_makes_version_one() -> None:
    """Whatever the mode."""
    made = next_version(None, "flights", part(A), COLUMNS, "append")
    assert (made.number, made.rows, made.sources) == (1, 10, [A])


def test_appending_keeps_the_parts_before() -> None:
    """The new part comes last; the old version stays what it was."""
    old = version(A)
    made = next_version(old, "flights", part(B, 5), COLUMNS, "append")
    assert (made.number, made.rows, made.sources) == (2, 15, [A, B])
    assert old.sources == [A]


def test_replacing_begins_anew() -> None:
    """Only the new file is left, and other columns are fine."""
    made = next_version(version(A), "flights", part(B), [Column(name="y", type="string", nullable=True)], "replace")
    assert (made.number, made.sources, made.columns[0].name) == (2, [B], "y")


def test_other_columns_cannot_be_appended() -> None:
    """The error says both, and what to do."""
    other = [Column(name="x", type="string", nullable=False)]
    with pytest.raises(Incompatible, match=r"x: string.*x: integer.*mode=replace"):
        next_version(version(A), "flights", part(B), other, "append")


def test_a_column_may_begin_to_miss_values() -> None:
    """The version's column then says so."""
    made = next_version(version(A), "flights", part(B), [Column(name="x", type="integer", nullable=True)], "append")
    assert made.columns[0].nullable


@pytest.mark.parametrize(
    ("sources", "file", "mode", "known"),
    [
        ((), A, "append", False),
        ((A,), A, "append", True),
        ((A, B), A, "append", True),
        ((A,), B, "append", False),
        ((A,), A, "replace", True),
        ((A, B), A, "replace", False),
        ((B,), A, "replace", False),
    ],
)
def test_the_same_file_again_is_the_same_version(sources: tuple[str, ...], file: str, mode: Any, known: bool) -> None:
    """Only the newest version counts: going back to an older file is a wish."""
    assert is_known(version(*sources) if sources else None, file, mode) is known


def test_the_digest_is_of_what_was_ingested() -> None:
    """Files and their order decide, not the number of the version."""
    assert version(A, B).digest == version(A, B, number=9).digest
    assert len({version(A, B).digest, version(B, A).digest, version(A).digest}) == 3


def rule(**fields: Any) -> ColumnRule:
    """A rule for column x."""
    return ColumnRule(**{"name": "x", "type": "number", "nullable": False, **fields})


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([], "at least one column"),
        ([rule(), rule()], "'x' is named more than once"),
        ([rule(allowed=["1"])], "only string, integer and boolean columns have allowed values"),
        ([rule(type="string", minimum=1.0)], "only integer and number columns have limits"),
        ([rule(minimum=2.0, maximum=1.0)], "its minimum is above its maximum"),
    ],
)
def test_a_contract_that_nothing_can_keep_is_refused(rules: list[ColumnRule], says: str) -> None:
    """Before any file comes."""
    assert says in "; ".join(contract_faults(rules))


def test_a_sound_contract_has_no_faults() -> None:
    """And describes its columns."""
    rules = [rule(minimum=0.0, maximum=0.0), rule(name="c", type="string", allowed=["a"])]
    assert contract_faults(rules) == []
    assert [column.name for column in columns_of(rules)] == ["x", "c"]


@pytest.mark.parametrize(
    ("given", "content_type", "name", "start", "form"),
    [
        (None, None, None, b"a,b", "csv"),
        (None, "text/csv", "x.csv", b"PAR1", "parquet"),
        (None, "application/vnd.apache.parquet", None, b"", "parquet"),
        (None, None, "x.parquet", b"", "parquet"),
        ("csv", "application/vnd.apache.parquet", "x.parquet", b"a", "csv"),
        ("parquet", None, None, b"", "parquet"),
    ],
)
def test_the_format_is_told_or_seen(
    given: str | None, content_type: str | None, name: str | None, start: bytes, form: str
) -> None:
    """What is asked for holds; else type, name or first bytes say Parquet; else it is CSV."""
    assert file_format(given, content_type, name, start) == form
