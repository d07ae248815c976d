"""How much a file may hold: what is more is refused before it costs memory, disk or time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.bus import Refused
from headrace.ingest.engine import Accepted, Options, convert
from headrace.ingest.pipeline import spool
from headrace.ingest.sources.blocks import Limits

NARROW = Options(limits=Limits(block=1 << 10, line=1 << 9, columns=3, rows=1000, inflated=1 << 20))


def told(folder: Path, content: bytes, form: str) -> str | None:
    """Why a file is refused; None where it is not."""
    path = folder / "in"
    path.write_bytes(content)
    result = convert(path, form, None, folder / "out.parquet", NARROW)
    return None if isinstance(result, Accepted) else str(next(iter(result.violations)).message)


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    """A table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())


def test_a_file_with_too_many_columns_is_refused(tmp_path: Path) -> None:
    """Each would cost a rule and a profile in every version."""
    why = "the file has 4 columns; at most 3 are taken"

    assert told(tmp_path, b"a,b,c,d\n1,2,3,4\n", "csv") == why
    assert told(tmp_path, as_parquet(pa.table({name: [1] for name in "abcd"})), "parquet") == why
    assert told(tmp_path, b"a,b,c\n1,2,3\n", "csv") is None


def test_a_parquet_file_of_endless_rows_is_refused(tmp_path: Path) -> None:
    """A constant column takes next to nothing, however many rows it says to have."""
    assert told(tmp_path, as_parquet(pa.table({"a": [1] * 1000})), "parquet") is None
    assert "1,001 rows; at most 1,000" in str(told(tmp_path, as_parquet(pa.table({"a": [1] * 1001})), "parquet"))


def test_a_parquet_column_that_inflates_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A few hundred bytes on the wire, megabytes in memory; what is as large as it looks is taken."""
    bomb = as_parquet(
        pa.table({"a": ["x" * (2 << 20)]}), compression="zstd", use_dictionary=False, write_statistics=False
    )
    text = "".join(chr(33 + at * 7919 % 90) for at in range(2 << 20))

    assert len(bomb) < 10_000
    assert "inflates to 2,0" in str(told(tmp_path, bomb, "parquet"))
    assert told(tmp_path, as_parquet(pa.table({"a": [text]}), compression="none"), "parquet") is None


async def test_an_upload_that_does_not_end_is_refused_on_its_way(tmp_path: Path) -> None:
    """The disk holds the limit, not what somebody goes on sending."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b"x" * 1000

    with pytest.raises(Refused, match=r"larger than 10,000 bytes"):
        await spool(endless(), tmp_path / "source", largest=10_000)

    assert sent == 11_000
