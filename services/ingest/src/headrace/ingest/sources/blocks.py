"""A CSV file in blocks of whole records, in bounded memory: lines, quotes, encoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.ingest.sources.grammar import LF, Extent, extent
from headrace.ingest.violations import ENCODING, PARSE, Unacceptable, Violations, refuse

BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
UTF8_BOM = b"\xef\xbb\xbf"
SHOWN = 60  # bytes of a line in front of a fault


@dataclass(frozen=True)
class Block:
    """Whole records of a CSV file: their bytes, and where the first one stands."""

    data: bytes
    line: int  # of the file, from 1
    offset: int  # in the file, in bytes


@dataclass(frozen=True)
class Limits:
    """How much a file may hold, and how much memory a part of it may take."""

    block: int = 4 << 20  # of CSV parsed at once; larger ones gain nothing and cost memory
    line: int = 4 << 20  # bytes between two line ends
    columns: int = 4096  # each costs a profile, a rule and a place in the record of every version
    rows: int = 1_000_000_000  # of Parquet, whose rows may take next to nothing; those of CSV take bytes
    file: int = 64 << 30  # bytes of an upload
    inflated: int = 256 << 20  # bytes of a part of a Parquet column that inflates a hundredfold

    def check_columns(self, many: int) -> None:
        """Refuse a file with too many columns."""
        if many > self.columns:
            raise refuse(PARSE, f"the file has {many:,} columns; at most {self.columns:,} are taken")

    @property
    def record(self) -> int:
        """Bytes of one record, which may span lines inside quotes."""
        return 2 * self.block


def blocks(path: Path, limits: Limits, delimiter: str = ",") -> Iterator[Block]:
    """Cut a file after records; raises `Unacceptable` for what no parser may see."""
    with path.open("rb") as file:
        rest, line, offset = 0, 1, _skip_bom(file.read(4))
        file.seek(offset)
        while data := file.read(rest + limits.block):
            end = _checked_end(data, line, offset, limits, delimiter, last=len(data) == rest)
            block = data[:end]
            yield from _block(block, line, offset)
            rest, line, offset = len(data) - end, line + lines_of(block), offset + end
            file.seek(offset)


def lines_of(data: bytes) -> int:
    """How many lines end in some bytes; fast even where they are short."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == LF))


def _skip_bom(start: bytes) -> int:
    for mark, name in BOMS.items():
        if start.startswith(mark):
            raise refuse(
                ENCODING, f"the file is {name}; save it as UTF-8, or declare dialect: {{encoding: ...}}", line=1
            )
    return len(UTF8_BOM) if start.startswith(UTF8_BOM) else 0


def _block(data: bytes, line: int, offset: int) -> Iterator[Block]:
    if data:
        block = Block(data, line, offset)
        _check_encoding(block)
        yield block


def _checked_end(data: bytes, line: int, offset: int, limits: Limits, delimiter: str, *, last: bool) -> int:
    found = extent(data, delimiter, last=last, record=limits.record)
    if found.fault is not None:
        raise _fault(found, data, line, offset)
    _check_lines(data, line, limits)
    if len(data) - found.end > limits.record:
        at = line + data.count(b"\n", 0, found.end)
        raise refuse(
            PARSE,
            f"a quoted value that opens in the record of line {at} is not closed within {limits.record >> 20} MiB",
            line=at,
        )
    return found.end


def _fault(found: Extent, data: bytes, line: int, offset: int) -> Unacceptable:
    """What the grammar does not know, by line and byte, with the text before it."""
    at = line + data.count(b"\n", 0, found.at)
    begin = data.rfind(b"\n", 0, found.at) + 1
    before = data[max(begin, found.at - SHOWN) : found.at + 1].decode("utf-8", "backslashreplace")
    violations = Violations(keep=1)
    violations.extend(
        PARSE, f"line {at} (byte {offset + found.at} of the file): {found.fault}", None, 1, [(at, before)]
    )
    return Unacceptable(violations)


def _check_lines(data: bytes, line: int, limits: Limits) -> None:
    """Leap from line end to line end, as far as a line may be long: nearly free on good files."""
    at = 0
    while len(data) - at > limits.line:
        end = data.rfind(b"\n", at, at + limits.line + 1)
        if end < 0:
            number = line + data.count(b"\n", 0, at)
            raise refuse(PARSE, f"line {number} is longer than {limits.line >> 20} MiB", line=number)
        at = end + 1


def _check_encoding(block: Block) -> None:
    if b"\0" in block.data:
        at = block.data.index(b"\0")
        line = block.line + block.data.count(b"\n", 0, at)
        raise refuse(ENCODING, f"line {line} holds a NUL byte (byte {block.offset + at} of the file)", line=line)
    if block.data.isascii():
        return
    try:
        block.data.decode()
    except UnicodeDecodeError as error:
        raise Unacceptable(_bad_bytes(block, error)) from error


def _bad_bytes(block: Block, error: UnicodeDecodeError) -> Violations:
    line = block.line + block.data.count(b"\n", 0, error.start)
    begin = block.data.rfind(b"\n", 0, error.start) + 1
    text = block.data[begin : error.start + 20].split(b"\n")[0].decode("utf-8", "backslashreplace").rstrip("\r")
    byte = block.data[error.start]
    violations = Violations(keep=1)
    violations.extend(
        ENCODING,
        f"byte 0x{byte:02x} at position {error.start - begin + 1} of line {line} "
        f"(byte {block.offset + error.start} of the file) is not UTF-8; save the file as UTF-8",
        None,
        1,
        [(line, text)],
    )
    return violations
