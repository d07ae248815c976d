"""A change that waits, on a declaration that moved on meanwhile: what it would still change, and who must look again.

Pure: standard library and contracts only.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from headrace.registry.domain import changed_paths
from headrace.registry.policy import loosenings

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Rebased:
    """A change on the newest revision: its whole document, what of it is new there, and what that loosens.

    `anew` says that it touches what changed meanwhile: who approved it has not seen what it would undo.
    """

    document: Document
    changed: Sequence[str]
    loosens: Sequence[str]
    anew: bool


def rebased(wanted: Document, paths: Sequence[str], now: Document, moved: Sequence[str]) -> Rebased:
    """The change of `paths` to what `wanted` has there, on the declaration `now`, in which `moved` has changed."""
    document = patched(now, wanted, paths)
    changed = sorted(changed_paths(now, document))
    return Rebased(document, changed, loosenings(now, document), any(meet(one, two) for one in paths for two in moved))


def meet(one: str, two: str) -> bool:
    """Whether two paths are the same place, or one lies within the other."""
    return f"{one}.".startswith(f"{two}.") or f"{two}.".startswith(f"{one}.")


def patched(document: Document, wanted: Document, paths: Sequence[str]) -> dict[str, Any]:
    """A document with the values that another one has at some paths; what is not there is taken away."""
    made = deepcopy(dict(document))
    for path in paths:
        *outer, name = path.split(".")
        value = _at(wanted, path)
        place = made
        for each in outer:
            inner = place.get(each)
            place[each] = place = inner if isinstance(inner, dict) else {}
        if value is None:
            place.pop(name, None)
        else:
            place[name] = deepcopy(value)
    return made


def _at(document: Document, path: str) -> Any:
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
