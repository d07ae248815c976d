"""A package as one file: a plain tar of regular files in a fixed order, so that equal folders are equal bytes.

Its digest is the SHA-256 of that file. Whoever takes an archive from somebody else reads it member by member, and
writes it anew: what is stored is always of this form.
"""

import hashlib
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from headrace.code.errors import BadPackage
from headrace.code.selection import select

LONGEST_PATH = 200  # characters; below the limits of every file system
_BLOCK = 1 << 20
_PLAIN, _PROGRAM = 0o644, 0o755


@dataclass(frozen=True)
class Limits:
    """How large a package may be: code and small files; data belong into a dataset."""

    files: int = 2_000
    size: int = 64 << 20
    """Bytes of all files together."""
    advice: str = "ignore what is no code, and ingest what is data"
    """What to do about a larger one."""


@dataclass(frozen=True)
class Member:
    """One file of a package."""

    path: str
    size: int
    program: bool
    """Whether it may be executed."""


@dataclass(frozen=True)
class Package:
    """An archive on this machine's disk, and what it holds."""

    archive: Path
    sha256: str
    members: tuple[Member, ...]
    commit: str | None = None
    dirty: bool | None = None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(each.size for each in self.members)


def pack(folder: Path, to: Path, limits: Limits | None = None) -> Package:
    """Pack a folder into the file `to`; raises BadPackage at a link, a special file, or where it is too large."""
    chosen = select(folder)
    if not chosen.files:
        raise BadPackage(f"{folder} has no file that is not ignored")
    members = [_member(folder, name) for name in chosen.files]
    _check(members, limits or Limits())
    with to.open("wb") as out:
        _write(out, members, (folder / each.path for each in members))
    return Package(to, _digest(to), tuple(members), chosen.commit, chosen.dirty)


def examined(archive: Path, limits: Limits | None = None) -> tuple[Member, ...]:
    """What an archive holds, by its headers alone: nothing is written; raises BadPackage where `unpack` would."""
    with _opened(archive) as tar:
        members = tuple(member for member, _ in _read(tar, limits or Limits()))
        _check_end(archive, tar.offset)
    _check_places(members)
    return members


def unpack(archive: Path, to: Path, limits: Limits | None = None) -> tuple[Member, ...]:
    """Write the files of an archive below a folder, and never outside it, whatever it holds; raises BadPackage."""
    members = []
    with _opened(archive) as tar:
        for member, content in _read(tar, limits or Limits()):
            path = to / member.path
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as out:
                    _copy(content, out)
            except (FileExistsError, NotADirectoryError) as error:
                raise BadPackage(_twice(member.path)) from error
            path.chmod(_PROGRAM if member.program else _PLAIN)
            members.append(member)
        _check_end(archive, tar.offset)
    _check_places(members)
    return tuple(members)


def normal(archive: Path, scratch: Path, limits: Limits | None = None) -> Package:
    """The same files as `pack` would have packed them; `scratch` is an empty folder. Raises BadPackage."""
    files, to = scratch / "files", scratch / "package.tar"
    members = sorted(unpack(archive, files, limits), key=lambda each: each.path)
    with to.open("wb") as out:
        _write(out, members, (files / each.path for each in members))
    return Package(to, _digest(to), tuple(members))


def _member(folder: Path, name: str) -> Member:
    _check_name(name)
    path = folder / name
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise BadPackage(f"{name} is a link to {path.readlink()}; put the file itself there, or ignore it")
    if not stat.S_ISREG(found.st_mode):
        raise BadPackage(f"{name} is no regular file (a submodule, a socket or a device); ignore it")
    if any((folder / each).is_symlink() for each in PurePosixPath(name).parents):
        raise BadPackage(f"{name} lies behind a link; put the folder itself there, or ignore it")
    return Member(name, found.st_size, bool(found.st_mode & 0o100))


def _check(members: Iterable[Member], limits: Limits) -> None:
    size = 0
    for count, each in enumerate(members, 1):
        size += each.size
        if count > limits.files:
            raise BadPackage(f"it has more than {limits.files:,} files; {limits.advice}")
        if size > limits.size:
            raise BadPackage(f"it is larger than {limits.size:,} bytes at {each.path}; {limits.advice}")


def _check_places(members: Sequence[Member]) -> None:
    """Refuse an archive without files, or with two in one place."""
    if not members:
        raise BadPackage("the archive holds no file")
    files: set[str] = set()
    folders: set[str] = set()
    for each in members:
        above = {str(folder) for folder in PurePosixPath(each.path).parents}
        if each.path in files or each.path in folders or above & files:
            raise BadPackage(_twice(each.path))
        files.add(each.path)
        folders |= above


def _twice(path: str) -> str:
    return f"{path} is in the archive twice, or as a file and as a folder"


def _check_name(name: str) -> None:
    """Refuse what leads out of the folder, or is not the same path everywhere."""
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise BadPackage(f"{name!r} is no path inside the folder that it was packed from")
    if "\\" in name or not name.isprintable():
        raise BadPackage(f"the path {name!r} holds a backslash or a character that cannot be printed; rename it")
    if len(name) > LONGEST_PATH:
        raise BadPackage(f"the path {name[:60]!r}... is longer than {LONGEST_PATH} characters")


def _write(out: IO[bytes], members: Iterable[Member], files: Iterable[Path]) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, path in zip(members, files, strict=True):
            told = tarfile.TarInfo(member.path)
            told.size, told.mode = member.size, _PROGRAM if member.program else _PLAIN
            with path.open("rb") as content:
                tar.addfile(told, content)


def _opened(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, mode="r:")  # plain alone: what is compressed can grow a thousandfold
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadPackage(f"this is no plain tar archive: {error}") from error


def _read(tar: tarfile.TarFile, limits: Limits) -> Iterator[tuple[Member, IO[bytes]]]:
    members: list[Member] = []
    while (told := _next(tar)) is not None:
        name = told.name.removeprefix("./")
        if told.isdir():
            continue
        _check_name(name)
        if told.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or told.sparse is not None:
            raise BadPackage(f"{name} is no plain file; links and special files are not taken")
        members.append(Member(name, told.size, bool(told.mode & 0o100)))
        _check(members, limits)
        content = tar.extractfile(told)
        assert content is not None
        yield members[-1], content


def _check_end(archive: Path, offset: int) -> None:
    """An archive ends with empty blocks; one that was cut between two files does not, and tarfile takes it as whole."""
    with archive.open("rb") as file:
        file.seek(offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise BadPackage("the archive is damaged: it was cut")


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except (tarfile.TarError, ValueError, OverflowError, OSError, UnicodeError) as error:
        raise BadPackage(f"the archive is damaged: {error}") from error


def _copy(content: IO[bytes], out: IO[bytes]) -> None:
    try:
        while block := content.read(_BLOCK):
            out.write(block)
    except (tarfile.TarError, EOFError) as error:
        raise BadPackage(f"the archive is damaged: {error}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
