"""How a directory travels: a tar archive without compression, links or ways out; one file travels as it is."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from headrace.trainer.formats.base import BadArtifact

MOST_FILES = 1_000
_DEEPEST = 10
_LONGEST = 255  # characters of a name
_END = 1024
_MAGIC_AT, _MAGIC = 257, b"ustar"


def check(path: Path, most_bytes: int) -> None:
    """Raise BadArtifact where an archive could not be unpacked; reads nothing but its headers."""
    if _is_archive(path):
        for _ in _members(path, most_bytes):
            pass


def unpack(path: Path, name: str, to: Path, most_bytes: int) -> Path:
    """The directory of an artifact below `to`: what an archive holds, or the one file under its name."""
    to.mkdir(parents=True)
    if not _is_archive(path):
        shutil.copyfile(path, to / (PurePosixPath(name).name or "model"))
        return to
    for archive, member in _members(path, most_bytes):
        _write(archive, member, to)
    there = list(to.iterdir())
    return there[0] if len(there) == 1 and there[0].is_dir() else to


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(_MAGIC_AT)
        return file.read(len(_MAGIC)) == _MAGIC


def _members(path: Path, most_bytes: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The files of an archive, each one looked at."""
    _must_have_an_end(path)
    seen: set[str] = set()
    total = 0
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                _must_be_plain(member)
                if not member.isfile():
                    continue
                total += member.size
                if total > most_bytes or len(seen) == MOST_FILES:
                    raise BadArtifact(f"the archive has more than {MOST_FILES} files, or {most_bytes:,} bytes in them")
                if member.name in seen:
                    raise BadArtifact(f"the archive has {member.name!r} twice")
                seen.add(member.name)
                yield archive, member
    except (tarfile.TarError, EOFError) as error:
        raise BadArtifact(f"the archive is damaged, or was cut: {error}") from error
    if not seen:
        raise BadArtifact("the archive has no files")


def _must_have_an_end(path: Path) -> None:
    """Two empty blocks end an archive; cut between two members it would only seem smaller."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END))
        if file.read().strip(b"\0"):
            raise BadArtifact("the archive was cut: it has no end")


def _must_be_plain(member: tarfile.TarInfo) -> None:
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise BadArtifact(f"the archive has {member.name!r}, which is a link or a device; send files alone")
    parts = PurePosixPath(member.name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in member.name or "\0" in member.name:
        raise BadArtifact(f"the archive has {member.name!r}, a name that leads out of it")
    if len(parts) > _DEEPEST or max(map(len, parts)) > _LONGEST:
        raise BadArtifact(f"the archive has the name {member.name[:80]!r}, which is too long or too deep")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, to: Path) -> None:
    place = to / member.name
    source = archive.extractfile(member)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            shutil.copyfileobj(source, file)  # type: ignore[arg-type]
    except OSError as error:
        raise BadArtifact(f"the archive has {member.name!r}, which cannot be written: {error.strerror}") from error
    if place.stat().st_size != member.size:
        raise BadArtifact(f"the archive was cut within {member.name!r}")
