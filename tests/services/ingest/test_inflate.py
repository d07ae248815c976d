"""An upload that was compressed for the way is the file that was compressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.bus import Refused
from headrace.ingest.inflate import PIECE, inflated
from headrace.testkit import Harness
from headrace.testkit.examples import examples

CSV = b"carrier,delay\nAA,1.5\nUA,2.5\n"


async def sent(data: bytes, size: int) -> AsyncIterator[bytes]:
    """A stream in chunks of one size, behind an empty one."""
    yield b""
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def read(data: bytes, size: int = 1000) -> bytes:
    """What comes out of the stream."""
    return b"".join([piece async for piece in inflated(sent(data, size), "gzip")])


@settings(max_examples=examples(100))
@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 50))
async def test_whatever_was_compressed_comes_out(members: list[bytes], size: int) -> None:
    """Of any number of members, in chunks that cut them anywhere."""
    assert await read(b"".join(map(gzip.compress, members)), size) == b"".join(members)


async def test_what_inflates_much_comes_in_bounded_pieces() -> None:
    """So that whoever counts them can stop in time."""
    sizes = [len(piece) async for piece in inflated(sent(gzip.compress(bytes(50 << 20)), 1 << 20), "gzip")]

    assert sum(sizes) == 50 << 20
    assert max(sizes) <= PIECE


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gzip.compress(CSV, mtime=0)[:-9], "ends in the midst"),
        (gzip.compress(CSV, mtime=0)[:5], "ends in the midst"),
        (gzip.compress(CSV, mtime=0) + gzip.compress(CSV)[:12], "ends in the midst"),
        (gzip.compress(CSV, mtime=0) + b"more", "not gzip"),
        (zlib.compress(CSV), "not gzip"),
        (CSV, "not gzip"),
    ],
    ids=["cut at its end", "cut in its head", "cut in its second member", "more behind it", "zlib", "plain"],
)
async def test_what_is_no_gzip_is_refused_with_the_reason(data: bytes, why: str) -> None:
    """Wherever it breaks off."""
    with pytest.raises(Refused, match=why):
        await read(data)


async def upload(on: Harness, content: bytes, **headers: str) -> Any:
    """An upload with headers of its own."""
    return await on.http.post(
        "/datasets/flights/files", content=content, headers={"content-type": "text/csv"} | headers
    )


async def test_a_compressed_upload_is_the_same_version_as_the_file_itself(on: Harness) -> None:
    """Its digest is that of the file, also where that file is itself gzip."""
    packed = {"content-encoding": "gzip"}
    first = await upload(on, gzip.compress(CSV, mtime=0), **packed)
    again = await upload(on, CSV)
    twice = await upload(on, gzip.compress(gzip.compress(CSV + b"B6,3.5\n", mtime=0)), **packed)

    assert (first.status_code, first.json()["rows"]) == (201, 2)
    assert (again.status_code, again.json()["sha256"]) == (200, first.json()["sha256"])
    assert (twice.status_code, twice.json()["added_rows"]) == (201, 3)


async def test_a_compressed_form_is_taken_and_damage_is_refused(on: Harness) -> None:
    """422 says what is wrong; nothing has happened."""
    form = b'--b\r\ncontent-disposition: form-data; name="f"; filename="x.csv"\r\n\r\n' + CSV + b"\r\n--b--\r\n"
    types = {"content-type": "multipart/form-data; boundary=b", "content-encoding": "gzip"}

    damaged = await upload(on, gzip.compress(CSV, mtime=0)[:-3], **{"content-encoding": "gzip"})
    taken = await upload(on, gzip.compress(form, mtime=0), **types)

    assert damaged.status_code == 422
    assert "ends in the midst of its gzip data" in damaged.json()["detail"]
    assert (taken.status_code, taken.json()["version"], taken.json()["rows"]) == (201, 1, 2)
