"""What reading a file has found, as the deliverer is told it."""

from __future__ import annotations

from headrace.contracts.cells import NUMBER, is_infinite
from headrace.ingest.sources.batch import CHANGED, RENAMED, Batch, Typed
from headrace.ingest.sources.kinds import EXPECTED
from headrace.ingest.violations import TYPE, Violations

TEXTS = 200  # distinct texts of a column that are kept


def note_renamed(warnings: Violations, given: str, name: str) -> None:
    """Say that a name stands in the data set in another form than in the file."""
    message = f"its name is written decomposed in the file ({ascii(given)[1:-1]}); names are compared composed (NFC)"
    warnings.add(RENAMED, message, column=name, rows=0)


def note(batch: Batch, name: str, kind: str, column: Typed) -> None:
    """Add to the batch what a column holds that is none of its type, and what reading it has changed."""
    if column.wider is not None and column.wider != kind:
        batch.misfits[name] = column.wider
        batch.odd[name] = list(dict.fromkeys(column.wrong.values()))[:TEXTS]
    if column.wrong:
        infinite = all(is_infinite(text) for text in column.wrong.values())
        expected = "an infinity is no number" if kind == NUMBER and infinite else EXPECTED[kind]
        first = [*column.wrong.items()][: batch.violations.keep]
        batch.violations.extend(
            TYPE, expected, name, len(column.wrong), [(batch.line(row), text) for row, text in first]
        )
        batch.wrong[name] = set(column.wrong)
    for message, rows in column.changed.items():
        first = rows[: batch.warnings.keep]
        batch.warnings.extend(CHANGED, message, name, len(rows), [(batch.line(row), text) for row, text in first])
