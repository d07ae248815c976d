"""Environments of packages for the processes: made once from a lock file, known by its digest, shared by models."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.runtimes.errors import BadModel

_INSTALL_S = 900  # torch with CUDA is 4.5 GB
_MADE = ".made"
_LINES = 12  # of what the installer wrote, told in an error


def environment_of(lock: Path, root: Path | None = None) -> Path:
    """The environment with the packages of a lock file, made where it is not there; raises BadModel.

    A lock file has requirements with versions (`requirements.txt`), or is a `pylock.toml` where uv is installed.
    """
    place = _root(root) / _digest(lock)
    place.mkdir(mode=0o755, exist_ok=True)
    with _alone(place):
        if not (place / _MADE).exists():
            _make(place, lock)
            (place / _MADE).touch()
    return place


def _root(root: Path | None) -> Path:
    """A folder that is ours: it lies where others may write, so whose it is is looked at."""
    root = root or Path(tempfile.gettempdir()) / f"headrace-environments-{os.getuid()}"
    root.mkdir(mode=0o755, exist_ok=True)
    if root.is_symlink() or root.stat().st_uid != os.getuid():
        raise BadModel(f"{root}, where environments are kept, belongs to somebody else")
    return root


def _digest(lock: Path) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()[:32]


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One process at a time makes an environment; the others wait for it."""
    with (place.parent / f"{place.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(place: Path, lock: Path) -> None:
    """Only wheels are installed: the code that builds a package would run as we do."""
    shutil.rmtree(place)
    _run([sys.executable, "-m", "venv", "--without-pip", str(place)], lock)
    _run([*_installer(str(place / "bin" / "python"), lock), "--quiet", "--only-binary", ":all:"], lock)


def _installer(python: str, lock: Path) -> list[str]:
    """The program uv where it is installed, else the pip of the Python that ours was made from."""
    if uv := shutil.which("uv") or shutil.which("uv", path=f"{sys.prefix}/bin"):
        return [uv, "pip", "sync", str(lock), "--python", python]
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [str(base), "-m", "pip", "--python", python, "install", "--requirement", str(lock)]


def _run(command: list[str], lock: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadModel(f"the environment of {lock.name} cannot be made: {error}") from error
    if done.returncode:
        told = " | ".join((done.stderr or done.stdout).strip().splitlines()[-_LINES:])
        raise BadModel(f"the environment of {lock.name} cannot be made: {told}")
