"""Rows of files in every form, against independent readers: Python's csv and json modules and pyarrow."""

import csv
import gzip
import io
import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.client import HeadraceError
from headrace.client.rows import BATCH, Row, in_batches, opened, read, typed
from headrace.client.rows import given as given_rows
from headrace.contracts.cells import BOOLEAN, EXPECTED, INTEGER, NUMBER, STRING, NotOfType
from headrace.testkit.examples import examples

KINDS = {"text": STRING, "whole": INTEGER, "real": NUMBER, "flag": BOOLEAN}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=12)
VALUES = st.fixed_dictionaries(
    {
        "text": TEXT.filter(bool) | st.none(),
        "whole": st.integers(-(2**63), 2**63 - 1) | st.none(),
        "real": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        "flag": st.booleans() | st.none(),
    }
)
TABLES = st.lists(VALUES, min_size=1, max_size=6)


def rows(raw: bytes, kinds: dict[str, str] | None = None) -> list[tuple[str, Any]]:
    """Place and values of each row that is read."""
    return [(row.place, row.values) for row in read(io.BytesIO(raw), KINDS if kinds is None else kinds, "file")]


def as_csv(table: list[dict[str, Any]]) -> bytes:
    """As Python's own writer writes it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(KINDS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: repr(v) if type(v) is float else v for name, v in row.items()} for row in table)
    return text.getvalue().encode()


def as_lines(table: list[dict[str, Any]]) -> bytes:
    """One JSON object a line."""
    return "\n".join(map(json.dumps, table)).encode()


def as_list(table: list[dict[str, Any]]) -> bytes:
    """One JSON list."""
    return json.dumps(table, indent=1).encode()


def as_parquet(table: list[dict[str, Any]]) -> bytes:
    """As pyarrow writes it."""
    types = {"text": pa.string(), "whole": pa.int64(), "real": pa.float64(), "flag": pa.bool_()}
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table, pa.schema(types.items())), file)
    return file.getvalue()


FORMS: dict[str, tuple[Callable[[list[dict[str, Any]]], bytes], str]] = {
    "csv": (as_csv, "line"),
    "json lines": (as_lines, "line"),
    "json list": (as_list, "row"),
    "parquet": (as_parquet, "row"),
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=examples(15))
@given(TABLES, st.booleans())
def test_every_form_gives_the_values_that_were_written(form: str, table: list[dict[str, Any]], packed: bool) -> None:
    """Whatever writer wrote it, plain or gzip: the same values of the same types, in order."""
    raw = FORMS[form][0](table)

    found = rows(gzip.compress(raw) if packed else raw)

    assert [values for _, values in found] == table
    for (_, values), row in zip(found, table, strict=True):
        assert {name: type(value) for name, value in values.items()} == {name: type(row[name]) for name in KINDS}


@pytest.mark.parametrize(("form", "first"), [("csv", 2), ("json lines", 1), ("json list", 1), ("parquet", 1)])
def test_a_row_says_where_it_stands(form: str, first: int) -> None:
    """By its line where there are lines, else by its number."""
    write, called = FORMS[form]
    table = [{"text": "a", "whole": at, "real": 0.5, "flag": True} for at in range(3)]

    assert [place for place, _ in rows(write(table))] == [f"{called} {at}" for at in range(first, first + 3)]


def test_a_quoted_cell_of_several_lines_counts_them() -> None:
    """A row stands on the line that it ends on."""
    assert rows(b'text,whole\n"a\nb",1\nc,2\n') == [
        ("line 3", {"text": "a\nb", "whole": 1}),
        ("line 4", {"text": "c", "whole": 2}),
    ]


def test_parquet_is_read_batch_by_batch() -> None:
    """The number of a row goes on from one batch to the next."""
    file = io.BytesIO()
    pq.write_table(pa.table({"whole": list(range(BATCH + 2))}), file)

    found = rows(file.getvalue())

    assert len(found) == BATCH + 2
    assert found[-1] == (f"row {BATCH + 2}", {"whole": BATCH + 1})


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'\n\n{"whole": 1}\n\n{"whole": 2}\n', [("line 3", {"whole": 1}), ("line 5", {"whole": 2})]),
        (b'{"whole": 1}\n \n', [("line 1", {"whole": 1})]),
        (b'{\n"whole": 1,\n"text": "a"}', [("line 1", {"whole": 1, "text": "a"})]),
        (b'\n{\n"whole": 1}', [("line 2", {"whole": 1})]),
        (b"[]", []),
        (b"\xef\xbb\xbf[]", []),
        (b'\xef\xbb\xbf {"whole": 1}', [("line 1", {"whole": 1})]),
        (b"\xef\xbb\xbfwhole\n1", [("line 2", {"whole": 1})]),
        (b"whole,other\n1,02\n", [("line 2", {"whole": 1, "other": "02"})]),
        (b'[{"other": {"a": 1}}]', [("row 1", {"other": {"a": 1}})]),
        (b"whole\n1\n\n\n", [("line 2", {"whole": 1})]),
        (b"whole\n", []),
    ],
)
def test_blank_lines_and_byte_order_marks_are_no_rows(raw: bytes, found: list[Any]) -> None:
    """And a column that the model does not know is passed on as it is."""
    assert rows(raw) == found


WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the first line must name the columns, and is empty"),
    "a list of numbers": (b"[1, 2]", "row 1 is no object with a value for each column, but '1'"),
    "a later line that is a list": (
        b'{"whole": 1}\n[2]',
        r"line 2 is no object with a value for each column, but '\[2\]'",
    ),
    "a line that is no JSON": (b'{"whole": 1}\n{"whole": 2\n', "line 2 is not JSON: "),
    "half an object": (b'{"whole": 1', "Expecting"),
    "half a list": (b'[{"whole": 1}', "Expecting"),
    "a value of another type": (b'{"whole": 1}\n{"whole": "x"}', "line 2, column 'whole': 'x' is not an integer"),
    "a cell of another type": (b"whole\n1\nx\n", "line 3, column 'whole': 'x' is not an integer of 64 bits"),
    "a cell too many": (b"whole\n1,2\n", "line 2 has 2 values; a row has 1: whole"),
    "a column twice": (b"whole,whole\n1,2\n", "column 'whole' is given twice"),
    "an integer of 400 digits": (
        b'{"whole": ' + b"1" * 400 + b"}",
        "line 1, column 'whole': '1{40}' is not an integer",
    ),
    "a number of 400 digits": (b'[{"real": ' + b"1" * 400 + b"}]", "row 1, column 'real': '1{40}' is not a finite"),
    "a number for text": (b'[{"text": 7}]', "row 1, column 'text': '7' is a number, and the column is text"),
    "nested too deep": (b'{"whole": ' + b"[" * 99_999, "too deep to be read"),
    "a list nested too deep": (b"[" * 99_999, "too deep to be read"),
    "no UTF-8": (b"whole\n\xff\n", "codec can't decode byte 0xff"),
    "half a gzip file": (gzip.compress(b"whole\n1\n")[:-4], "ended before"),
    "a damaged gzip file": (gzip.compress(b"whole\n1\n")[:12] + b"\xff" * 20, "^file: "),
    "no gzip at all": (b"\x1f\x8b\x00\x00", "^file: "),
    "no Parquet": (b"PAR1 and so on", "no Parquet that can be read"),
    "half a Parquet file": (as_parquet([dict.fromkeys(KINDS)])[:-6], "no Parquet that can be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_named_with_its_place(name: str) -> None:
    """The file, the line or row, the column, the value and what would be right; never an error of Python."""
    raw, text = WRONG[name]

    with pytest.raises(HeadraceError, match=text) as error:
        rows(raw)
    assert str(error.value).startswith("file: ")


def test_rows_before_a_wrong_one_are_given() -> None:
    """Reading is lazy: nobody waits for the end of a file to see its first row."""
    reading = read(io.BytesIO(b"whole\n1\nx\n"), KINDS, "file")

    assert next(reading) == Row("line 2", {"whole": 1})
    with pytest.raises(HeadraceError, match="line 3"):
        next(reading)


class Pipe(io.RawIOBase):
    """A stream that cannot go back, as standard input of a pipe."""

    def __init__(self, raw: bytes) -> None:
        self._rest = io.BytesIO(raw)

    def readable(self) -> bool:
        """It can be read, once."""
        return True

    def seekable(self) -> bool:
        """There is no way back."""
        return False

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        return self._rest.readinto(buffer)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_as_a_file_is(form: str, packed: bool) -> None:
    """Parquet begins at its end, and is read from a pipe, too."""
    table = [{"text": "a", "whole": 1, "real": 0.5, "flag": False}]
    raw = FORMS[form][0](table)

    found = list(read(Pipe(gzip.compress(raw) if packed else raw), KINDS))  # type: ignore[arg-type]

    assert [row.values for row in found] == table


def test_a_file_is_opened_and_closed(tmp_path: Path) -> None:
    """A file that is not there, or is a folder, is named."""
    (tmp_path / "rows.csv").write_bytes(b"a\n1\n")

    with opened(str(tmp_path / "rows.csv")) as stream:
        assert stream.read() == b"a\n1\n"
    assert stream.closed
    for path, text in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(HeadraceError, match=f"{path.name}: {text}"), opened(str(path)):
            pass


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not closed afterwards, since it is not ours."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n1\n")))

    with opened("-") as stream:
        assert rows(stream.read(), {}) == [("line 2", {"a": "1"})]
    assert not stream.closed


NOW = datetime(2024, 5, 17, 12, tzinfo=UTC)
TYPED: list[tuple[str, Any, Any]] = [
    (BOOLEAN, True, True),
    (BOOLEAN, 0, False),
    (BOOLEAN, 1.0, True),
    (BOOLEAN, Decimal(1), True),
    (BOOLEAN, "true", True),
    (BOOLEAN, np.bool_(False), False),
    (INTEGER, 7, 7),
    (INTEGER, 7.0, 7),
    (INTEGER, Decimal("7.00"), 7),
    (INTEGER, "7", 7),
    (INTEGER, np.int8(-7), -7),
    (INTEGER, np.uint64(2**64 - 1), 2**64 - 1),
    (INTEGER, -(2**63), -(2**63)),
    (INTEGER, 2**64 - 1, 2**64 - 1),
    (NUMBER, 7, 7),
    (NUMBER, 7.5, 7.5),
    (NUMBER, Decimal("0.1"), 0.1),
    (NUMBER, "7.5", 7.5),
    (NUMBER, np.float32(0.5), 0.5),
    (NUMBER, 10**308, 10**308),
    (STRING, "NA", "NA"),
    (STRING, "007", "007"),
    (STRING, date(2024, 5, 17), "2024-05-17"),
    (STRING, NOW, "2024-05-17T12:00:00+00:00"),
    *[(kind, missing, None) for kind in (BOOLEAN, INTEGER, NUMBER, STRING) for missing in (None, math.nan, "")],
    *[(kind, "NA", None) for kind in (BOOLEAN, INTEGER, NUMBER)],
    *[(kind, np.float64("nan"), None) for kind in (BOOLEAN, INTEGER, NUMBER, STRING)],
]


@pytest.mark.parametrize(("kind", "value", "wanted"), TYPED)
def test_a_value_is_taken_as_its_column_takes_it(kind: str, value: Any, wanted: Any) -> None:
    """Numbers of numpy and of Parquet become Python's; what is missing is None."""
    found = typed(kind, value)

    assert (found, type(found)) == (wanted, type(wanted))


REFUSED: list[tuple[str, Any]] = [
    (BOOLEAN, 2),
    (BOOLEAN, 0.5),
    (BOOLEAN, "yes"),
    (BOOLEAN, [True]),
    (BOOLEAN, NOW),
    (INTEGER, True),
    (INTEGER, 7.5),
    (INTEGER, "7.5"),
    (INTEGER, Decimal("7.5")),
    (INTEGER, 2**64),
    (INTEGER, -(2**63) - 1),
    (INTEGER, math.inf),
    (INTEGER, NOW),
    (INTEGER, [7]),
    (INTEGER, 10**309),
    (NUMBER, True),
    (NUMBER, False),
    (NUMBER, math.inf),
    (NUMBER, -math.inf),
    (NUMBER, Decimal("Infinity")),
    (NUMBER, Decimal("1e999")),
    (NUMBER, 10**309),
    (NUMBER, "many"),
    (NUMBER, {"a": 1}),
    (NUMBER, date(2024, 5, 17)),
]


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_a_value_of_another_type_is_none_of_the_column(kind: str, value: Any) -> None:
    """Nothing is rounded, cut or guessed; the error says what was expected."""
    with pytest.raises(NotOfType, match=EXPECTED[kind].replace("(", r"\(").replace(")", r"\)")):
        typed(kind, value)


@pytest.mark.parametrize("value", [7, 7.5, True, Decimal(7), [1], {"a": 1}])
def test_a_number_is_no_text(value: Any) -> None:
    """Whether 7 is `7` or `007` only its writer knows."""
    with pytest.raises(NotOfType, match="write it as text, with its zeros"):
        typed(STRING, value)


def test_rows_at_hand_follow_the_same_rules() -> None:
    """Mappings are read as objects of JSON are; the place is the number of the row."""
    table: list[Any] = [{"whole": np.int64(7), "when": NOW, "day": date(2024, 5, 17)}, {"real": math.nan}]

    assert list(given_rows(iter(table), KINDS)) == [
        Row("row 1", {"whole": 7, "when": "2024-05-17T12:00:00+00:00", "day": "2024-05-17"}),
        Row("row 2", {"real": None}),
    ]
    for wrong, text in (
        ([1, 2], "row 1 is no object"),
        ({"whole": "x"}, "row 1, column 'whole': 'x' is not an integer"),
    ):
        with pytest.raises(HeadraceError, match=text):
            list(given_rows([wrong], KINDS))  # type: ignore[list-item]


@settings(max_examples=examples(30))
@given(st.lists(st.integers()), st.integers(1, 9))
def test_batches_hold_every_item_once_and_in_order(items: list[int], size: int) -> None:
    """All are full but the last, and none is empty."""
    found = list(in_batches(items, size))

    assert [item for batch in found for item in batch] == items
    assert all(len(batch) == size for batch in found[:-1])
    assert all(found)


def test_batches_are_made_as_they_are_asked_for() -> None:
    """A source that never ends is read no further than needed."""
    read_so_far: list[int] = []

    def endless() -> Iterable[int]:
        while True:
            read_so_far.append(len(read_so_far))
            yield read_so_far[-1]

    assert next(in_batches(endless(), 3)) == [0, 1, 2]
    assert read_so_far == [0, 1, 2]
