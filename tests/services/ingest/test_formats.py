"""What a file is: packed or in another encoding it is read all the same; what is no CSV is named as what it is."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.bus import Refused
from headrace.ingest.engine import Accepted, Options, Rejected, convert
from headrace.ingest.multipart import FormFile
from headrace.ingest.reading import Wording
from headrace.ingest.sources.blocks import Limits

ROWS = b"a,b\n1,x\n2,\xc3\xa9\n"


def zipped(*names: str) -> bytes:
    """A zip archive of empty files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


TABLE = pa.table({"a": [1, 2], "b": ["x", "é"]})


def taken(folder: Path, content: bytes, form: str | None = None, **wording: Any) -> Accepted | Rejected:
    """What becomes of a file."""
    (folder / "in").write_bytes(content)
    options = Options(limits=Limits(file=1 << 20))
    return convert(folder / "in", form, None, folder / "out", options, wording=Wording(**wording))


def rows(result: Accepted | Rejected) -> list[dict[str, Any]]:
    """The rows of an accepted file."""
    assert isinstance(result, Accepted), [v.as_dict() for v in result.violations]
    found: list[dict[str, Any]] = pq.read_table(result.path).to_pylist()
    return found


@pytest.mark.parametrize(
    ("content", "wording"),
    [
        (ROWS, {}),
        (gzip.compress(ROWS), {}),
        (parquet(TABLE), {}),
        (gzip.compress(parquet(TABLE)), {}),
        (ROWS.decode().encode("utf-16"), {"encoding": "utf-16"}),
        (ROWS.decode().encode("cp1252"), {"encoding": "windows-1252"}),
        (ROWS.replace(b",", b";"), {"delimiter": ";"}),
        (ROWS.replace(b",", b"\t"), {"delimiter": "\t"}),
        (b"\n\r\n" + ROWS, {}),
    ],
)
def test_a_file_is_read_however_it_is_packed(tmp_path: Path, content: bytes, wording: dict[str, Any]) -> None:
    """Known by its first bytes where it is gzip or Parquet, the rest as the contract declares it."""
    assert rows(taken(tmp_path, content, **wording)) == [{"a": 1, "b": "x"}, {"a": 2, "b": "é"}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped("xl/workbook.xml", "[Content_Types].xml"), "an Excel workbook (xlsx)"),
        (zipped("rows.csv"), "a zip archive; unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)"),
        (b"%PDF-1.7\n", "a PDF document; save it as CSV"),
        (b"<!DOCTYPE html>\n<html>", "an HTML page (an error or a login page?)"),
        (b"<?xml version='1.0'?><rows/>", "XML"),
        (b'[{"a": 1}, {"a": 2}]', "JSON"),
        (b'{"a": 1}\n{"a": 2}\n', "JSON"),
        (b"ARROW1\0\0", "an Arrow IPC (Feather) file; save it as Parquet"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"\x28\xb5\x2f\xfd\x24", "zstd-compressed data; compress it with gzip"),
        ("a,b\n1,2\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8, or declare dialect"),
        ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16 (big-endian, without a byte order mark)"),
        (gzip.compress(gzip.compress(ROWS)), "compressed twice"),
        (gzip.compress(ROWS)[:20], "gzip-compressed and damaged"),
        (gzip.compress(b"a\n" + b"1\n" * (1 << 20)), "inflates to more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_csv_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    """With what to do instead; no table of one odd column comes of it."""
    result = taken(tmp_path, content)
    assert isinstance(result, Rejected)
    assert says in str([violation.message for violation in result.violations])


@pytest.mark.parametrize(("content", "form", "says"), [(ROWS, "parquet", "is it CSV? send format=csv"),
                                                       (parquet(TABLE), "csv", "the file is Parquet")])  # fmt: skip
def test_a_wrong_format_is_named(tmp_path: Path, content: bytes, form: str, says: str) -> None:
    """What the request says is held against the first bytes."""
    result = taken(tmp_path, content, form)
    assert isinstance(result, Rejected)
    assert says in next(iter(result.violations)).message


def test_a_decimal_comma_is_read_where_it_is_declared(tmp_path: Path) -> None:
    """With the semicolon that comes with it; suggested where it is not declared."""
    content = b"x;y\n1,5;a\n-0,25;b\n"
    assert [row["x"] for row in rows(taken(tmp_path, content, delimiter=";", decimal=","))] == [1.5, -0.25]
    plain = taken(tmp_path, content, delimiter=";")
    assert isinstance(plain, Accepted)
    assert "dialect: {decimal: ','}" in str([w.message for w in plain.warnings])


# multipart/form-data


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    """A body in pieces."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form with these parts: each the rest of its disposition, and its content."""
    each = (b"--B\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), body) for head, body in parts)
    return b"".join(each) + b"--B--\r\n"


FILE = ('name="file"; filename="jan uary.csv"', ROWS)


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_the_file_of_a_form_is_streamed(size: int) -> None:
    """Its bytes and its name, wherever the pieces are cut."""
    part = FormFile(pieces(form(FILE), size), "multipart/form-data; boundary=B")
    assert b"".join([chunk async for chunk in part]) == ROWS
    assert part.name == "jan uary.csv"


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (form(FILE, FILE), "multipart/form-data; boundary=B", "more than one file"),
        (
            form(FILE, ('name="mode"', b"replace")),
            "multipart/form-data; boundary=B",
            "the field 'mode' beside the file",
        ),
        (form(), "multipart/form-data; boundary=B", "the form"),
        (form(FILE)[:-9], "multipart/form-data; boundary=B", "ends before its last boundary"),
        (b"a,b\n1,2\n", "multipart/form-data; boundary=B", "the form cannot be read"),
        (form(FILE), "multipart/form-data", "cannot be read"),
        (form(FILE), "multipart/mixed; boundary=B", "multipart/mixed"),
    ],
)
async def test_a_form_that_is_no_upload_is_refused(body: bytes, content_type: str, says: str) -> None:
    """With the way that works."""
    with pytest.raises(Refused, match=says):
        async for _ in FormFile(pieces(body, 16), content_type):
            pass
