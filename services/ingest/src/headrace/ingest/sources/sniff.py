"""What a file is, by its first bytes: what is no CSV is named as what it is, with what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping

SNIFFED = 4096  # bytes that are looked at
GZIP = b"\x1f\x8b"
AS_CSV = "save it as CSV (UTF-8) or Parquet"
UNPACK = "unpack it, and send each file in it by itself"

MAGIC: Mapping[bytes, tuple[str, str]] = {
    b"BZh": ("bzip2-compressed data", "compress it with gzip, or not at all"),
    b"\xfd7zXZ": ("xz-compressed data", "compress it with gzip, or not at all"),
    b"\x28\xb5\x2f\xfd": ("zstd-compressed data", "compress it with gzip, or not at all"),
    b"7z\xbc\xaf": ("a 7z archive", UNPACK),
    b"Rar!": ("a RAR archive", UNPACK),
    b"ARROW1": ("an Arrow IPC (Feather) file", "save it as Parquet"),
    b"ORC": ("an ORC file", "save it as Parquet"),
    b"Obj\x01": ("an Avro file", "save it as Parquet"),
    b"\x89HDF": ("an HDF5 file", "save it as Parquet"),
    b"\x93NUMPY": ("a NumPy array", "save it as Parquet"),
    b"\x80\x04": ("a Python pickle", "save it as Parquet"),
    b"\x80\x05": ("a Python pickle", "save it as Parquet"),
    b"SQLite format 3": ("an SQLite database", AS_CSV),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook (xls)", AS_CSV),
    b"%PDF": ("a PDF document", AS_CSV),
    b"{\\rtf": ("an RTF document", AS_CSV),
    b"\x89PNG": ("a PNG image", AS_CSV),
    b"\xff\xd8\xff": ("a JPEG image", AS_CSV),
}
_MARKUP = re.compile(rb"\s*<(!doctype html|html|head|body|table)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml|\s*<[A-Za-z][\w:.-]*[ >/]")
_JSON = re.compile(rb"\s*(\{\s*(\"|\}|\Z)|\[\s*(\{|\[|\]|\"[^\"]*\"\s*:|-?\d+\s*[,\]]))")


def unfit(start: bytes) -> str | None:
    """Why a file that begins so is neither CSV nor Parquet, and what to do; None where nothing speaks against it."""
    for magic, (what, remedy) in MAGIC.items():
        if start.startswith(magic):
            return f"the file is {what}; {remedy}"
    if start.startswith(b"PK\x03\x04"):
        return f"the file is {_zipped(start)}"
    text = start.removeprefix(b"\xef\xbb\xbf")
    if _MARKUP.match(text):
        return f"the file is an HTML page (an error or a login page?); {AS_CSV}"
    if _XML.match(text):
        return f"the file is XML; {AS_CSV}"
    if _JSON.match(text):
        return f"the file is JSON; {AS_CSV}"
    return None


def _zipped(start: bytes) -> str:
    if b"[Content_Types].xml" in start or b"xl/" in start or b"_rels/" in start:
        return f"an Excel workbook (xlsx) or another Office document; {AS_CSV}"
    if b"mimetypeapplication/vnd.oasis" in start:
        return f"an OpenDocument file; {AS_CSV}"
    return f"a zip archive; {UNPACK}"


def utf16(start: bytes) -> str | None:
    """UTF-16 without a byte order mark: every other byte is zero."""
    even, odd = start[0:200:2], start[1:200:2]
    if len(start) < 4 or not (even + odd).count(0):
        return None
    if odd.count(0) >= 0.4 * len(odd) and not even.count(0):
        return "UTF-16 (little-endian, without a byte order mark)"
    if even.count(0) >= 0.4 * len(even) and not odd.count(0):
        return "UTF-16 (big-endian, without a byte order mark)"
    return None
