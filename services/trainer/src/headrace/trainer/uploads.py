"""A body that is sent, to a file: in pieces, no larger than is allowed, and without keeping the loop from others."""

import asyncio
from collections.abc import AsyncIterable
from pathlib import Path

from headrace.bus import Refused

_BUFFER = 1 << 20


async def spooled(chunks: AsyncIterable[bytes], path: Path, largest: int, too_large: str) -> int:
    """Write what is sent; returns its bytes. Raises Refused with `too_large` at the first byte beyond `largest`."""
    size = 0
    with path.open("wb", buffering=_BUFFER) as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > largest:
                raise Refused(too_large)
            await asyncio.to_thread(file.write, chunk)
    return size
