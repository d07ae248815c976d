"""What `headrace init` guesses of a file: columns, target, task, time, groups, and what only names its row."""

from pathlib import Path

import pytest

from headrace.cli.guess import COUNTED, FEW, LOOKED_AT, Column, Guess, guess
from headrace.client import HeadraceError


def column(name: str, *cells: str) -> Column:
    """A column of these cells."""
    made = Column(name)
    for cell in cells:
        made.add(cell)
    return made


def guessed(tmp_path: Path, text: str, target: str | None = None) -> Guess:
    """What is guessed of a file with this text."""
    (tmp_path / "rows.csv").write_bytes(text.encode())
    return guess(tmp_path / "rows.csv", target)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2"], "integer"),
        (["1", "2.5"], "number"),
        (["1", ""], "integer"),
        (["", "NA"], None),
        (["true", "false"], "boolean"),
        (["2024-05-17", "2024-05-18"], "timestamp"),
        (["1", "a"], "string"),
        (["007", "8"], "string"),
    ],
)
def test_a_column_has_the_narrowest_type_of_its_cells(cells: list[str], kind: str | None) -> None:
    """A missing cell says nothing about it."""
    assert column("x", *cells).type == kind


@pytest.mark.parametrize(
    ("name", "cells", "identifies"),
    [
        ("id", [str(at) for at in range(FEW + 1)], True),
        ("ID", [str(at) for at in range(FEW + 1)], True),
        ("order_id", [str(at) for at in range(FEW + 1)], True),
        ("customer_key", [str(at) for at in range(FEW + 1)], True),
        ("row_UUID", [str(at) for at in range(FEW + 1)], True),
        ("id", [str(at) for at in range(FEW)], False),
        ("id", [*map(str, range(FEW + 1)), "0"], False),
        ("age", [str(at) for at in range(FEW + 1)], False),
        ("identity", [str(at) for at in range(FEW + 1)], False),
        ("name", [f"n{at}" for at in range(FEW + 1)], True),
        ("name", [f"n{at}" for at in range(FEW)], False),
        ("name", [f"n{at % 9}" for at in range(FEW + 1)], False),
        ("price_id", [f"{at}.5" for at in range(FEW + 1)], False),
        ("id", [*map(str, range(FEW + 1)), "", ""], True),
    ],
)
def test_a_column_that_only_names_its_row_is_known(name: str, cells: list[str], identifies: bool) -> None:
    """Another value in each of more than a few rows; a number only if its name says so; gaps do not repeat."""
    assert column(name, *cells).identifies is identifies


@pytest.mark.parametrize(("many", "counted"), [(1, 1), (COUNTED, COUNTED), (COUNTED + 1, None)])
def test_values_are_counted_up_to_a_limit(many: int, counted: int | None) -> None:
    """Beyond it, there are many."""
    known = column("x", *(f"v{at:03d}" for at in range(many))).known(many)

    assert (known.distinct, known.rows, known.counted, known.type) == (counted, many, True, "string")
    assert list(known.values) == ([] if counted is None else [f"v{at:03d}" for at in range(many)])


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_the_delimiter_is_that_of_the_head(tmp_path: Path, mark: str, start: str) -> None:
    """Whatever stands in the cells; a byte order mark and spaces are no part of a name."""
    found = guessed(tmp_path, start + mark.join([" a ", "b", "c"]) + "\n" + mark.join(["1", "x y", "2.5"]) + "\n")

    assert [(each.name, each.type) for each in found.columns] == [("a", "integer"), ("b", "string"), ("c", "number")]
    assert (found.target.name, found.rows) == ("c", 1)


def test_the_target_is_the_last_column_or_the_one_that_is_named(tmp_path: Path) -> None:
    """It is neither time, nor group, nor ignored."""
    text = "when,region,late\n" + "".join(f"2024-05-{at:02d},{'ns'[at % 2]},{at % 2}\n" for at in range(1, 20))

    last, named = guessed(tmp_path, text), guessed(tmp_path, text, "region")

    assert (last.target.name, last.time, last.groups, last.ignore) == ("late", "when", ["region"], [])
    assert (named.target.name, named.time, named.groups) == ("region", "when", [])
    assert guessed(tmp_path, text, "when").time is None


@pytest.mark.parametrize(("different", "is_group"), [(1, False), (2, True), (FEW, True), (FEW + 1, False)])
def test_a_text_with_few_values_groups_the_rows(tmp_path: Path, different: int, is_group: bool) -> None:
    """One value groups nothing, many are no groups."""
    text = "region,y\n" + "".join(f"r{at % different},{at}\n" for at in range(40))

    assert guessed(tmp_path, text).groups == (["region"] if is_group else [])


def test_only_the_first_rows_are_read(tmp_path: Path) -> None:
    """What comes after them changes no guess."""
    found = guessed(tmp_path, "a,b\n" + "1,2\n" * LOOKED_AT + "x,y\n")

    assert (found.rows, [each.type for each in found.columns]) == (LOOKED_AT, ["integer", "integer"])


def test_blank_lines_and_short_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    """A blank line is no row; a cell too many belongs to no column."""
    found = guessed(tmp_path, "a,b\n1,2\n\n3\n4,5,6\n")

    assert (found.rows, [each.filled for each in found.columns]) == (3, [3, 2])


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("", None, "a head of at least two columns and one row below it are needed"),
        ("a,b\n", None, "at least two columns and one row"),
        ("a\n1\n", None, "at least two columns and one row"),
        ("a,b\n1,2\n", "c", "has no column 'c'; it has a, b"),
        ("a,b\n1,\n2,\n", None, "'b' holds no value in its first 2 rows; name another --target"),
    ],
)
def test_what_cannot_be_guessed_is_said(tmp_path: Path, text: str, target: str | None, said: str) -> None:
    """With the file's name and what would help."""
    with pytest.raises(HeadraceError, match=f"rows.csv.*{said}"):
        guessed(tmp_path, text, target)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Nor one that is not there."""
    (tmp_path / "rows.csv").write_bytes(b"\xff\xfea\x00")

    for name in ("rows.csv", "none.csv"):
        with pytest.raises(HeadraceError, match=f"{name} cannot be read as CSV"):
            guess(tmp_path / name, None)
