"""Text files as they were delivered, in UTF-8."""

from __future__ import annotations

import codecs
from pathlib import Path

from headrace.ingest.reading import Wording
from headrace.ingest.sources.sniff import utf16
from headrace.ingest.violations import ENCODING, refuse

CHUNK = 1 << 20


def in_utf8(path: Path, start: bytes, wording: Wording) -> Path:
    """The file itself where its contract says UTF-8, else a copy; raises Unacceptable where it is written otherwise."""
    if wording.encoding != "utf-8":
        return _recoded(path, wording.encoding)
    if not start.startswith((b"\xff\xfe", b"\xfe\xff")) and (what := utf16(start)):
        raise refuse(
            ENCODING, f"the file is {what}; save it as UTF-8, or declare dialect: {{encoding: utf-16}}", line=1
        )
    return path


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
