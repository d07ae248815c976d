"""What is wrong with a message or a declaration, and what would be right."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError


class ContractError(ValueError):
    """A message or declaration that no schema allows; the text names the place and what would be right."""


def explain(error: ValidationError, prefix: str = "") -> str:
    """The places of a validation error in one line each, as paths: `data.rows: should be a valid integer`."""
    return "; ".join(_explain_one(each, prefix) for each in error.errors(include_url=False))


def _explain_one(error: Mapping[str, Any], prefix: str) -> str:
    place = path([prefix, *error["loc"]] if prefix else error["loc"])
    message = str(error["msg"]).removeprefix("Input ")
    shown = _shown(error.get("input"))
    if error["type"] == "missing":
        return f"{place}: is missing"
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown field"
    return f"{place}: {message}, not {shown}"


def path(parts: Sequence[object]) -> str:
    """A place in a document: names joined by dots, positions in brackets."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "document"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
