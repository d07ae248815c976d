"""A valid instance of any model of the wire, with the fields that a test cares about.

`a(TrainingCompleted, model="x")` fills every required field with a plain value of its type; optional fields stay
away. Nested models are filled the same way.
"""

import types
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from headrace.contracts import Declaration, DeclarationRequested, Model
from headrace.tasks import TASKS, parse_declaration

M = TypeVar("M", bound=Model)

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)
_DIGEST = "0" * 64


def a(kind: type[M], **fields: Any) -> M:
    """A valid `kind`; `fields` replace what would be made up."""
    needed = {name: field for name, field in kind.model_fields.items() if field.is_required() and name not in fields}
    if issubclass(kind, DeclarationRequested):  # the event is the document
        fields = {**a_declaration().model_dump(mode="json", exclude_none=True), **fields}
        needed = {}
    return kind(**{name: _value(name, field) for name, field in needed.items()}, **fields)


def a_declaration(**fields: Any) -> Declaration:
    """The smallest declaration, with defaults filled in."""
    return parse_declaration({"name": "model", "data": {"dataset": "data", "target": "target"}, **fields})


def _value(name: str, field: FieldInfo) -> Any:
    patterns = [getattr(each, "pattern", None) for each in field.metadata]
    if any(pattern and "64" in pattern for pattern in patterns):
        return _DIGEST
    return _of(field.annotation, name, field)


def _of(kind: Any, name: str, field: FieldInfo | None = None) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _of(inner[0], name)
    if origin is Literal:
        return inner[0]
    if origin in (Union, types.UnionType):
        return None if type(None) in inner else _of(inner[0], name)
    if origin is list:
        return [_of(inner[0], name)] * _fewest(field)
    if origin is dict or kind in (list, dict):
        return (origin or kind)()
    return _plain(kind, name, field)


def _fewest(field: FieldInfo | None) -> int:
    limits = [each.min_length for each in field.metadata if hasattr(each, "min_length")] if field else []
    return max(limits, default=0) or 0


def _plain(kind: Any, name: str, field: FieldInfo | None) -> Any:
    if isinstance(kind, type) and issubclass(kind, Model):
        return a_declaration() if kind is Declaration else a(kind)
    if kind in (datetime, AwareDatetime):
        return MOMENT
    if kind is str and name == "task":
        return next(iter(TASKS))
    values: dict[Any, Any] = {str: name.replace("_", "-"), int: 1, float: 0.5, bool: True, Any: name}
    return values.get(kind, name)
