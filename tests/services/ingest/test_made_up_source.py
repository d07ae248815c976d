"""A file format that nobody else knows, added from this file alone: from the upload to rows in the store.

It is JSON lines: an object a line, whose keys are the columns.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.contracts import DatasetIngested, DatasetRejected, IngestRequested, RequestRefused
from headrace.contracts.cells import widened
from headrace.ingest.reading import Wording
from headrace.ingest.sources import SOURCES
from headrace.ingest.sources.batch import Batch, Plan
from headrace.ingest.sources.blocks import Limits
from headrace.ingest.sources.columns import typed
from headrace.ingest.sources.formats import Format
from headrace.ingest.sources.notes import note
from headrace.ingest.sources.text import in_utf8
from headrace.ingest.violations import PARSE, Violations, refuse
from headrace.testkit import Harness, a
from headrace.testkit.s3 import S3

Lines = list[tuple[int, dict[str, Any]]]
SENT = b'{"carrier": "AA", "delay": 1}\n{"delay": 2.5, "carrier": "UA"}\n'


class JsonLines:
    """One file of JSON objects, a line each."""

    def __init__(self, path: Path, limits: Limits, keep: int, wording: Wording) -> None:
        self.warnings, self._keep = Violations(keep), keep
        self._lines: Lines = [
            (number, self._object(number, line))
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if line.strip()
        ]
        if not self._lines:
            raise refuse(PARSE, "the file is empty")
        limits.check_columns(len(self.columns))

    @staticmethod
    def _object(number: int, line: str) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except ValueError as error:
            raise refuse(PARSE, f"no JSON: {error}", line=number) from error
        if not isinstance(found, dict):
            raise refuse(PARSE, "no JSON object", line=number)
        return found

    @property
    def columns(self) -> Sequence[str]:
        """The keys of the first line."""
        return list(self._lines[0][1])

    def infer(self) -> dict[str, str | None]:
        """The narrowest type of each column."""
        kinds: dict[str, str | None] = dict.fromkeys(self.columns)
        for _, row in self._lines:
            kinds |= {name: widened(kinds[name], str(row[name]), ".") for name in kinds}
        return kinds

    def texts(self, name: str) -> Sequence[str]:
        """All of them."""
        return [str(row[name]) for _, row in self._lines]

    def pieces(self) -> Iterator[Lines]:
        """The whole file at once."""
        yield self._lines

    def read(self, piece: Lines, plan: Plan) -> Batch:
        """The rows, typed as those of any file."""
        batch = Batch(pa.table({}), lambda row: piece[row][0], Violations(self._keep), Violations(self._keep))
        columns = {}
        for name, reading in plan.items():
            cells = pa.array([str(row[name]) for _, row in piece], pa.string())
            columns[name] = typed(cells, reading)
            note(batch, name, str(reading.kind), columns[name])
        batch.table = pa.table({name: column.values for name, column in columns.items()})
        return batch


@pytest.fixture(autouse=True)
def made_up() -> Iterator[None]:
    """The one line that a format takes, undone after the test."""
    formats = cast("dict[str, Format]", SOURCES)
    formats["jsonl"] = Format(
        "jsonl", "JSON lines", "an object a line", JsonLines, suffixes=(".jsonl",), media=("jsonl",), prepare=in_utf8
    )
    yield
    del formats["jsonl"]


async def upload(on: Harness, content: bytes, **query: str) -> Any:
    """Send a file."""
    return await on.http.post("/datasets/flights/files", content=content, params=query)


async def stored(s3: S3, said: DatasetIngested) -> list[dict[str, Any]]:
    """The rows of the version's newest part."""
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(await s3.store.get(said.part.object))).to_pylist()
    return rows


async def test_a_file_becomes_a_version(on: Harness, s3: S3) -> None:
    """Named by the request; the rows lie in the store as those of every format."""
    answer = await upload(on, SENT, format="jsonl")

    assert (answer.status_code, answer.json()["rows"]) == (201, 2)
    said = cast("DatasetIngested", (await on.heard(DatasetIngested, "flights")).data)
    assert await stored(s3, said) == [{"carrier": "AA", "delay": 1.0}, {"carrier": "UA", "delay": 2.5}]


@pytest.mark.parametrize(
    "headers", [{"content-type": "application/x-jsonl"}, {"x-source-name": "january.jsonl"}], ids=["type", "name"]
)
async def test_it_is_known_by_media_type_and_file_name(on: Harness, headers: dict[str, str]) -> None:
    """Whoever sends it need not name it."""
    answer = await on.http.post("/datasets/flights/files", content=SENT, headers=headers)

    assert answer.status_code == 201


async def test_an_event_names_it(on: Harness, s3: S3) -> None:
    """On the second way in, too; what it did not say there is a name that nobody knows."""
    await upload(on, SENT, format="jsonl")
    source = cast("DatasetIngested", (await on.heard(DatasetIngested, "flights")).data).part.source
    place = {"bucket": source.bucket, "key": source.key}

    await on.say(a(IngestRequested, dataset="others", object=place, format="jsonl", mode="append"))
    said = cast("DatasetIngested", (await on.heard(DatasetIngested, "others")).data)
    assert (await stored(s3, said))[0] == {"carrier": "AA", "delay": 1.0}

    await on.say(a(IngestRequested, dataset="others", object=place, format="jsonk", mode="append"))
    refused = cast("RequestRefused", (await on.heard(RequestRefused, "others")).data)
    assert "did you mean 'jsonl'?" in refused.reason


async def test_a_bad_value_is_named_with_its_line(on: Harness) -> None:
    """A file is accepted whole or not, by the contract of the first one."""
    await upload(on, SENT, format="jsonl")

    answer = await upload(on, b'{"carrier": "AA", "delay": 3}\n{"carrier": "UA", "delay": "late"}\n', format="jsonl")

    assert answer.status_code == 422
    said = cast("DatasetRejected", (await on.heard(DatasetRejected, "flights")).data)
    assert [(each.column, each.first[0].line) for each in said.violations] == [("delay", 2)]
