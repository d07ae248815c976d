"""Which files of a folder belong to its package: what git would track; without git, what `.headraceignore` leaves."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.code.errors import BadPackage

IGNORE = ".headraceignore"
USUAL = (".git/", "__pycache__/", "*.pyc", ".venv/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".DS_Store")
"""Left out of a folder outside git, whatever its `.headraceignore` says: never the author's work."""


@dataclass(frozen=True)
class Selection:
    """The files of a package, relative to its folder and sorted, and where git is at."""

    files: tuple[str, ...]
    commit: str | None = None
    """The commit that is checked out; None outside git, and before the first commit."""
    dirty: bool | None = None
    """Whether the folder differs from that commit; None where there is none."""


def select(folder: Path) -> Selection:
    """The files that belong to a package; raises BadPackage where that cannot be known."""
    if not folder.is_dir():
        raise BadPackage(f"{folder} is no folder")
    if not any((each / ".git").exists() for each in (folder.resolve(), *folder.resolve().parents)):
        return Selection(tuple(sorted(_unignored(folder))))
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = {name for name in listed.split("\0") if name}
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD", may_fail=True).strip() or None
    dirty = bool(_git(folder, "status", "--porcelain", "--", ".").strip()) if commit else None
    return Selection(tuple(sorted(name for name in names if _there(folder / name))), commit, dirty)


def _there(path: Path) -> bool:
    """Whether a file that git knows still exists; a link counts, and is refused later by its name."""
    return path.is_symlink() or path.exists()


def _unignored(folder: Path) -> Iterator[str]:
    """What `.headraceignore` leaves, a file in the language of `.gitignore`."""
    from pathspec import GitIgnoreSpec  # here: code that runs needs no such library

    own = folder / IGNORE
    lines = own.read_text().splitlines() if own.is_file() else []
    spec = GitIgnoreSpec.from_lines([*lines, *USUAL])
    for at, folders, files in os.walk(folder):
        place, inside = Path(at), Path(at).relative_to(folder)
        folders[:] = sorted(each for each in folders if not spec.match_file(f"{(inside / each).as_posix()}/"))
        links = [each for each in folders if (place / each).is_symlink()]
        names = ((inside / each).as_posix() for each in (*files, *links))
        yield from (name for name in names if not spec.match_file(name))


def _git(folder: Path, *arguments: str, may_fail: bool = False) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        text = f"{folder} lies in a git repository, but git is not installed, so that nobody knows what it ignores"
        raise BadPackage(f"{text}; install git") from error
    if done.returncode and not may_fail:
        raise BadPackage(f"git {arguments[0]} failed in {folder}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="surrogateescape")
