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
from headrace.frameworks import CATALOG

_PACKAGES = (
    "headrace-trainer",
    "headrace-frameworks",
    "headrace-runtimes",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "ray",
    "skl2onnx",
    "skops",
)


def packages() -> dict[str, str]:
    """The versions of what shapes a model."""
    fitting = (each.installed for each in CATALOG.values() if each.installed is not None)
    return {name: importlib.metadata.version(name) for name in sorted({*_PACKAGES, *fitting})}


def python() -> str:
    """The interpreter, as `CPython 3.11.7`."""
    return f"{platform.python_implementation()} {platform.python_version()}"


@cache
def code_version() -> str:
    """The package's version, and the digest of the sources that really ran: an installed file may have been changed."""
    modules = (headrace.trainer, headrace.frameworks, headrace.runtimes)
    roots = [Path(module.__file__ or "").parent for module in modules]
    return f"{importlib.metadata.version('headrace-trainer')}+sources.{source_digest(roots)[:16]}"


def source_digest(roots: Sequence[Path]) -> str:
    """sha256 over the names and bytes of all Python files below the roots."""
    digest = hashlib.sha256()
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
