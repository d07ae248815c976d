"""Own code in the catalogue of estimators: it has none, and takes any parameters."""

from importlib.metadata import version
from typing import Any


def entry() -> dict[str, Any]:
    """For headrace.frameworks.generate."""
    return {"version": version("headrace-code"), "own_code": True, "estimators": {}, "refused": {}, "usual": {}}
