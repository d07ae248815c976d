"""`python -m headrace.local.minio`: build the real MinIO server from its last source, once, where Go is installed.

Upstream publishes no images or binaries of this source any more; Go's module proxy has it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
MODULE = "github.com/minio/minio"


def cache_folder() -> Path:
    """Where the built server is kept: HEADRACE_CACHE, or the user's cache folder."""
    base = os.environ.get("HEADRACE_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "headrace" / "minio" / VERSION


def find_minio() -> Path | None:
    """The server that was built, or one on PATH."""
    built = cache_folder() / "minio"
    if built.is_file():
        return built
    found = shutil.which("minio")
    return Path(found) if found else None


def build() -> Path:
    """Build the server and return its path; raises FileNotFoundError, saying what to do, without Go."""
    target = cache_folder() / "minio"
    if target.is_file():
        return target
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError(
            "Go is not installed, so MinIO cannot be built; everything works on the S3 server of the SeaweedFS wheel. "
            "To build it, install Go 1.24 or newer and run `make minio` again."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        environment = {**os.environ, "GOBIN": folder, "CGO_ENABLED": "0"}
        command = [go, "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@{VERSION}"]
        subprocess.run(command, check=True, env=environment)
        (Path(folder) / "minio").replace(target)
    return target


def main() -> int:
    """Build and say where it is."""
    if (there := cache_folder() / "minio").is_file():
        print(f"MinIO is built: {there}")
        return 0
    print(f"building MinIO {VERSION}; this takes some minutes, once", file=sys.stderr)
    try:
        print(f"MinIO is built: {build()}")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
