"""Versions of events: which ones this installation knows, and what it makes of one that is newer."""

from collections.abc import Mapping
from functools import cache, lru_cache

from headrace.contracts.base import Event
from headrace.contracts.errors import ContractError
from headrace.contracts.generated.models import EVENTS


class NewerVersion(ContractError):
    """An event whose version is newer than this reader knows; it can be read once the reader is upgraded."""

    def __init__(self, kind: str, known: int) -> None:
        super().__init__(f"type: {kind} is newer than this program, which knows version {known}; upgrade it")
        self.kind, self.known = kind, known


def class_of(kind: object) -> type[Event]:
    """The class that reads a type; raises NewerVersion, or ContractError where no version of it is known."""
    cls = EVENTS.get(kind) if isinstance(kind, str) else None
    if cls is not None:
        return cls
    if isinstance(kind, str) and (known := newer_than(kind)):
        raise NewerVersion(kind, known)
    raise ContractError(f"type: {kind!r} is not known; schemas/README.md lists all events")


@lru_cache(1024)
def newer_than(kind: str) -> int | None:
    """The newest version that is known of an event of which `kind` is a newer one; None where it is none."""
    name, version = named(kind)
    known = _numbers().get(name, ())
    return known[-1] if known and version is not None and version > known[-1] else None


def named(kind: str) -> tuple[str, int | None]:
    """A type's name and version: headrace.training.completed.v1 is headrace.training.completed, 1."""
    name, _, version = kind.rpartition(".v")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 6 else None
    return (name, number) if name else (kind, None)


def oldest(name: str) -> str:
    """The type that a message without one has: of the oldest version, which it was written for, and every reader
    derives the same.
    """
    return f"{name}.v{_numbers().get(name, (1,))[0]}"


def newest_types() -> frozenset[str]:
    """The types that writers say."""
    return frozenset(f"{name}.v{numbers[-1]}" for name, numbers in _numbers().items())


@cache
def _numbers() -> Mapping[str, tuple[int, ...]]:
    """The known versions of each event, rising."""
    found: dict[str, set[int]] = {}
    for kind in EVENTS:
        name, version = named(kind)
        found.setdefault(name, set()).add(version or 0)
    return {name: tuple(sorted(each)) for name, each in found.items()}
