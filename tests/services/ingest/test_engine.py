"""Files to validated Parquet: what is accepted is exactly what was there; what is refused is named by line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.contracts import ColumnRule
from headrace.ingest.engine import Accepted, Options, Rejected, Stopped, convert
from headrace.ingest.sources.blocks import Limits

Convert = Callable[..., Accepted | Rejected]
SMALL = Options(limits=Limits(block=1 << 10, line=1 << 9), row_group=100)


@pytest.fixture
def ingest(tmp_path: Path) -> Convert:
    """Write a file and convert it."""

    def run(
        content: str | bytes, rules: Sequence[ColumnRule] | None = None, options: Options = SMALL, form: str = "csv"
    ) -> Accepted | Rejected:
        path = tmp_path / "in"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return convert(path, form, rules, tmp_path / "out.parquet", options)

    return run


def rule(name: str, kind: str = "string", **promises: Any) -> ColumnRule:
    """A rule; values may be missing unless it says otherwise."""
    return ColumnRule(name=name, type=kind, **{"nullable": True, **promises})


def rows(result: Accepted | Rejected) -> list[dict[str, Any]]:
    """The rows of the Parquet file."""
    assert isinstance(result, Accepted), [v.as_dict() for v in result.violations]
    found: list[dict[str, Any]] = pq.read_table(result.path).to_pylist()
    return found


def found(result: Accepted | Rejected) -> dict[tuple[str, str | None], Any]:
    """Violations by check and column: rows and the first lines with their values."""
    assert isinstance(result, Rejected)
    assert not list(Path().glob("out.parquet"))
    return {(v.check, v.column): (v.rows, v.first) for v in result.violations}


def message(result: Accepted | Rejected) -> str:
    """The first violation's message."""
    assert isinstance(result, Rejected)
    first: str = next(iter(result.violations)).message
    return first


def kinds(result: Accepted | Rejected) -> dict[str, tuple[str, bool]]:
    """Type and nullability of each rule in force."""
    assert isinstance(result, Accepted)
    return {r.name: (r.type, r.nullable) for r in result.rules}


# Accepted


def test_values_arrive_as_they_were(ingest: Convert) -> None:
    """Every type, quotes, commas and line ends inside values, and missing values."""
    result = ingest(
        'flag,n,x,text,at\ntrue,1,0.5,"a, ""b""\nc",2026-01-01T00:00:00Z\nfalse,-9007199254740993,NA,,2026-01-02\n'
    )

    assert kinds(result) == {
        "flag": ("boolean", False),
        "n": ("integer", False),
        "x": ("number", True),
        "text": ("string", True),
        "at": ("timestamp", False),
    }
    assert rows(result) == [
        {"flag": True, "n": 1, "x": 0.5, "text": 'a, "b"\nc', "at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"flag": False, "n": -9007199254740993, "x": None, "text": None, "at": datetime(2026, 1, 2, tzinfo=UTC)},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_byte_order_marks_do_not_matter(ingest: Convert, end: str, mark: bytes, last: bool) -> None:
    """Windows or Unix lines, a UTF-8 mark or none, a last line end or none: the same rows."""
    text = end.join(["a,b", "1,x", "2,y"]) + (end if last else "")
    assert rows(ingest(mark + text.encode())) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_a_file_of_many_blocks_keeps_its_order(ingest: Convert) -> None:
    """Blocks are parsed by several threads, and written in the order of the file."""
    lines = [f'{i},"text, with a comma and\na line end {i}"' for i in range(2000)]
    result = ingest("id,text\n" + "\n".join(lines))

    assert [row["id"] for row in rows(result)] == list(range(2000))
    assert rows(result)[1999]["text"] == "text, with a comma and\na line end 1999"


def test_columns_come_in_the_contracts_order(ingest: Convert) -> None:
    """The order in the file is the deliverer's; the order in the data set is the contract's."""
    result = ingest("b,a\n1,2\n", [rule("a", "integer"), rule("b", "integer")])
    assert list(rows(result)[0].items()) == [("a", 2), ("b", 1)]


def test_quotes_inside_plain_values_are_text(ingest: Convert) -> None:
    """A lone quote in a value that does not begin with one opens nothing."""
    text = "size,n\n" + '5" pipe,1\n' + "plain,2\n" * 2000
    assert rows(ingest(text))[:2] == [{"size": '5" pipe', "n": 1}, {"size": "plain", "n": 2}]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", "3.5"], "number"),
        (["1", "x"], "string"),
        (["true", "1"], "string"),
        (["", "NA"], "string"),
        (["", "7"], "integer"),
        (["9223372036854775807", "1"], "integer"),
        (["9223372036854775808", "1"], "string"),
        (["123456789012345678901234567890", "1"], "string"),
        (["2026-01-01", "2026-01-01T10:00:00+02:00"], "timestamp"),
        (["20260101", "3"], "integer"),
        (["1e3", "2"], "number"),
        (["1.5", "12345678901234567"], "string"),
        (["02134", "10001"], "string"),
        (["+49170123456", "1"], "string"),
        (["tRue", "false"], "string"),
    ],
)
def test_types_are_inferred_without_losing_a_digit(ingest: Convert, values: list[str], kind: str) -> None:
    """The narrowest type that holds every value; integers beyond 64 bits stay text."""
    result = ingest("v,w\n" + "".join(f"{value},x\n" for value in values))
    assert kinds(result)["v"][0] == kind


def test_a_type_found_too_narrow_late_is_widened(ingest: Convert) -> None:
    """Inference looks at samples; a value that contradicts it, wherever it stands, only costs another pass."""
    text = "a,b\n" + "1,2026-01-01\n" * 60_000 + "1.5,later\n" + "2,2026-01-01\n" * 40_000
    result = ingest(text, options=Options())

    assert kinds(result) == {"a": ("number", False), "b": ("string", False)}
    assert len(rows(result)) == 100_001


def test_a_column_whose_values_come_late_gets_their_type(ingest: Convert) -> None:
    """A column that begins with many missing values is not text for that."""
    late = ingest("a,b\n" + "1,\n" * 40_000 + "1,7\n" + "1,\n" * 40_000, options=Options())
    assert kinds(late)["b"] == ("integer", True)
    assert rows(late)[40_000] == {"a": 1, "b": 7}


def test_times_with_and_without_offsets_mix(ingest: Convert) -> None:
    """Each is read on its own: without an offset a time is UTC."""
    result = ingest("at\n2026-01-01T10:00:00\n2026-01-01 10:00:00+02:00\n2026-01-01T10:00:00.250Z\n")
    assert [row["at"] for row in rows(result)] == [
        datetime(2026, 1, 1, 10, tzinfo=UTC),
        datetime(2026, 1, 1, 8, tzinfo=UTC),
        datetime(2026, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC),
    ]


def test_a_country_code_is_not_a_missing_value(ingest: Convert) -> None:
    """`NA` is missing among numbers, and Namibia among texts."""
    assert rows(ingest("country,n\nNA,1\nDE,NA\n")) == [{"country": "NA", "n": 1}, {"country": "DE", "n": None}]


# Rejected


def test_a_missing_and_an_extra_column_are_named(ingest: Convert) -> None:
    """Both at once, and what the file has instead."""
    result = ingest("a,c\n1,2\n", [rule("a", "integer"), rule("b", "integer")])
    assert set(found(result)) == {("missing_column_check", "b"), ("extra_column_check", "c")}
    assert message(result) == "the contract's column 'b' is missing; the file has c"


def test_wrong_types_are_named_by_line_and_value(ingest: Convert) -> None:
    """Each column apart, with lines counted as an editor does, also behind values that span lines."""
    text = 'text,n,at\n"two\nlines",1,2026-01-01\nx,one,2026-01-01\n\nx,2.5,2026-02-30\nx,99999999999999999999,\n'
    result = ingest(text, [rule("text"), rule("n", "integer", nullable=False), rule("at", "timestamp")])

    assert found(result) == {
        ("data_type_check", "n"): (3, [(4, "one"), (6, "2.5"), (7, "99999999999999999999")]),
        ("data_type_check", "at"): (1, [(6, "2026-02-30")]),
    }


@pytest.mark.parametrize(
    ("kind", "value"),
    [("boolean", "yes"), ("number", "1,5"), ("number", "inf"), ("number", "1_000"), ("timestamp", "1/2/2026")],
)
def test_no_value_is_guessed(ingest: Convert, kind: str, value: str) -> None:
    """A spelling that is not the type's is refused rather than bent."""
    assert ("data_type_check", "v") in found(ingest(f'v,w\n"{value}",1\n', [rule("v", kind), rule("w")]))


def test_a_missing_value_is_named_where_none_may_be(ingest: Convert) -> None:
    """Completeness, by line."""
    result = ingest("a,b\n1,x\n,y\n2,\n", [rule("a", "integer", nullable=False), rule("b", nullable=False)])
    assert found(result) == {
        ("completeness_check", "a"): (1, [(3, None)]),
        ("completeness_check", "b"): (1, [(4, None)]),
    }


def test_values_outside_limits_and_lists_are_named(ingest: Convert) -> None:
    """Range and categories."""
    rules = [rule("n", "number", minimum=0, maximum=10), rule("c", allowed=["a", "b"])]
    result = ingest("n,c\n1,a\n-1,b\n11,z\n,\n", rules)
    assert isinstance(result, Rejected)
    assert [(v.check, v.message, v.first) for v in result.violations] == [
        ("range_check", "below the minimum 0", [(3, "-1.0")]),
        ("range_check", "above the maximum 10", [(4, "11.0")]),
        ("categorical_values_check", "not among the allowed values: a, b", [(4, "z")]),
    ]


def test_allowed_values_of_an_integer_column(ingest: Convert) -> None:
    """A label of 0 or 1."""
    rules = [rule("late", "integer", allowed=["0", "1"])]
    assert rows(ingest("late\n0\n1\n", rules))
    assert found(ingest("late\n0\n2\n", rules)) == {("categorical_values_check", "late"): (1, [(3, "2")])}


@pytest.mark.parametrize(
    ("kind", "values"),
    [("integer", ["1", "2", "1"]), ("string", ["a", "b", "a"]), ("number", ["0.0", "1", "-0.0"])],
)
def test_a_repeated_value_is_named_by_its_second_line(ingest: Convert, kind: str, values: list[str]) -> None:
    """Unique over the whole file, whatever the blocks."""
    filler = [str(i) for i in range(1000, 3000)]
    text = "v\n" + "\n".join([values[0], values[1], *filler, values[2]])
    result = ingest(text, [rule("v", kind, unique=True)])
    assert [(c, n, lines[0][0]) for (c, _), (n, lines) in found(result).items()] == [("unique_check", 1, 2004)]


def test_unique_values_may_be_missing_more_than_once(ingest: Convert) -> None:
    """A missing value equals nothing."""
    assert len(rows(ingest("v,w\n,1\n,2\n1,3\n", [rule("v", "integer", unique=True), rule("w")]))) == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b", "a header and no rows"),
        (b"a,b,a\n1,2,3\n", "names 'a' more than once (columns 1, 3)"),
        (b"a,,c\n1,2,3\n", "column 2 of the header has no name"),
        (b"a;b\n1;2\n", "declare it in the contract, dialect: {delimiter: ';'}"),
        (b"\xff\xfea\x00", "the file is UTF-16; save it as UTF-8"),
        (b"a\x00b\x00\n\x001\x00", "UTF-16 (little-endian, without a byte order mark)"),
        (b"a\nok\ncaf\xe9\n", "byte 0xe9 at position 4 of line 3 (byte 8 of the file) is not UTF-8"),
        (b"a\nok\n\0\n", "line 3 holds a NUL byte (byte 5 of the file)"),
        (b'a,b\n1,"x\n2,y\n', "line 2 (byte 6 of the file): a quoted value that is never closed"),
        (b"id,v\r1,2\r3,4\r", "line 1 (byte 4 of the file): a carriage return (CR) without a line feed"),
        (b"a,b\n1,2\r3,4\n5,6\n", "line 2 (byte 7 of the file): a carriage return (CR) without a line feed"),
        (b'a,b\n"x"y,2\n', "line 2 (byte 7 of the file): text behind the quote that ends a value"),
        (b"a\xe2\x80\x8bb,c\n1,2\n", "an invisible character at position 2: U+200B (ZERO WIDTH SPACE)"),
        (
            b"a,Headrace:prediction\n1,2\n",
            "the name 'Headrace:prediction' begins with 'headrace:'",
        ),
        (b",a\n0,1\n", "column 1 of the header has no name; pandas writes its row index so"),
        ("cafe\u0301,caf\u00e9\n1,2\n".encode(), "names 'caf\u00e9' more than once (columns 1, 2)"),
        (b"a\n1\n" + b"x" * 600 + b"\n", "line 3 is longer than"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(ingest: Convert, content: bytes, says: str) -> None:
    """Each fault of the file itself says what it is, where, and what would be right."""
    assert says in message(ingest(content))


def test_ragged_rows_are_named(ingest: Convert) -> None:
    """Too few and too many values."""
    result = ingest("a,b\n1,2\n3\n4,5,6\n", [rule("a", "integer"), rule("b", "integer")])
    assert isinstance(result, Rejected)
    assert [(v.message, v.first) for v in result.violations] == [
        ("expected 2 values, found 1", [(3, "3")]),
        ("expected 2 values, found 3", [(4, "4,5,6")]),
    ]


def test_a_line_without_end_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    """A line of a gigabyte (here: a sparse file of it) is refused after the first few megabytes."""
    path = tmp_path / "endless.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n1,")
        file.write(b"x" * (6 << 20))
        file.truncate(1 << 30)

    result = convert(path, "csv", None, tmp_path / "out", Options())

    assert message(result) == "line 2 is longer than 4 MiB"


def test_a_quoted_value_without_end_is_refused_in_bounded_memory(ingest: Convert) -> None:
    """The rest of the file does not become one value."""
    result = ingest('a,b\n1,"open\n' + "2,3\n" * 5000)
    assert "opens in the record of line 2 is not closed" in message(result)


def test_only_the_first_rows_are_named_and_all_are_counted(ingest: Convert) -> None:
    """A thousand faults make one violation, ten lines and the number."""
    result = ingest("n\n" + "x\n" * 1000, [rule("n", "integer")])
    count, first = found(result)[("data_type_check", "n")]
    assert (count, len(first), first[9]) == (1000, 10, (11, "x"))


def test_a_hopeless_file_is_not_read_to_the_end(ingest: Convert) -> None:
    """Behind ten thousand faults there is nothing more to learn."""
    options = Options(limits=Limits(block=1 << 10, line=1 << 9), give_up=100)
    result = ingest("n\n" + "x\n" * 100_000, [rule("n", "integer")], options)
    assert isinstance(result, Rejected)
    assert 100 < result.rows < 10_000


def test_a_long_value_is_cut_in_messages(ingest: Convert) -> None:
    """Nobody wants a megabyte in an error."""
    result = ingest("n\n" + "x" * 400 + "\n", [rule("n", "integer")])
    assert found(result)[("data_type_check", "n")][1][0][1] == "x" * 120 + "... (400 characters)"


def test_nothing_is_left_of_a_rejected_file(ingest: Convert, tmp_path: Path) -> None:
    """Whole or not at all: a fault in the last line leaves no Parquet behind."""
    result = ingest("n\n" + "1\n" * 5000 + "x\n", [rule("n", "integer")])
    assert isinstance(result, Rejected)
    assert not (tmp_path / "out.parquet").exists()


def test_a_conversion_can_be_stopped(tmp_path: Path) -> None:
    """A service that stops does not wait for a long file."""
    (tmp_path / "in").write_text("a\n1\n")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        convert(tmp_path / "in", "csv", None, tmp_path / "out", SMALL, stop)


# Parquet


@pytest.fixture
def parquet(tmp_path: Path, ingest: Convert) -> Callable[..., Accepted | Rejected]:
    """Write columns as Parquet and convert them."""

    def run(columns: dict[str, pa.Array], rules: Sequence[ColumnRule] | None = None) -> Accepted | Rejected:
        pq.write_table(pa.table(columns), tmp_path / "table.parquet")
        return ingest((tmp_path / "table.parquet").read_bytes(), rules, form="parquet")

    return run


def test_parquet_is_taken_over_in_the_contracts_types(parquet: Callable[..., Accepted | Rejected]) -> None:
    """Narrow integers, dates, dictionaries and naive times become the five types, value for value."""
    result = parquet(
        {
            "n": pa.array([1, None], pa.int8()),
            "x": pa.array([1.5, float("nan")], pa.float32()),
            "d": pa.array([datetime(2026, 1, 1), None], pa.timestamp("ms")),
            "c": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    assert rows(result) == [
        {"n": 1, "x": 1.5, "d": datetime(2026, 1, 1, tzinfo=UTC), "c": "a"},
        {"n": None, "x": None, "d": None, "c": "b"},
    ]


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        (pa.array(["x"]), "integer", "the file has string, the contract integer"),
        (pa.array([2**63], pa.uint64()), "integer", "not an integer of 64 bits"),
        (pa.array([float("inf")]), "number", "an infinity is no number"),
        (pa.array([[1]]), "string", "the file has list"),
    ],
)
def test_parquet_of_other_types_is_refused(
    parquet: Callable[..., Accepted | Rejected], column: pa.Array, kind: str, says: str
) -> None:
    """Types are compared, not guessed."""
    assert says in message(parquet({"v": column}, [rule("v", kind)]))


def test_parquet_rows_are_named_by_number(parquet: Callable[..., Accepted | Rejected]) -> None:
    """There are no lines; rows count from one."""
    result = parquet({"v": pa.array([1, None, 3])}, [rule("v", "integer", nullable=False)])
    assert found(result) == {("completeness_check", "v"): (1, [(2, None)])}


@pytest.mark.parametrize("content", [b"PAR1 not really", b""])
def test_broken_parquet_is_refused(ingest: Convert, content: bytes) -> None:
    """A torn file is refused at once."""
    assert "not a readable Parquet file" in message(ingest(content, form="parquet"))


def test_empty_parquet_is_refused(parquet: Callable[..., Accepted | Rejected]) -> None:
    """No rows, no version."""
    assert message(parquet({"v": pa.array([], pa.int64())})) == "the file has no rows"


def test_parquet_with_a_column_of_our_own_is_refused(parquet: Callable[..., Accepted | Rejected]) -> None:
    """Else the data would be taken for the model's answers."""
    assert "column 1: the name 'headrace:prediction' begins with" in message(
        parquet({"headrace:prediction": pa.array([0.5])})
    )


def test_nested_parquet_cannot_be_inferred(parquet: Callable[..., Accepted | Rejected]) -> None:
    """Lists and structs are no columns of a data set."""
    assert "cannot be stored" in message(parquet({"v": pa.array([[1]])}))
