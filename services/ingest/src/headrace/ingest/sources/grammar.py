"""The one grammar of CSV (RFC 4180): where records end, and what is none.

Lines end with LF or CRLF. A value that begins with a quote ends with a quote, and two of them inside it stand for one;
quotes elsewhere in a value are text. A carriage return stands before a line feed or inside quotes. Every other file is
refused with line and byte, so that no reader has to guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

QUOTE, LF, CR = ord('"'), ord("\n"), ord("\r")
CR_ALONE = "a carriage return (CR) without a line feed; lines end with LF or CRLF"
TEXT_BEHIND = 'text behind the quote that ends a value; a quote inside a quoted value is written twice ("")'
NEVER_CLOSED = "a quoted value that is never closed"


@dataclass(frozen=True)
class Extent:
    """How far whole records reach, and the first fault behind them, with the byte where it stands."""

    end: int
    fault: str | None = None
    at: int = 0


def extent(data: bytes, delimiter: str, *, last: bool, record: int = 1 << 62) -> Extent:
    """The whole records at the beginning of `data`, which begins with one; `last` where nothing comes behind it.

    A rest of more than `record` bytes is looked at again with care: a quote in the midst of a value may have misled.
    """
    lone = b"\r" in data and _has_lone_returns(data, last=last)
    if b'"' not in data:
        end = data.rfind(b"\n") + 1
        return _exact(data, delimiter, last=last) if lone else Extent(len(data) if last else end)
    quick = None if lone else _quick(data, ord(delimiter), last=last)
    if quick is None or len(data) - quick > record:
        return _exact(data, delimiter, last=last)
    return Extent(quick)


def _has_lone_returns(data: bytes, *, last: bool) -> bool:
    torn = not last and data.endswith(b"\r")  # its line feed may come next
    return data.count(b"\r") - torn != data.count(b"\r\n")


def _quick(data: bytes, delimiter: int, *, last: bool) -> int | None:
    """Where records end, if every quote stands at the border of a value; None where one does not."""
    text = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(text == QUOTE)
    end = len(data)
    if not last:
        lines = np.flatnonzero(text == LF)
        outside = lines[np.searchsorted(quotes, lines) % 2 == 0]
        end = int(outside[-1]) + 1 if len(outside) else 0
        inside = np.searchsorted(quotes, end)
        if inside < len(quotes) and quotes[inside] > 0 and text[quotes[inside] - 1] not in (delimiter, LF):
            return None
        quotes = quotes[:inside]
    if len(quotes) % 2:
        return None
    opening, closing = quotes[0::2], quotes[1::2]
    before = text[np.maximum(opening - 1, 0)]
    behind = text[np.minimum(closing + 1, len(text) - 1)]
    begins = (opening == 0) | (before == delimiter) | (before == LF)
    ends = (closing == len(text) - 1) | (behind == delimiter) | (behind == LF) | (behind == CR)
    doubled = opening[1:] - closing[:-1] == 1
    begins[1:] |= doubled
    ends[:-1] |= doubled
    return end if begins.all() and ends.all() else None


@cache
def _value(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter).encode()
    return re.compile(
        rb'(?:"(?:[^"]++|"")*+"|[^"' + mark + rb"\r\n][^" + mark + rb"\r\n]*+)?(?P<end>" + mark + rb"|\r?\n|\Z)"
    )


def _exact(data: bytes, delimiter: str, *, last: bool) -> Extent:
    """Value by value: slow, and asked only where quotes or carriage returns stand in odd places."""
    at = end = 0
    value = _value(delimiter)
    while at < len(data):
        found = value.match(data, at)
        if found is None:
            return _faulty(data, at, end, last=last)
        if found["end"] == b"" and not last:
            return Extent(end)
        at = found.end()
        if found["end"] != delimiter.encode():
            end = at
    return Extent(len(data) if last else end)


def first_record(data: bytes, delimiter: str) -> int:
    """Bytes of the first record and its line end; the header may span lines inside quotes."""
    at, value = 0, _value(delimiter)
    while found := value.match(data, at):
        at = found.end()
        if found["end"] != delimiter.encode():
            break
    return at


_QUOTED = re.compile(rb'"(?:[^"]++|"")*+"')


def _faulty(data: bytes, at: int, end: int, *, last: bool) -> Extent:
    if data[at] == QUOTE:
        closed = _QUOTED.match(data, at)
        if closed is None:
            return Extent(end, NEVER_CLOSED, at) if last else Extent(end)
        at = closed.end()
        if not last and data[at:] in (b"", b"\r"):
            return Extent(end)
    else:
        at = data.find(b"\r", at)
        if not last and at == len(data) - 1:
            return Extent(end)
    return Extent(end, CR_ALONE if data[at] == CR else TEXT_BEHIND, at)
