"""Remove from an environment what runs nowhere: tests, headers, symbols, and parts of Arrow that nobody imports.

    trim.py ENVIRONMENT

Whether a service has all that it imports is not guessed: its image is made only if it does (importable.py).
Bytecode stays, because a read-only root could not keep what Python compiles.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("tests", "test", "testing/data", "include", "doc", "docs", "benchmarks", "examples")
KEPT = ("numpy/testing", "sklearn/datasets")  # imported by others
FILES = ("*.pyx", "*.pxd", "*.pyi", "*.c", "*.cpp", "*.h", "*.hpp", "*.a", "*.lib")
# Arrow over the network, its own S3 client, second copies of a library: a quarter of its size
ARROW = ("*_flight*", "flight*", "libarrow_s3*", "_s3fs*", "libarrow_python.so", "libarrow_python.so.*.*", "src")
OTHERS = ("pip", "setuptools", "wheel", "ray/jars")


def main(environment: Path) -> None:
    """Remove, and say how much."""
    before = size(environment)
    for packages in environment.glob("lib/python3*/site-packages"):
        for path in unused(packages):
            remove(path)
        strip(packages)
    print(f"{(before - size(environment)) / 1e6:.0f} MB of {before / 1e6:.0f} removed")


def unused(packages: Path) -> Iterator[Path]:
    """What can go."""
    for name in FOLDERS:
        yield from (each for each in packages.rglob(name) if each.is_dir() and not kept(each.relative_to(packages)))
    for pattern in FILES:
        yield from packages.rglob(pattern)
    for pattern in ARROW:
        yield from packages.glob(f"pyarrow/{pattern}")
    yield from (packages / name for name in OTHERS)


def strip(packages: Path) -> None:
    """Without the symbols that only debuggers read: some wheels carry ten times their code in them.

    Libraries in `<package>.libs` were rewritten when their wheel was made, in a way that does not always survive this.
    """
    libraries = [each for each in packages.rglob("*.so*") if not each.is_symlink() and ".libs" not in each.parent.name]
    subprocess.run(["strip", "--strip-unneeded", *map(str, libraries)], check=False)


def kept(path: Path) -> bool:
    """Whether a folder is imported by others, whatever its name."""
    return str(path) in KEPT or len(path.parts) == 1


def remove(path: Path) -> None:
    """Remove a file or a folder that may be gone already."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file() and not each.is_symlink())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
