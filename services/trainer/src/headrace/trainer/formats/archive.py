"""How a directory travels: an archive as `headrace.code.archive` reads it; one file travels as it is."""

import shutil
from pathlib import Path, PurePosixPath

from headrace.code import BadPackage
from headrace.code.archive import Limits, examined
from headrace.code.archive import unpack as unpack_archive
from headrace.trainer.formats.base import BadArtifact, beginning

MOST_FILES = 1_000
_MAGIC_AT, _MAGIC = 257, b"ustar"


def check(path: Path, most_bytes: int) -> None:
    """Raise BadArtifact where an archive could not be unpacked; reads nothing but its headers."""
    if not _is_archive(path):
        return
    try:
        examined(path, _limits(most_bytes))
    except BadPackage as error:
        raise BadArtifact(str(error)) from error


def unpack(path: Path, name: str, to: Path, most_bytes: int) -> Path:
    """The directory of an artifact below `to`: what an archive holds, or the one file under its name."""
    to.mkdir(parents=True)
    if not _is_archive(path):
        shutil.copyfile(path, to / (PurePosixPath(name).name or "model"))
        return to
    try:
        unpack_archive(path, to, _limits(most_bytes))
    except BadPackage as error:
        raise BadArtifact(str(error)) from error
    there = list(to.iterdir())
    return there[0] if len(there) == 1 and there[0].is_dir() else to


def _is_archive(path: Path) -> bool:
    return beginning(path, _MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def _limits(most_bytes: int) -> Limits:
    return Limits(MOST_FILES, most_bytes, "send the files of the model alone")
