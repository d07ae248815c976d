"""Rows of text, read by a model's signature."""

import io

import pytest

from headrace.contracts import Tensor
from headrace.contracts.rows import columns_of, kind_of, kinds_of, rows_of

KINDS = {"f": "number", "n": "integer", "b": "boolean", "s": "string"}


def read(text: str) -> dict[str, list[object]]:
    """The columns of some CSV."""
    return columns_of(io.StringIO(text, newline=""), KINDS)


def test_each_column_is_read_as_its_kind_says() -> None:
    """What is missing in a number is a value in a text, and zeros stay where they mean something."""
    text = "f,n,b,s,other\n1.5,3,true,NA,007\nNA,,0,,x\n"

    assert read(text) == {
        "f": [1.5, None],
        "n": [3, None],
        "b": [True, False],
        "s": ["NA", None],
        "other": ["007", "x"],
    }


def test_whole_numbers_with_a_point_are_integers() -> None:
    """As pandas writes a column of integers that misses a value."""
    assert read("n\n3.0\n-12.00\n") == {"n": [3, -12]}


def test_quotes_hold_commas_and_lines() -> None:
    """CSV as RFC 4180 has it."""
    assert read('s,n\n"a, ""b""\nc",1\n') == {"s": ['a, "b"\nc'], "n": [1]}


def test_rows_come_as_they_are_read() -> None:
    """A file larger than the memory can be read: what follows is not looked at."""
    rows = rows_of(iter(["n\n", "1\n", "x\n"]), KINDS)

    assert next(rows) == {"n": 1}
    with pytest.raises(ValueError, match="line 3, column 'n': 'x' is not an integer"):
        next(rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line must name the columns"),
        ("\n", "first line must name the columns"),
        ("n,n\n1,2\n", "column 'n' is given twice"),
        ("n,f\n1\n", "line 2 has 1 values; a row has 2: n, f"),
        ("n\n1\n\n2\n", "line 3 has 0 values"),
        ("n\n1.5\n", "line 2, column 'n': '1.5' is not an integer of 64 bits"),
        ("n\n9223372036854775808\n", "not an integer of 64 bits"),
        ("n\n" + "9" * 5000 + "\n", "not an integer of 64 bits"),
        ("n\n\u00b2\n", "not an integer of 64 bits"),
        ("f\ninf\n", "not a finite number"),
        ("b\nyes\n", "not a boolean"),
        ('s\n"a\n', "line 2"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, says: str) -> None:
    """And with its column, where it is a value."""
    with pytest.raises(ValueError, match=says):
        read(text)


def test_a_blank_end_is_no_row() -> None:
    """However many blank lines there are."""
    assert read("n\n1\n\n\n") == {"n": [1]}
    assert read("n\n") == {}


def test_kinds_come_from_the_datatypes_of_a_signature() -> None:
    """Every width of a kind is that kind."""
    inputs = [Tensor(name=each, datatype=each, shape=[-1]) for each in ("BOOL", "BYTES", "UINT8", "INT64", "FP16")]

    assert kinds_of(inputs) == {
        "BOOL": "boolean",
        "BYTES": "string",
        "UINT8": "integer",
        "INT64": "integer",
        "FP16": "number",
    }
    assert kind_of("FP64") == "number"
