"""What a file format brings: how a file of it is recognized, prepared and opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headrace.ingest.reading import Wording
from headrace.ingest.sources.batch import Source
from headrace.ingest.sources.blocks import Limits


def _as_it_is(path: Path, start: bytes, wording: Wording) -> Path:
    return path


@dataclass(frozen=True)
class Format:
    """A format of files that are taken."""

    name: str
    """As `format` names it."""
    title: str
    """As sentences name it."""
    about: str
    open: Callable[[Path, Limits, int, Wording], Source]
    """Opens a prepared file, within limits, keeping so many offending rows a violation; raises Unacceptable."""
    suffixes: tuple[str, ...] = ()
    """Ends of file names that state it."""
    media: tuple[str, ...] = ()
    """Words of media types that state it."""
    magic: bytes | None = None
    """How each file of it begins; None for text, which is recognized by what is stated alone."""
    prepare: Callable[[Path, bytes, Wording], Path] = _as_it_is
    """Makes a file that `open` reads, given its first bytes; raises Unacceptable."""

    def is_stated_by(self, content_type: str, name: str) -> bool:
        """Whether a media type or a file name says that a file has this format."""
        return name.lower().endswith(self.suffixes) or any(word in content_type.lower() for word in self.media)
