"""What an event tells of a part's columns: enough to tell labels from quantities, and no more."""

import pyarrow as pa
import pytest

from headrace.ingest.facts import facts_of
from headrace.ingest.profile import GRID, Column, measure


def profiled(kind: str, values: list[object]) -> Column:
    """A column's profile, percentiles included."""
    found = measure(kind, pa.chunked_array([pa.array(values)]))
    if kind in ("integer", "number"):
        numbers = sorted(float(str(value)) for value in values)
        found.grid = [numbers[round(share * (len(numbers) - 1))] for share in GRID]
    return found


def told(kind: str, values: list[object]) -> tuple[bool, int | None, list[str] | None]:
    """Whether anything is told of a column, how many different values, and which."""
    found = list(facts_of({"x": profiled(kind, values)}))
    return (bool(found), found[0].distinct, found[0].values) if found else (False, None, None)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("integer", [0, 1, 1, 0], (True, 2, ["0", "1"])),
        ("boolean", [True, False], (True, 2, ["false", "true"])),
        ("string", ["yes", "no", "yes"], (True, 2, ["no", "yes"])),
        ("integer", list(range(193)), (True, 193, None)),  # a quantity: counted, not named
        ("integer", [1, 1000] * 50, (False, None, None)),  # two labels far apart are not counted, and not many
        ("integer", [each * 10 for each in range(200)], (True, None, None)),
        ("number", [each / 7 for each in range(100)], (True, None, None)),
        ("number", [0.0, 1.0] * 50, (False, None, None)),
        ("string", ["x" * 150, "y" * 150], (True, 2, None)),
        ("string", ["x" * 300, "y"], (True, None, None)),
    ],
)
def test_labels_are_named_quantities_are_counted_or_many(
    kind: str, values: list[object], expected: tuple[bool, int | None, list[str] | None]
) -> None:
    """What is not known is not said: two labels are never taken for many."""
    assert told(kind, values) == expected
