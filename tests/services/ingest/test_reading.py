"""Whatever a file holds: it is refused with its place, or each value can be written back, or the change is said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.contracts import ColumnRule
from headrace.contracts.cells import MISSING, NotOfType, change_of, read_cell, significant_digits
from headrace.ingest.engine import Accepted, Options, Rejected, convert
from headrace.ingest.reading import Reading, Wording
from headrace.ingest.sources.blocks import Limits
from headrace.ingest.sources.columns import _careful, typed
from headrace.ingest.sources.grammar import extent
from headrace.testkit.examples import examples

SMALL = Options(limits=Limits(block=64, line=1 << 12), row_group=10)
WHOLE = Options()
KINDS = ["boolean", "integer", "number", "string", "timestamp"]

plain = st.sampled_from(
    [
        *["1", "0", "-0", "7", "02134", "+49170", "0.5", "1.50", "-1e5", "1e400", "1e-400", "1e300", "1_0", "1,5", "٣"],
        *["12345678901234567", "9223372036854775808", "100000000000000000000", "0.12345678901234567890", " 5", "5 "],
        *["inf", "-Infinity", "nan", "NAN", "NA", "n/a", "?", "-999", "true", "tRue", "0x10", "", "-", "é", "e\u0301"],
        *["2024-01-01", "2024-01-01 10:00:00.123456789", "2024-01-01T10:00+02:00", "31/12/2024", "0000-01-01"],
        *["9999-12-31T23:59:59-05:00", "100000000000.000001"],
    ]
)
numbers = st.integers(-(2**64), 2**64).map(str) | st.floats(allow_nan=False).map(repr) | st.decimals(
    allow_nan=False, allow_infinity=False, places=6
).map(str)  # fmt: skip
text = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=6)
cells = plain | numbers | text


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one example."""
    with TemporaryDirectory() as name:
        yield Path(name)


Rows = list[dict[str, Any]]


def ingest(
    content: bytes, rules: list[ColumnRule] | None = None, options: Options = SMALL, **wording: Any
) -> tuple[Any, Rows]:
    """The result and the rows."""
    with folder() as place:
        (place / "in").write_bytes(content)
        result = convert(place / "in", None, rules, place / "out", options, wording=Wording(**wording))
        return result, pq.read_table(result.path).to_pylist() if isinstance(result, Accepted) else []


def as_csv(header: list[str], rows: list[list[str]], end: str = "\n") -> bytes:
    """A CSV as a careful program writes it."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator=end)
    writer.writerows([header, *rows])
    return sink.getvalue().encode()


def is_faithful(kind: str, cell: str, value: Any, changes: set[str]) -> bool:
    """Whether a value is the one that stood in the cell, or its column's change is said."""
    if value is None:
        return cell.strip() in MISSING
    if kind == "string":
        return bool(value == cell)
    if kind == "boolean":
        return str(value).lower() == cell.strip().lower()
    if kind == "integer":
        return str(value) == cell.strip()
    if kind == "timestamp":
        return bool(value == read_cell("timestamp", cell)) and (not change_of(kind, cell) or bool(changes))
    return _is_the_number(cell.strip(), value) or bool(changes)


def _is_the_number(cell: str, value: float) -> bool:
    if not any(mark in cell for mark in ".eE"):
        return int(cell) == int(value)
    exact = Decimal(cell) == Decimal(repr(value))
    return exact or (significant_digits(cell) <= 17 and float(cell) == value and value != 0)


@settings(max_examples=examples(100))
@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_every_accepted_value_is_the_one_that_stood_there(table: list[list[str]], end: str) -> None:
    """No contract, any cells, blocks that cut the file anywhere: what is guessed changes no value without a warning."""
    result, rows = ingest(as_csv(["a", "b"], table, end))
    if isinstance(result, Rejected):
        told = {violation.check for violation in result.violations}
        assert told <= {"data_type_check", "parse_check"}
        assert "inf" in str([cell.lower() for row in table for cell in row]), [v.as_dict() for v in result.violations]
        return

    assert len(rows) == len(table)
    for rule in result.rules:
        changes = {w.message for w in result.warnings if w.column == rule.name and w.check == "value_changed"}
        at = 0 if rule.name == "a" else 1
        for cells_, row in zip(table, rows, strict=True):
            assert is_faithful(rule.type, cells_[at], row[rule.name], changes), (rule, cells_[at], row[rule.name])


@settings(max_examples=examples(100))
@given(st.lists(cells, min_size=1, max_size=8), st.sampled_from(KINDS), st.booleans(), st.booleans())
def test_whole_columns_are_read_as_single_cells_are(column: list[str], kind: str, guessed: bool, comma: bool) -> None:
    """The fast reader and the rule agree on every column: values, faults and changes."""
    reading = Reading(kind, guessed=guessed, missing=("?", "-999"), decimal="," if comma else ".")
    array = pa.array(column, pa.string())
    fast, slow = typed(array, reading), _careful(array, reading)
    if kind == "string":
        assert fast.values.to_pylist() == [read_cell("string", cell, missing=("?", "-999")) for cell in column]
        return

    assert fast.values.to_pylist() == slow.values.to_pylist()
    assert (fast.wrong, fast.wider) == (slow.wrong, slow.wider)
    assert {row for rows in fast.changed.values() for row in rows} == {
        row for rows in slow.changed.values() for row in rows
    }
    if not guessed:
        assert [row not in fast.wrong for row in range(len(column))] == [_reads(kind, cell, reading) for cell in column]


def _reads(kind: str, cell: str, reading: Reading) -> bool:
    try:
        read_cell(kind, cell, missing=reading.missing, decimal=reading.decimal)
    except NotOfType:
        return False
    return True


@settings(max_examples=examples(100))
@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=12), st.sampled_from(KINDS))
def test_a_declared_type_reads_each_value_or_refuses_it_by_line(table: list[list[str]], kind: str) -> None:
    """And says in a warning what the declaration changes."""
    rules = [ColumnRule(name="a", type=kind, nullable=True), ColumnRule(name="b", type="string", nullable=True)]
    result, rows = ingest(as_csv(["a", "b"], table), rules)
    wrong = [cell for cell, _ in table if not _reads(kind, cell, Reading(kind))]
    changed = {cell: change_of(kind, cell) for cell, _ in table if _reads(kind, cell, Reading(kind))}

    if wrong:
        assert isinstance(result, Rejected)
        assert sum(v.rows for v in result.violations) == len(wrong)
        assert {value for v in result.violations for _, value in v.first} == set(wrong[:10])
    else:
        assert [row["a"] for row in rows] == [read_cell(kind, cell) for cell, _ in table]
        said = {w.message for w in result.warnings if w.check == "value_changed"}
        assert said == {change for cell, change in changed.items() if change and read_cell(kind, cell) is not None}


soup = st.text(st.sampled_from('ab1,"\r\n; \ufeff\u200bé'), max_size=40).map(str.encode) | st.binary(max_size=40)


@settings(max_examples=examples(150))
@given(soup)
def test_any_bytes_are_accepted_or_refused_with_a_reason(content: bytes) -> None:
    """No file makes anything but a version or a violation."""
    result, _ = ingest(content)
    assert isinstance(result, Accepted) or all(violation.message for violation in result.violations)


@settings(max_examples=examples(150))
@given(st.text(st.sampled_from('a1,"\r\n'), max_size=60), st.integers(32, 50))
def test_where_a_file_is_cut_does_not_matter(content: str, block: int) -> None:
    """Whatever the blocks: the same rows, or the same refusal, as in one."""
    data = ("h,i\n" + content).encode()
    told = []
    for size in (block, 1 << 20):
        with folder() as place:
            (place / "in").write_bytes(data)
            result = convert(place / "in", None, None, place / "out", Options(limits=Limits(block=size, line=1 << 12)))
            if isinstance(result, Accepted):
                told.append([pq.read_table(result.path).to_pylist(), [r.model_dump() for r in result.rules]])
            else:
                told.append([v.as_dict() for v in result.violations])
    assert told[0] == told[1]


@settings(max_examples=examples(150))
@given(st.text(st.sampled_from('a,"\r\n'), max_size=24))
def test_the_grammar_is_that_of_a_strict_reader(content: str) -> None:
    """What passes is read by Python's strict reader, too; what it refuses is refused."""
    data = content.encode()
    fault = extent(data, ",", last=True).fault
    try:
        rows = list(csv.reader(io.StringIO(content, newline="\n"), strict=True))
    except csv.Error:
        assert fault is not None
        return
    if fault is None:
        assert _by_arrow(data, rows) == [row for row in rows if row]


def _by_arrow(data: bytes, rows: list[list[str]]) -> list[list[str]]:
    """The file as Arrow reads it; ragged ones as Python does."""
    widths = {len(row) for row in rows if row}
    if len(widths) != 1:
        return [row for row in rows if row]
    names = [str(at) for at in range(widths.pop())]
    table = pacsv.read_csv(
        pa.BufferReader(data),
        pacsv.ReadOptions(column_names=names, use_threads=False),
        pacsv.ParseOptions(newlines_in_values=True),
        pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return [list(row.values()) for row in table.to_pylist()]


values = st.fixed_dictionaries(
    {
        "flag": st.none() | st.booleans(),
        "n": st.none() | st.integers(-(2**63), 2**63 - 1),
        "x": st.none() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        "t": st.none() | st.sampled_from(["a", "NA", "02134", "é", 'say "x"', "two\nlines"]),
        "at": st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    }
)
SCHEMA = pa.schema(
    [
        ("flag", pa.bool_()),
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("t", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
    ]
)
RULES = [
    ColumnRule(name=name, type=kind, nullable=True)
    for name, kind in zip(SCHEMA.names, ["boolean", "integer", "number", "string", "timestamp"], strict=True)
]


@settings(max_examples=examples(100))
@given(st.lists(values, min_size=1, max_size=10))
def test_csv_and_parquet_of_the_same_values_are_the_same_data(rows: list[dict[str, Any]]) -> None:
    """Value for value, under the same contract."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink)
    written = as_csv(SCHEMA.names, [[_written(row[name]) for name in SCHEMA.names] for row in rows])

    from_csv, one = ingest(written, RULES, WHOLE)
    from_parquet, other = ingest(sink.getvalue(), RULES, WHOLE)

    assert isinstance(from_csv, Accepted), [v.as_dict() for v in from_csv.violations]
    assert isinstance(from_parquet, Accepted)
    assert one == other == rows
    assert [*from_csv.warnings] == [*from_parquet.warnings] == []
    assert {n: c.as_dict() for n, c in from_csv.profile.items()} == {
        n: c.as_dict() for n, c in from_parquet.profile.items()
    }


def _written(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


NANOSECONDS = pa.array([1711852200123456789, 0], pa.timestamp("ns"))
BOTH = [
    ("number", ["1.5", "inf"], pa.array([1.5, float("inf")])),
    ("integer", ["1", "9223372036854775808"], pa.array([1, 2**63], pa.uint64())),
    ("number", ["1", "9007199254740993"], pa.array([1, 2**53 + 1])),
    ("timestamp", ["2024-03-31T02:30:00.123456789", "2024-03-31"], NANOSECONDS),
    ("number", ["0.1234567890123456789", "1"], pa.array([Decimal("0.1234567890123456789"), Decimal(1)])),
    ("number", ["-999", "1"], pa.array([-999.0, 1.0])),
    ("integer", ["-999", "1"], pa.array([-999, 1])),
    ("string", ["?", "a"], pa.array(["?", "a"])),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "texts", "column"), BOTH)
@pytest.mark.parametrize("missing", [(), ("-999", "?", "inf")])
def test_both_formats_follow_the_same_rules(
    kind: str, texts: list[str], column: pa.Array, missing: tuple[str, ...]
) -> None:
    """What is refused in one is refused in the other, what is missing, cut or rounded, too, and both say so."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"v": column}), sink)
    rules = [ColumnRule(name="v", type=kind, nullable=True)]

    (one, rows), (other, as_rows) = (
        ingest(content, rules, missing=missing) for content in (as_csv(["v"], [[t] for t in texts]), sink.getvalue())
    )

    assert type(one) is type(other)
    if isinstance(one, Accepted):
        assert rows[0] == as_rows[0]
        assert [(w.check, w.rows) for w in one.warnings] == [(w.check, w.rows) for w in other.warnings]
    else:
        assert [(v.check, v.message, v.rows) for v in one.violations] == [
            (v.check, v.message, v.rows) for v in other.violations
        ]
