"""Content of unknown length goes to disk first: its digest, which is its name, is known only at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile


@asynccontextmanager
async def spooled(blocks: AsyncIterator[bytes]) -> AsyncIterator[Path]:
    """A file with the content of `blocks`, gone afterwards."""
    with NamedTemporaryFile(prefix="headrace-spool-") as file:
        async for block in blocks:
            file.write(block)
        file.flush()
        yield Path(file.name)
