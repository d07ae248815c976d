"""What a part holds, per column, as the event of it tells: enough to tell labels from quantities."""

from collections.abc import Iterator, Mapping

from headrace.contracts import ColumnFacts
from headrace.ingest.profile import Column

FEW = 20  # values that are told by name
SHORT = 200  # characters of them all: an event of a thousand columns stays far below the broker's limit
SURELY_MANY = 5  # different percentiles: two labels make at most three, since percentiles lie between values, too


def facts_of(profile: Mapping[str, Column]) -> Iterator[ColumnFacts]:
    """One entry for each column of which something is known."""
    for name, column in profile.items():
        if column.values is not None:
            yield ColumnFacts(name=name, distinct=len(column.values), values=_short(sorted(column.values)))
        elif column.kind == "string" or len(set(column.grid)) >= SURELY_MANY:
            yield ColumnFacts(name=name)


def _short(values: list[str]) -> list[str] | None:
    return values if len(values) <= FEW and sum(map(len, values)) <= SHORT else None
