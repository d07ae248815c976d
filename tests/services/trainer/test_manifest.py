"""Reading the rows of a dataset version by its manifest."""

import io
from datetime import UTC, datetime

import pandas as pd
import pytest

from headrace.contracts import Manifest, ObjectRef, Part, Segment
from headrace.contracts.versions import version_digest
from headrace.objects import Corrupt
from headrace.testkit.s3 import S3
from headrace.trainer.worker.jobs import Data, Step
from headrace.trainer.worker.reading import read_rows


def part(s3: S3, number: int) -> Part:
    """Two rows, one of them without a label."""
    buffer = io.BytesIO()
    frame = pd.DataFrame({"x": [2 * number, 2 * number + 1], "y": pd.array([number, None], dtype="Int64")})
    frame.to_parquet(buffer, index=False)
    ref = s3.sync.put("datasets", buffer.getvalue())
    return Part(object=ref, rows=2, source=ref, profile=ref, ingested_at=datetime(2026, 1, 1, tzinfo=UTC))


def node(s3: S3, segments: list[Segment], parts: list[Part]) -> ObjectRef:
    """A document of a manifest."""
    return s3.sync.put("datasets", Manifest(segments=segments, parts=parts).model_dump_json(exclude_none=True).encode())


def segment(at: ObjectRef, level: int, parts: int) -> Segment:
    """A full node."""
    return Segment(object=at, level=level, parts=parts, rows=2 * parts, profile=at)


def data(s3: S3, parts: list[Part]) -> Data:
    """A version whose list is a tree of three levels."""
    low = [segment(node(s3, [], parts[at : at + 3]), 0, 3) for at in range(0, 12, 3)]
    high = segment(node(s3, low[:3], []), 1, 9)
    digest: str | None = None
    for each in parts:
        digest = version_digest("d", digest, each.object.sha256)
    root = node(s3, [high, low[3]], parts[12:])
    return Data(dataset="d", digest=str(digest), manifest=root, parts=len(parts))


def test_every_row_of_every_part_is_read_in_order(s3: S3) -> None:
    """Through all levels of the list; rows without a label are counted, progress is told part by part."""
    steps: list[Step] = []

    rows = read_rows(s3.sync, data(s3, [part(s3, number) for number in range(14)]), ["x"], "y", steps.append)

    assert list(rows.frame["x"]) == [2 * number for number in range(14)]
    assert rows.unlabelled == 14
    assert [(step.step, step.of) for step in steps] == [(number, 14) for number in range(15)]


def test_a_list_of_other_parts_is_refused(s3: S3) -> None:
    """A version never trains on fewer rows, or others, than its digest says."""
    told = data(s3, [part(s3, number) for number in range(14)])
    with pytest.raises(Corrupt, match="another version"):
        read_rows(s3.sync, told.model_copy(update={"digest": "0" * 64}), ["x"], "y", lambda _: None)
