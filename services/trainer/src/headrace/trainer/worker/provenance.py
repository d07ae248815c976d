"""What a run was made with: the code, the packages, the Python."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import headrace.frameworks
import headrace.runtimes
import headrace.trainer

_PACKAGES = (
    "headrace-trainer",
    "headrace-frameworks",
    "headrace-runtimes",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "ray",
    "scikit-learn",
    "skl2onnx",
    "skops",
)


def packages() -> dict[str, str]:
    """The versions of what shapes a model."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def python() -> str:
    """The interpreter, as `CPython 3.11.7`."""
    return f"{platform.python_implementation()} {platform.python_version()}"


@cache
def code_version() -> str:
    """The commit of a checkout, else the package's version; and the digest of the sources that really ran.

    The digest is what proves: a checkout may hold changes that no commit has.
    """
    modules = (headrace.trainer, headrace.frameworks, headrace.runtimes)
    roots = [Path(module.__file__ or "").parent for module in modules]
    known = commit(roots[0]) or importlib.metadata.version("headrace-trainer")
    return f"{known}+sources.{source_digest(roots)[:16]}"


def source_digest(roots: Sequence[Path]) -> str:
    """sha256 over the names and bytes of all Python files below the roots."""
    digest = hashlib.sha256()
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def commit(inside: Path) -> str | None:
    """The commit that a checkout around this path has out, read without running git."""
    for folder in inside.resolve().parents:
        if (folder / ".git").exists():
            return _head(folder / ".git")
        if folder.name == "site-packages":
            return None
    return None


def _head(git: Path) -> str | None:
    if git.is_file():  # a worktree: the file names the real folder
        git = (git.parent / git.read_text().removeprefix("gitdir:").strip()).resolve()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    shared = (git / (git / "commondir").read_text().strip()) if (git / "commondir").exists() else git
    if (shared / name).exists():
        return (shared / name).read_text().strip()
    return _packed(shared / "packed-refs", name)


def _packed(refs: Path, name: str) -> str | None:
    lines = refs.read_text().splitlines() if refs.exists() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
