"""The values that a parameter takes, in the words of the catalogue."""

from collections.abc import Mapping
from typing import Any

Param = dict[str, Any]

BOOLEAN: Param = {"type": "boolean"}
LIST: Param = {"type": "list"}
TEXT: Param = {"type": "string"}
NULL: Param = {"type": "null"}
COLUMNS: Param = {"type": "object"}


def integer(low: int, high: int = 2**31 - 1) -> Param:
    """A whole number of a range."""
    return {"type": "integer", "min": low, "max": high}


def number(low: float | None = None, high: float | None = None, *, opened: str = "") -> Param:
    """A number of a range; `opened` names the ends that are not part of it."""
    bounds = {name: end for name, end in (("min", low), ("max", high)) if end is not None}
    return {"type": "number", **bounds, **({"open": opened.split()} if opened else {})}


def one_of(*values: str) -> Param:
    """Some words."""
    return {"one_of": sorted(values)}


def list_of(*items: Param) -> Param:
    """A list whose items are each one of some values."""
    return {"type": "list", "items": list(items)}


def with_keys(keys: Mapping[str, Param], *needed: str) -> Param:
    """A mapping of some keys, of which a few must be there."""
    return {"type": "object", "keys": dict(keys), "needed": list(needed)}


SEED = integer(0)
SHARE = number(0, 1, opened="min")
ANY_SHARE = number(0, 1)
POSITIVE = number(0, opened="min")
FROM_0 = number(0)
