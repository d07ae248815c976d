"""From a file as it was delivered to one that can be read: inflated, and of a known format."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from headrace.ingest.reading import Wording
from headrace.ingest.sources import SOURCES, USUAL
from headrace.ingest.sources.formats import Format
from headrace.ingest.sources.sniff import GZIP, SNIFFED, unfit
from headrace.ingest.violations import PARSE, refuse

CHUNK = 1 << 20


def unpacked(path: Path, form: str | None, wording: Wording, largest: int) -> tuple[Path, Format]:
    """A file that can be read, and its format; raises Unacceptable where it has none that is known.

    `form` is the format that the deliverer states; None: the one that the first bytes say, else CSV.
    """
    if _start(path).startswith(GZIP):
        path = _inflated(path, largest)
    start = _start(path)
    if start.startswith(GZIP):
        raise refuse(PARSE, "the file is compressed twice; compress it once")
    found = _format(start, SOURCES[form] if form else None)
    return found.prepare(path, start, wording), found


def _format(start: bytes, stated: Format | None) -> Format:
    begins = next((each for each in SOURCES.values() if each.magic and start.startswith(each.magic)), None)
    found = stated or begins or USUAL
    if begins is not None and begins is not found:
        raise refuse(
            PARSE,
            f"the file is {begins.title}, and was sent as {found.title}; send it with format={begins.name}, "
            "or without a format",
        )
    if found.magic and start and begins is None:
        wrong = f"not a readable {found.title} file: it does not begin with {found.magic.decode('latin-1')}"
        raise refuse(PARSE, unfit(start) or f"{wrong}; is it {USUAL.title}? send format={USUAL.name}")
    return found


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SNIFFED)


def _inflated(path: Path, largest: int) -> Path:
    """The content of a gzip file, beside it; within the limit that an upload has."""
    out, size = path.with_name(f"{path.name}.inflated"), 0
    try:
        with gzip.open(path) as file, out.open("wb") as plain:
            while chunk := file.read(CHUNK):
                size += plain.write(chunk)
                if size > largest:
                    raise refuse(PARSE, f"the file inflates to more than {largest:,} bytes; send it in parts")
    except (OSError, EOFError, zlib.error) as error:
        raise refuse(PARSE, f"the file is gzip-compressed and damaged: {error}") from error
    return out
