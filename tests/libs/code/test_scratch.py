"""Folders for the time of one piece of work."""

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.code.scratch import held, scratch, sweep


def test_it_is_there_for_as_long_as_the_work_lasts(tmp_path: Path) -> None:
    """Under its prefix, for its owner alone, and gone with all that it holds."""
    with scratch("work-", tmp_path) as folder:
        (folder / "below").mkdir()
        (folder / "below" / "file").write_text("words")
        assert folder.parent == tmp_path
        assert folder.name.startswith("work-")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_it_goes_when_the_work_fails(tmp_path: Path) -> None:
    """The error is told on."""
    with pytest.raises(ZeroDivisionError), scratch("work-", tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_it_lies_where_temporary_files_lie_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder of the process."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch("work-") as folder:
        assert folder.parent == tmp_path


def test_pieces_of_work_do_not_meet(tmp_path: Path) -> None:
    """Each has a folder of its own; a new one leaves those that are in use."""
    first = held("work-", tmp_path)
    (first.path / "file").write_text("mine")
    with scratch("work-", tmp_path) as second:
        assert second != first.path
        assert (first.path / "file").read_text() == "mine"
    assert first.path.is_dir()
    first.remove()
    assert not first.path.exists()


def test_what_is_gone_already_is_removed_without_an_error(tmp_path: Path) -> None:
    """Somebody may have cleaned the disk."""
    folder = held("work-", tmp_path)
    sweep("other-", tmp_path)
    for file in folder.path.iterdir():
        file.unlink()
    folder.path.rmdir()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """And only that: neither folders of another prefix nor those that nobody here made."""
    code = f"""
import os, signal
from pathlib import Path
from headrace.code.scratch import held
folder = held("work-", Path({str(tmp_path)!r}))
(folder.path / "large").write_bytes(bytes(1000))
print(folder.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert (left / "large").is_file()
    (tmp_path / "work-of-somebody").mkdir()
    with scratch("other-", tmp_path):
        assert left.is_dir()
    with scratch("work-", tmp_path):
        assert not left.exists()
    assert [each.name for each in tmp_path.iterdir()] == ["work-of-somebody"]
