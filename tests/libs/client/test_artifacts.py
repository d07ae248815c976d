"""What is sent of a model that was made elsewhere."""

import os
import tarfile
from pathlib import Path

import pytest

from headrace.client.artifacts import packed
from headrace.client.errors import HeadraceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file in a folder."""
    made = tmp_path / "model"
    (made / "data").mkdir(parents=True)
    (made / "MLmodel").write_text("flavors: {}")
    (made / "data" / "model.onnx").write_bytes(b"graph")
    return made


def test_a_file_is_sent_as_it_is(folder: Path) -> None:
    """Nothing is packed that needs no packing."""
    with packed(folder / "MLmodel") as file:
        assert file == folder / "MLmodel"


def test_equal_folders_are_equal_archives(folder: Path) -> None:
    """Neither times nor the order on the disk tell them apart, so the same model has the same digest."""
    with packed(folder) as file:
        first = file.read_bytes()
        with tarfile.open(file) as archive:
            assert archive.getnames() == ["MLmodel", "data/model.onnx"]
            assert {(each.mtime, each.uid, each.mode) for each in archive} == {(0, 0, 0o644)}
    os.utime(folder / "MLmodel", (1, 1))
    (folder / "MLmodel").chmod(0o600)
    with packed(folder) as file:
        assert file.read_bytes() == first
    assert not file.exists()


def test_what_cannot_be_sent_is_named(folder: Path, tmp_path: Path) -> None:
    """A link leads to what is no part of the model; an empty folder, and none at all, are no models."""
    (folder / "secrets").symlink_to("/etc/passwd")
    with pytest.raises(HeadraceError, match="secrets is a link"), packed(folder):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(HeadraceError, match="holds no files"), packed(tmp_path / "empty"):
        pass
    with pytest.raises(HeadraceError, match="no such file or folder"), packed(tmp_path / "nothing"):
        pass
