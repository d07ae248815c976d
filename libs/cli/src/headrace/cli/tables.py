"""Tables for people: drawn on a terminal, tab-separated where output goes elsewhere; never is a value cut."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace.cli.session import console, progress_console, say

IDS = frozenset({
    "id", "prediction_id", "run", "change", "rollout", "digest", "sha256", "uri", "alert", "public_key", "key", "name",
    "model", "dataset", "version", "entry",
})  # fmt: skip
"""Columns that people copy: they stay on one line, whatever the width of the terminal."""
LEAST = 12  # characters that any other column gets


def is_drawn() -> bool:
    """Whether a person looks at the output, and not a program."""
    return bool(sys.stdout.isatty())


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """The rows, or the sentence `empty` when there are none."""
    listed = list(rows)
    if not listed:
        (say if is_drawn() else _aside)(empty)
    elif is_drawn():
        draw(console, listed, columns)
    else:
        Lines(columns).write(listed)


def draw(on: Console, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table as wide as its ids need; other text is folded into the width of the terminal."""
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    least = 0
    for column in columns:
        longest = max(len(column), *(len(cell(row.get(column))) for row in rows))
        width = longest if column in IDS else min(longest, LEAST)
        least += width + 1
        drawn.add_column(column.replace("_", " "), overflow="fold", min_width=width, no_wrap=column in IDS)
    for row in rows:
        drawn.add_row(*[escape(cell(row.get(column))) for column in columns])
    on.print(drawn, width=max(on.width, least), crop=False, soft_wrap=on.width < least)


class Lines:
    """Rows as lines, written as they come: tab-separated for programs, aligned for people."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._widths: list[int] | None = None

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print some more rows; the first call prints the names of the columns before them."""
        lines = [[plain(row.get(column)) for column in self._columns] for row in rows]
        if self._widths is None:
            lines = [list(self._columns), *lines]
            self._widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        print("\n".join(map(self._line, lines)))

    def _line(self, values: Sequence[str]) -> str:
        if not is_drawn():
            return "\t".join(values)
        return "  ".join(value.ljust(width) for value, width in zip(values, self._widths or (), strict=True)).rstrip()


def record(document: Mapping[str, Any]) -> None:
    """One thing as YAML, as long as it is."""
    say(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100).rstrip())


def cell(value: Any) -> str:
    """A value as a person reads it in a table."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))
    return "" if value is None else str(value)


def plain(value: Any) -> str:
    """A value in full, on one line, without a tab: what is nested as JSON."""
    if isinstance(value, (Mapping, list, tuple)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = "" if value is None else str(value)
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")


def _aside(sentence: str) -> None:
    progress_console.print(sentence, highlight=False, soft_wrap=True, markup=False)
