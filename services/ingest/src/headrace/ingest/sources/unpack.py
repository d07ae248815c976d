"""From a file as it was delivered to one that can be read: inflated, and in UTF-8."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from headrace.ingest.reading import Wording
from headrace.ingest.sources.sniff import GZIP, PARQUET, SNIFFED, unfit, utf16
from headrace.ingest.violations import ENCODING, PARSE, refuse

CHUNK = 1 << 20


def unpacked(path: Path, form: str | None, wording: Wording, largest: int) -> tuple[Path, str]:
    """A file that can be read, and its format; raises Unacceptable where it is neither CSV nor Parquet.

    `form` is the format that the deliverer states; None: Parquet where the first bytes say so, else CSV.
    """
    if _start(path).startswith(GZIP):
        path = _inflated(path, largest)
    start = _start(path)
    if start.startswith(GZIP):
        raise refuse(PARSE, "the file is compressed twice; compress it once")
    is_parquet = start.startswith(PARQUET)
    if why := unfit(start):
        raise refuse(PARSE, why)
    if form == "csv" and is_parquet:
        raise refuse(
            PARSE, "the file is Parquet, and was sent as CSV; send it with format=parquet, or without a format"
        )
    if form == "parquet" and start and not is_parquet:
        raise refuse(PARSE, "not a readable Parquet file: it does not begin with PAR1; is it CSV? send format=csv")
    if is_parquet or form == "parquet":
        return path, "parquet"
    return (path if wording.encoding == "utf-8" else _recoded(path, wording.encoding)), _checked(start, wording)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SNIFFED)


def _checked(start: bytes, wording: Wording) -> str:
    if wording.encoding == "utf-8" and not start.startswith((b"\xff\xfe", b"\xfe\xff")) and (what := utf16(start)):
        raise refuse(
            ENCODING, f"the file is {what}; save it as UTF-8, or declare dialect: {{encoding: utf-16}}", line=1
        )
    return "csv"


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


def _recoded(path: Path, encoding: str) -> Path:
    """The text in UTF-8; every character of the declared encoding has one."""
    out, line = path.with_name(f"{path.name}.utf8"), 1
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file, out.open("w", encoding="utf-8", newline="") as text:
        try:
            while chunk := file.read(CHUNK):
                decoded = decoder.decode(chunk)
                line += decoded.count("\n")
                text.write(decoded)
            text.write(decoder.decode(b"", final=True))
        except UnicodeDecodeError as error:
            raise refuse(
                ENCODING, f"the file is not {encoding}: {error.reason} behind line {line}", line=line
            ) from error
    return out
