"""A body that was compressed for the way (Content-Encoding), as it was before: a stream in bounded pieces."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator

from headrace.bus import Refused

PIECE = 1 << 20  # bytes that are inflated at once; whoever reads them counts them
_GZIP = 16 + zlib.MAX_WBITS


def inflated(chunks: AsyncIterable[bytes], encoding: str | None) -> AsyncIterable[bytes]:
    """The stream without its Content-Encoding, which is `gzip` or none; the edge refuses others."""
    return chunks if (encoding or "identity").lower() == "identity" else _gunzipped(chunks)


async def _gunzipped(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Members of gzip, one after the other; raises Refused where the stream is damaged or ends early."""
    reader, begun = zlib.decompressobj(_GZIP), False
    async for chunk in chunks:
        waiting = chunk
        while waiting:
            if reader.eof:
                reader = zlib.decompressobj(_GZIP)
            begun = True
            yield await asyncio.to_thread(_piece, reader, waiting)
            waiting = reader.unconsumed_tail or reader.unused_data
    while begun and not reader.eof and (piece := await asyncio.to_thread(_piece, reader, b"")):
        yield piece
    if begun and not reader.eof:
        raise Refused("the body ends in the midst of its gzip data; send it again")


def _piece(reader: zlib._Decompress, data: bytes) -> bytes:
    try:
        return reader.decompress(data, PIECE)
    except zlib.error as error:
        raise Refused(f"the body is not gzip, as its Content-Encoding says, or damaged: {error}") from None
