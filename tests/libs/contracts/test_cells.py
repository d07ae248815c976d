"""One cell of text: what it is read as, what is guessed of it, and that no guess changes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import ContractError, column_name
from headrace.contracts.cells import (
    BOOLEAN,
    FORMATS,
    INTEGER,
    MISSING,
    NUMBER,
    STRING,
    TIMESTAMP,
    NotOfType,
    change_of,
    format_fault,
    formats_of,
    holds,
    narrowest,
    read_cell,
    significant_digits,
    widened,
)

CELLS = (
    st.integers(-(10**20), 10**20).map(str)
    | st.floats(allow_nan=False).map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
    | st.text("0123456789+-.eE_, ", max_size=12)
    | st.datetimes().map(datetime.isoformat)
    | st.sampled_from(["true", "tRue", "NA", "inf", "-Infinity", "nan", "NAN", "0x10", "٣", "02134", "+49170", "1e400"])
    | st.text(max_size=8)
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7", INTEGER),
        ("-9223372036854775808", INTEGER),
        ("20240101000000001", INTEGER),
        ("9223372036854775808", STRING),
        ("02134", STRING),
        ("-007", STRING),
        ("+49170123456", STRING),
        ("00.5", STRING),
        ("0.5", NUMBER),
        (".5", NUMBER),
        ("1e3", NUMBER),
        ("1e400", STRING),
        ("1e-400", STRING),
        ("inf", NUMBER),
        ("NAN", STRING),
        ("0x10", STRING),
        ("1_000", STRING),
        ("٣", STRING),
        ("true", BOOLEAN),
        ("tRue", STRING),
        ("2024-12-31", TIMESTAMP),
        ("2024-12-31 23:59:59.123456789Z", TIMESTAMP),
        ("0000-01-01", STRING),
        ("31/12/2024", STRING),
        ("2024-W5", STRING),
        ("", None),
        (" NA ", None),
    ],
)
def test_the_narrowest_type_changes_no_value(text: str, kind: str | None) -> None:
    """Zeros and signs in front, digits beyond 64 bits, other scripts and odd spellings are text."""
    assert narrowest(text) == kind


@given(CELLS)
def test_a_guess_can_be_read_and_written_back(text: str) -> None:
    """Whatever the cell: the guessed type reads it as the value that stood there, or says what it changes."""
    kind = narrowest(text)
    if kind in (None, STRING) or not holds(str(kind), text):
        return
    value, given_ = read_cell(str(kind), text), text.strip()

    if kind == INTEGER:
        assert str(value) == given_
    if kind == NUMBER:
        assert Decimal(given_) == Decimal(repr(value)) or change_of(NUMBER, text) or _within_resolution(given_, value)
    if kind == BOOLEAN:
        assert json.dumps(value) == given_.lower()
    if kind == TIMESTAMP:
        assert (
            value == datetime.fromisoformat(given_).replace(tzinfo=value.tzinfo) or "+" in given_ or "-" in given_[10:]
        )


def _within_resolution(text: str, value: float) -> bool:
    """Whether no other 64-bit floating point number is nearer to the text."""
    return significant_digits(text) <= 17 and float(text) == value


@given(st.lists(CELLS, min_size=1, max_size=6))
def test_a_type_that_was_guessed_holds_every_cell(cells: list[str]) -> None:
    """Widened by cell after cell until nothing changes, the type holds them all, unless one is infinite."""
    kind: str | None = None
    for _ in range(4):
        for text in cells:
            kind = widened(kind, text)
    wrong = [
        text
        for text in cells
        if kind not in (None, STRING) and text.strip() not in MISSING and not holds(str(kind), text)
    ]
    assert not [text for text in wrong if "inf" not in text.lower()]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (BOOLEAN, "1", True),
        (BOOLEAN, " FALSE ", False),
        (INTEGER, "007", 7),
        (INTEGER, "+7", 7),
        (NUMBER, "-1.5e3", -1500.0),
        (NUMBER, "NA", None),
        (STRING, "NA", "NA"),
        (STRING, "", None),
        (STRING, " x ", " x "),
        (TIMESTAMP, "2024-03-31T02:30:00.123456789", datetime(2024, 3, 31, 2, 30, 0, 123456, UTC)),
        (TIMESTAMP, "2024-03-31 02:30+02:00", datetime(2024, 3, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_declared_type_reads_what_people_write(kind: str, text: str, value: Any) -> None:
    """Declared, a type also reads spellings that it would not be guessed from."""
    assert read_cell(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (BOOLEAN, "tRue"),
        (INTEGER, "1.0"),
        (INTEGER, "9" * 5000),
        (INTEGER, "²"),
        (NUMBER, "inf"),
        (NUMBER, "1e-400"),
        (NUMBER, "20240101000000001"),
        (NUMBER, "9" * 5000),
        (NUMBER, "1,5"),
        (TIMESTAMP, "0000-01-01"),
        (TIMESTAMP, "2024-02-30"),
        (TIMESTAMP, "9999-12-31T23:59:59-05:00"),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(kind: str, text: str) -> None:
    """Nothing is bent, rounded to another integer, or read as zero."""
    with pytest.raises(NotOfType):
        read_cell(kind, text)


@given(st.sampled_from([BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP]), CELLS)
def test_a_cell_is_a_value_or_is_refused(kind: str, text: str) -> None:
    """No text makes anything but NotOfType."""
    try:
        read_cell(kind, text, missing=["-999", "?"])
    except NotOfType:
        return


@pytest.mark.parametrize(("kind", "text"), [(NUMBER, "-999.0"), (INTEGER, "-999"), (STRING, "?"), (NUMBER, "?")])
def test_declared_tokens_mean_missing(kind: str, text: str) -> None:
    """In every type, and numbers however they are written."""
    assert read_cell(kind, text, missing=["?", "-999"]) is None


def test_a_decimal_comma_is_declared() -> None:
    """Then a point is none of its numbers: it could be a separator of thousands."""
    assert read_cell(NUMBER, "-1,5", decimal=",") == -1.5
    assert narrowest("1,5", ",") == NUMBER
    with pytest.raises(NotOfType):
        read_cell(NUMBER, "1.500", decimal=",")


@pytest.mark.parametrize(("time_format", "example"), FORMATS.items())
def test_each_known_format_reads_its_example(time_format: str, example: str) -> None:
    """And is found from it."""
    assert format_fault(time_format) is None
    assert time_format in formats_of([example])
    assert abs(read_cell(TIMESTAMP, example, time_format=time_format) - datetime(2024, 12, 31, tzinfo=UTC)) < timedelta(
        32
    )


@pytest.mark.parametrize(("texts", "formats"), [(["31/12/2024"], ["%d/%m/%Y"]), (["Jan 2024"], ["%b %Y"]),
                                                (["2024-W5"], ["%G-W%V"]), (["soon"], []), ([], [])])  # fmt: skip
def test_formats_are_found_from_what_was_seen(texts: list[str], formats: list[str]) -> None:
    """Only those that read every text."""
    assert formats_of(texts) == formats


@pytest.mark.parametrize(("time_format", "says"), [("%q", "directive %q"), ("%d/%m", "no year"), ("%Y %", "directive")])
def test_a_format_that_cannot_be_read_is_named(time_format: str, says: str) -> None:
    """Before any file is read with it."""
    assert says in str(format_fault(time_format))


def test_names_are_compared_in_one_form() -> None:
    """Composed and decomposed accents are one name; what nobody sees is named and refused."""
    assert column_name("cafe\N{COMBINING ACUTE ACCENT}") == column_name(" caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    with pytest.raises(ContractError, match=r"U\+200B \(ZERO WIDTH SPACE\)"):
        column_name("a\N{ZERO WIDTH SPACE}b")
    with pytest.raises(ContractError, match=r"position 1: U\+FEFF"):
        column_name("\N{ZERO WIDTH NO-BREAK SPACE}a")
    with pytest.raises(ContractError, match=r"U\+00A0"):
        column_name("a\N{NO-BREAK SPACE}b")
