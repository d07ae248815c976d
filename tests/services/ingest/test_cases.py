"""Situations that people met with other suites, each standing for a kind: what is right, in both formats of files."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.contracts import ColumnRule
from headrace.ingest.engine import Accepted, Options, Rejected, convert
from headrace.ingest.reading import Wording


@pytest.fixture
def take(tmp_path: Path) -> Any:
    """Write a file and convert it."""

    def run(content: str | bytes | pa.Table, rules: list[ColumnRule] | None = None, **wording: Any) -> Any:
        if isinstance(content, pa.Table):
            sink = io.BytesIO()
            pq.write_table(content, sink)
            content = sink.getvalue()
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "in").write_bytes(data)
        return convert(tmp_path / "in", None, rules, tmp_path / "out", Options(), wording=Wording(**wording))

    return run


def rows(result: Accepted | Rejected) -> list[dict[str, Any]]:
    """The rows of an accepted file."""
    assert isinstance(result, Accepted), [v.as_dict() for v in result.violations]
    found: list[dict[str, Any]] = pq.read_table(result.path).to_pylist()
    return found


def kinds(result: Accepted | Rejected) -> dict[str, str]:
    """The type of each column."""
    assert isinstance(result, Accepted), [v.as_dict() for v in result.violations]
    return {rule.name: str(rule.type) for rule in result.rules}


def told(result: Accepted | Rejected) -> dict[tuple[str, str | None], str]:
    """Warnings or violations, by check and column."""
    noted = result.warnings if isinstance(result, Accepted) else result.violations
    return {(each.check, each.column): each.message for each in noted}


def test_leading_zeros_stay(take: Any) -> None:
    """Postal codes, account numbers and telephone numbers are text unless they are declared numbers, which is said."""
    content = "zip,phone,y\n02134,+49170,0\n10001,+49171,1\n"
    result = take(content)
    assert rows(result)[0] == {"zip": "02134", "phone": "+49170", "y": 0}
    assert set(told(result)) == {("kept_as_text", "zip"), ("kept_as_text", "phone")}

    rules = [ColumnRule(name=name, type="integer", nullable=False) for name in ("zip", "phone", "y")]
    declared = take(content, rules)
    assert rows(declared)[0] == {"zip": 2134, "phone": 49170, "y": 0}
    assert told(declared)[("value_changed", "zip")] == "leading zeros or plus signs are lost"


def test_a_late_zero_makes_a_column_text(take: Any) -> None:
    """However many numbers stand before it, none of them is changed."""
    result = take("id,n\n" + "1,1\n" * 50_000 + "007,1\n" + "1,1\n" * 50_000)
    assert kinds(result)["id"] == "string"
    assert rows(result)[50_000]["id"] == "007"


def test_a_row_index_of_pandas_is_dropped_and_said(take: Any) -> None:
    """It tells where a row stands, in Parquet and in CSV, and sorted data then tell their target."""
    index = pa.table({"x": [0.5, 0.7], "y": [0, 1], "__index_level_0__": [3, 9]})
    result = take(index)
    assert [*rows(result)[0]] == ["x", "y"]
    assert ("column_dropped", "__index_level_0__") in told(result)
    assert ("column_dropped", "Unnamed: 0") in told(take("Unnamed: 0,x\n0,1\n1,2\n"))

    named = [ColumnRule(name=name, type="number", nullable=True) for name in index.column_names]
    assert rows(take(index, named))[1]["__index_level_0__"] == 9


@pytest.mark.parametrize(
    ("texts", "time_format", "first"),
    [
        (["31/12/2024", "01/01/2025"], "%d/%m/%Y", datetime(2024, 12, 31, tzinfo=UTC)),
        (["Jan 2024", "Feb 2024"], "%b %Y", datetime(2024, 1, 1, tzinfo=UTC)),
        (["2024-W5", "2024-W12"], "%G-W%V", datetime(2024, 1, 29, tzinfo=UTC)),
    ],
)
def test_times_of_other_formats_are_declared(take: Any, texts: list[str], time_format: str, first: datetime) -> None:
    """As text they are kept, and the format to declare is named; declared, they are times, in both formats of files."""
    content = "day,y\n" + "".join(f"{text},1\n" for text in texts)
    guessed = take(content)
    assert kinds(guessed)["day"] == "string"
    assert f"formats: {{day: {time_format!r}}}" in told(guessed)[("kept_as_text", "day")]

    declared = take(content, formats={"day": time_format})
    assert rows(declared)[0]["day"] == first
    rule = next(rule for rule in declared.rules if rule.name == "day")
    assert (rule.type, rule.format) == ("timestamp", time_format)
    table = pa.table({"day": texts, "y": [1, 1]})
    assert rows(take(table, declared.rules))[0]["day"] == first
    assert (
        "formats"
        in told(take(content, [ColumnRule(name="day", type="timestamp", nullable=False), declared.rules[1]]))[
            ("data_type_check", "day")
        ]
    )


def test_nanoseconds_are_cut_in_both_formats_and_said(take: Any) -> None:
    """To microseconds, which is what is stored."""
    text = take("t\n2024-03-31T02:30:00.123456789\n")
    table = take(pa.table({"t": pa.array([1711852200123456789], pa.timestamp("ns"))}))
    assert rows(text) == rows(table) == [{"t": datetime(2024, 3, 31, 2, 30, 0, 123456, UTC)}]
    assert told(text) == told(table) == {("value_changed", "t"): "what is finer than microseconds is cut"}


@pytest.mark.parametrize("token", ["?", "-", "n/a"])
def test_a_word_for_missing_values_is_suggested_and_declared(take: Any, token: str) -> None:
    """A column that only one word makes text says so; declared, it is a column of numbers; refused, it is named."""
    content = f"hp,w\n{token},1500\n61,1503\n70,1\n85,2\n"
    assert f"missing: [{token!r}]" in told(take(content))[("missing_suspected", "hp")]
    assert [row["hp"] for row in rows(take(content, missing=(token,)))] == [None, 61, 70, 85]
    rules = [ColumnRule(name=name, type="integer", nullable=True) for name in ("hp", "w")]
    assert f"missing: [{token!r}]" in told(take(content, rules))[("data_type_check", "hp")]


def test_a_number_for_missing_values_is_suggested_and_declared(take: Any) -> None:
    """-999 among temperatures, in both formats, however it is written."""
    content = "t,y\n-999,1\n20.5,1\n-999,0\n18,0\n"
    assert told(take(content))[("missing_suspected", "t")].startswith("-999 stands apart")
    table = pa.table({"t": [-999.0, 20.5, -999.0, 18.0], "y": [1, 1, 0, 0]})
    assert rows(take(content, missing=("-999",))) == rows(take(table, missing=("-999",)))
    assert rows(take(table, missing=("-999",)))[0] == {"t": None, "y": 1}


def test_names_that_look_alike_are_one(take: Any) -> None:
    """Composed and decomposed accents, in file and contract and in both formats; invisible characters are named."""
    rules = [ColumnRule(name="caf\u00e9", type="integer", nullable=False)]
    assert (
        rows(take("cafe\u0301\n1\n", rules)) == rows(take(pa.table({"cafe\u0301": [1]}), rules)) == [{"caf\u00e9": 1}]
    )
    assert ("column_renamed", "caf\u00e9") in told(take("cafe\u0301\n1\n"))
    for content in ("a\u200b,b\n1,2\n", "\ufeff\ufeffa,b\n1,2\n", pa.table({"a\u200b": [1]})):
        (message,) = told(take(content)).values()
        assert "invisible character" in message
        assert "U+200B" in message or "U+FEFF" in message
        assert "\\u" in message
        assert "\\\\u" not in message


def test_an_infinity_is_refused_in_both_formats(take: Any) -> None:
    """With its place and what to declare; the column does not become text for it."""
    text, table = take("r,y\n1.5,0\ninf,1\n2.5,0\n"), take(pa.table({"r": [1.5, np.inf, 2.5], "y": [0, 1, 0]}))
    assert told(text) == told(table)
    assert "missing: ['inf']" in told(text)[("data_type_check", "r")]
    assert rows(take("r\n1.5\ninf\n", missing=("inf",)))[1]["r"] is None


def test_names_with_commas_are_counted_rightly(take: Any) -> None:
    """1,100 quoted questions are 1,100 columns."""
    names = [f"Q{at}: how often, if ever, did you, or anyone else, call us?" for at in range(1100)]
    content = ",".join(f'"{name}"' for name in names) + "\n" + ",".join(["1"] * 1100) + "\n"
    assert [*kinds(take(content))] == names


def test_blank_lines_in_front_are_no_header(take: Any) -> None:
    """And lines are still counted as an editor does."""
    assert rows(take("\n\na,b\n1,2\n")) == [{"a": 1, "b": 2}]
    rules = [ColumnRule(name=name, type="integer", nullable=False) for name in "ab"]
    refused = take("\n\na,b\n1,2\nx,2\n", rules)
    assert next(iter(refused.violations)).first == [(5, "x")]


def test_large_labels_are_exact(take: Any) -> None:
    """17 digits are an integer, and text beside numbers that would round them."""
    assert rows(take("y\n20240101000000001\n20240101000000002\n"))[0]["y"] == 20240101000000001
    assert rows(take("y\n20240101000000001\n0.5\n"))[0]["y"] == "20240101000000001"


def test_text_of_many_values_is_said(take: Any) -> None:
    """400 different texts are hardly categories; a hundred may be."""
    many = take("c,y\n" + "".join(f"c{at},1\n" for at in range(400)))
    assert "text of 400 different values" in told(many)[("many_categories", "c")]
    assert told(take("c,y\n" + "".join(f"c{at % 100},1\n" for at in range(400)))) == {}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"\xff".decode("latin-1"), "x\0y"]),
        pa.array([-(2**62), 2**62], pa.timestamp("us")),
        pa.array([2**63, 1], pa.uint64()),
        pa.array([b"ab", b"c"]),
        pa.array([1e308, -1e308]),
        pa.array([None, None]),
        pa.array([None, None], pa.float64()),
        pa.array([0, 1], pa.duration("s")),
        pa.array([0, 1], pa.date64()),
        pa.array(np.array([1, 2], np.float16)),
    ],
)
def test_no_parquet_column_breaks_anything(take: Any, column: pa.Array) -> None:
    """Each is stored as it is, or refused with its reason."""
    result = take(pa.table({"v": column, "y": [0, 1]}))
    assert isinstance(result, Accepted) or all(told(result).values())


def test_text_that_is_no_utf8_is_refused_in_parquet_too(take: Any) -> None:
    """As it is in CSV."""
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    assert "not UTF-8" in told(take(pa.table({"v": broken})))[("encoding_check", "v")]
