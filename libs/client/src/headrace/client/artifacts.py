"""A model that was made elsewhere as one stream: a file as it is, a folder as a plain tar archive."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from headrace.client.errors import HeadraceError


@contextmanager
def packed(path: Path) -> Iterator[Path]:
    """The one file to send; raises HeadraceError, naming what cannot be sent.

    Equal folders are equal archives: files in order of their names, without times and owners. Links are not followed,
    since what they lead to is no part of the model.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise HeadraceError(f"{path}: no such file or folder")
    with TemporaryDirectory(prefix="headrace-import-") as scratch:
        archive = Path(scratch) / "model.tar"
        _pack(path, archive)
        yield archive


def _pack(folder: Path, to: Path) -> None:
    files = sorted(each for each in folder.rglob("*") if not each.is_dir() or each.is_symlink())
    if not files:
        raise HeadraceError(f"{folder} holds no files")
    with tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            if file.is_symlink() or not file.is_file():
                raise HeadraceError(f"{file} is a link or no plain file; put the file itself there")
            member = tarfile.TarInfo(file.relative_to(folder).as_posix())
            member.size, member.mode = file.stat().st_size, 0o644
            with file.open("rb") as content:
                archive.addfile(member, content)
