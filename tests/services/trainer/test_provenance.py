"""A run tells which code made it, and the digest proves it."""

import subprocess
from pathlib import Path

from headrace.trainer.worker.provenance import code_version, commit, packages, python, source_digest


def git(folder: Path, *words: str) -> str:
    """Run git."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_checkout_is_found_without_git(tmp_path: Path) -> None:
    """On a branch, packed, and detached."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    inside = tmp_path / "src" / "package"
    inside.mkdir(parents=True)
    head = git(tmp_path, "rev-parse", "HEAD")

    assert commit(inside) == head
    git(tmp_path, "pack-refs", "--all")
    assert commit(inside) == head
    git(tmp_path, "checkout", "-q", "--detach")
    assert commit(inside) == head


def test_the_commit_of_a_worktree_is_its_own(tmp_path: Path) -> None:
    """A second worktree has a file where the first has a folder."""
    first = tmp_path / "first"
    first.mkdir()
    git(first, "init", "-q")
    git(first, "commit", "-q", "--allow-empty", "-m", "first")
    git(first, "worktree", "add", "-q", "../second", "-b", "other")
    git(tmp_path / "second", "commit", "-q", "--allow-empty", "-m", "second")

    assert commit(tmp_path / "second" / "src") == git(tmp_path / "second", "rev-parse", "HEAD")


def test_an_installed_package_has_no_commit(tmp_path: Path) -> None:
    """Even where the environment lies inside somebody's checkout."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")

    assert commit(tmp_path / ".venv" / "site-packages" / "headrace") is None


def test_any_changed_byte_changes_the_digest(tmp_path: Path) -> None:
    """Names count as much as contents."""
    (tmp_path / "a.py").write_text("x = 1\n")
    before = source_digest([tmp_path])
    (tmp_path / "a.py").write_text("x = 2\n")
    changed = source_digest([tmp_path])
    (tmp_path / "a.py").rename(tmp_path / "b.py")

    assert len({before, changed, source_digest([tmp_path])}) == 3


def test_a_run_names_code_packages_and_python() -> None:
    """What a person needs to make the same model again."""
    assert "+sources." in code_version()
    assert {"scikit-learn", "numpy", "headrace-trainer"} <= packages().keys()
    assert python().startswith("CPython 3.")
