"""Tables: drawn on a terminal, tab-separated in a pipe; a value is never cut."""

import io
from typing import Any

import pytest
from rich.console import Console

from headrace.cli.tables import Lines, draw, plain, table

ID = "0199e6a1-5f3c-7b21-9d1e-2f6f8b1c4a77"
DIGEST = "c0ffee" * 10 + "cafe"
ROWS: list[dict[str, Any]] = [
    {"run": ID, "state": "failed", "reason": "the column 'wind' is missing in every row of the newest version " * 3,
     "digest": DIGEST, "figure": 0.123456789012345, "params": {"C": 0.5}},
]  # fmt: skip
COLUMNS = ["run", "state", "reason", "digest", "figure", "params"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_an_id_is_whole_on_any_terminal(width: int) -> None:
    """It stays on one line, so that it can be copied; text beside it is folded, not cut."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)

    draw(console, ROWS, COLUMNS)

    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert ID in drawn
    assert DIGEST in drawn
    assert "…" not in drawn
    assert drawn.count("newest") == 3 or width < 200  # a narrow column breaks words


def test_a_pipe_gets_full_values(capsys: pytest.CaptureFixture[str]) -> None:
    """A line a row, a tab between values, the names of the columns first, no colour."""
    table(ROWS, COLUMNS, empty="nothing")

    out = capsys.readouterr().out
    head, row = (line.split("\t") for line in out.splitlines())
    assert head == COLUMNS
    assert row == [ID, "failed", str(ROWS[0]["reason"]), DIGEST, "0.123456789012345", '{"C": 0.5}']
    assert "\x1b" not in out


def test_what_is_empty_is_said_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that reads the pipe gets no row; a person sees the sentence."""
    table([], COLUMNS, empty="nothing is there")

    said = capsys.readouterr()
    assert said.out == ""
    assert "nothing is there" in said.err


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (1e-9, "1e-09"), ("a\tb\nc", "a b c"), (["a", 1], '["a", 1]'), ("[red]x[/red]", "[red]x[/red]")],
)
def test_a_value_keeps_to_its_line(value: Any, text: str) -> None:
    """Tabs and line breaks inside would move the columns."""
    assert plain(value) == text


def test_later_rows_have_no_second_head(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that come in pieces are one table."""
    lines = Lines(["a", "b"])
    lines.write([{"a": 1, "b": 2}])
    lines.write([{"a": 3}])

    assert capsys.readouterr().out == "a\tb\n1\t2\n3\t\n"
