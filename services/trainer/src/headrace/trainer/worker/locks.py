"""Lock files of packages, in the forms that an environment is made from."""

import shutil
import subprocess
import sys
from pathlib import Path

from headrace.frameworks import CodeFailed

_UV = "uv.lock"
_EXPORT_S = 60
_LINES = 12  # of what uv says, told in an error


def requirements_of(lock: Path) -> Path:
    """A file of requirements with their digests; raises CodeFailed of kind `environment`.

    `uv.lock` is written as one by uv, from the `pyproject.toml` beside it; any other file is one already.
    """
    if lock.name != _UV:
        return lock
    uv = shutil.which("uv") or shutil.which("uv", path=f"{sys.prefix}/bin")
    if uv is None:
        raise CodeFailed(
            "environment", f"uv is not installed on the worker, which {_UV} needs; export a requirements.txt"
        )
    to = lock.with_name("headrace-requirements.txt")
    command = [uv, "export", "--quiet", "--frozen", "--no-emit-project", "--no-dev", "--output-file", str(to)]
    try:
        done = subprocess.run(command, cwd=lock.parent, capture_output=True, text=True, timeout=_EXPORT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise CodeFailed("environment", f"uv did not read {_UV} within {_EXPORT_S} s") from error
    if done.returncode:
        told = " | ".join(done.stderr.strip().splitlines()[-_LINES:])
        raise CodeFailed("environment", f"{_UV} cannot be read: {told}")
    return to
