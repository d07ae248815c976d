"""Lay out a root folder that holds Python, the programs and folders named, the libraries they load, and nothing else.

    minimal_root.py OUT APP [PATH...]

APP is a folder that is copied elsewhere: here come only the libraries that it loads.

What is not there cannot be attacked and need not be patched: no package manager, no compiler, no Perl. It works on any
Debian with Python, wherever that lies, so the public Python image and Debian's own serve alike.
"""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

# of the standard library: what no service imports
UNUSED = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data",
    "site-packages", "dist-packages", "config-3*", "turtle.py", "_tkinter*", "*.a",
)  # fmt: skip
ETC = ("passwd", "group", "nsswitch.conf", "os-release", "localtime", "ld.so.conf", "ld.so.conf.d", "mime.types")
ELF = b"\x7fELF"


def main(out: Path, app: Path, named: Iterable[str]) -> None:
    """Copy everything, then what its programs and libraries load."""
    link_merged_folders(out)
    executable = Path(sys.executable).resolve()
    for path in (executable, Path("/bin/sh").resolve(), *map(Path, named)):
        copy(path, out)
    for standard in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        copy(Path(standard), out)
    link(out / "bin/sh", "dash")
    for name in ("python", "python3"):
        link(out / "usr/local/bin" / name, str(executable))
    for name in ETC:
        copy(Path("/etc") / name, out)
    copy(Path("/etc/ssl/certs/ca-certificates.crt"), out)
    copy(Path("/usr/share/zoneinfo"), out)
    for library in sorted({*needed(out), *needed(app), *found_by_name("libgcc_s.so.1")}):
        if not library.is_relative_to(app) and not library.is_relative_to(out):
            copy_library(library, out)
    (out / "tmp").mkdir()
    (out / "tmp").chmod(0o1777)
    subprocess.run(["ldconfig", "-r", str(out)], check=True)


def link_merged_folders(out: Path) -> None:
    """/bin, /lib and their like are links into /usr where they are so here."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if (folder := Path("/", name)).is_symlink():
            target = str(folder.readlink()).lstrip("/")
            (out / target).mkdir(parents=True, exist_ok=True)
            link(out / name, target)


def copy(path: Path, out: Path) -> None:
    """One file or folder to its own place under `out`; links inside folders stay links."""
    target = out / path.relative_to("/")
    if not path.exists() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True, ignore=UNUSED if "python3" in path.name else None)
    else:
        shutil.copy2(path, target)


def copy_library(library: Path, out: Path) -> None:
    """A library under the name that is asked for; what that name links to is copied as the file."""
    target = out / str(library).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(library.resolve(), target)


def needed(folder: Path) -> Iterator[Path]:
    """Libraries that the dynamic linker would load for any program or library in a folder."""
    for program in folder.rglob("*"):
        if program.is_file() and not program.is_symlink() and is_elf(program):
            listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
            yield from (Path(word) for word in listed.split() if word.startswith("/"))


def found_by_name(name: str) -> Iterator[Path]:
    """Where the dynamic linker finds a library; Python asks for this one by name, when a thread ends."""
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    yield from (Path(line.split()[-1]) for line in listed.splitlines() if line.strip().startswith(f"{name} "))


def is_elf(path: Path) -> bool:
    """Whether a file is a program or a library."""
    with path.open("rb") as file:
        return file.read(4) == ELF


def link(path: Path, target: str) -> None:
    """A symbolic link, where there is nothing yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and not path.is_symlink():
        path.symlink_to(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
