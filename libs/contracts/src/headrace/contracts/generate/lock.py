"""Released schemas do not change: a lock of their digests and shapes, and what may still be added.

Within a version only optional properties may be added; everything else is a new version beside the old one.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from headrace.contracts.generate.sources import Schema, Sources

PROSE = {"description", "title", "$id", "$schema", "x-type", "x-key", "x-names"}


def render_lock(sources: Sources) -> str:
    """The lock: for each schema its digest and the shape that the digest is of."""
    shapes = {str(path): shape(schema) for path, schema in sources.files().items()}
    lock = {name: {"sha256": digest(each), "shape": each} for name, each in shapes.items()}
    return json.dumps(lock, indent=1, sort_keys=True) + "\n"


def check_released(sources: Sources) -> list[str]:
    """What changed against the lock in a way that readers of today would not bear; empty where all is well."""
    file = sources.schemas / "released.lock"
    if not file.is_file():
        return []
    now = {str(path): shape(schema) for path, schema in sources.files().items()}
    released = {name: entry["shape"] for name, entry in json.loads(file.read_text()).items()}
    return [f"{name}: {problem}" for name, old in released.items() for problem in incompatibilities(old, now.get(name))]


def incompatibilities(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Each difference that is not an added optional property."""
    if new is None:
        yield f"{place or 'the schema'} is gone; a released version stays, changes go into the next version"
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _in_object(old, new, place)
    elif old != new:
        yield f"{place} changed from {json.dumps(old)} to {json.dumps(new)}"


def _in_object(old: Schema, new: Schema, place: str) -> Iterator[str]:
    for name in old:
        yield from incompatibilities(old[name], new.get(name), f"{place}.{name}".lstrip("."))
    for name in new.keys() - old.keys():
        if not place.endswith("properties") and not place.endswith("$defs"):
            yield f"{place}.{name} was added; within a version only optional properties may be".lstrip(".")


def shape(schema: Any) -> Any:
    """A schema without its prose; required names sorted."""
    if isinstance(schema, list):
        return [shape(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _ordered(key, shape(value)) for key, value in schema.items() if not _is_prose(key, value)}


def digest(of: Any) -> str:
    """SHA-256 of a shape's canonical JSON."""
    return hashlib.sha256(json.dumps(of, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _is_prose(key: str, value: Any) -> bool:
    return key in PROSE and isinstance(value, str)


def _ordered(key: str, value: Any) -> Any:
    return sorted(value) if key == "required" and isinstance(value, list) else value
