"""Which fields an element sees: those of its model, then those around it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from headrace.pmml.columns import Column
from headrace.pmml.errors import BadPmml
from headrace.pmml.ops import Ops

T = TypeVar("T")


@dataclass
class Run(Generic[T]):
    """One evaluation of a document: what it is run with, and what has been found."""

    ops: Ops[T]
    refused: T | None = None
    """The rows of which nothing is made, a condition."""
    treated: dict[Any, tuple[Column[T], T | None]] = field(default_factory=dict)
    """Fields that were treated before: segments treat the same fields alike."""


@dataclass
class Scope(Generic[T]):
    """Values by name. A derived field is computed when it is first asked for, in the scope that defines it."""

    run: Run[T]
    values: dict[str, Column[T]]
    derived: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)
    around: "Scope[T] | None" = None
    open: frozenset[str] = frozenset()
    """Functions that are being called."""
    _running: set[str] = field(default_factory=set)

    @property
    def ops(self) -> Ops[T]:
        """The operations."""
        return self.run.ops

    def get(self, name: str, line: int) -> Column[T]:
        """The value of a field; raises BadPmml where nothing has this name, or a field needs itself."""
        if name not in self.values and name in self.derived:
            if name in self._running:
                raise BadPmml(f"field {name!r} is derived from itself", line)
            self._running.add(name)
            self.values[name] = self.derived[name].run(self)
            self._running.discard(name)
        if name in self.values:
            return self.values[name]
        if self.around is None:
            raise BadPmml(f"there is no field {name!r} here", line)
        return self.around.get(name, line)

    def derives(self, name: str) -> bool:
        """Whether a name is that of a derived field."""
        if name in self.derived:
            return True
        return name not in self.values and self.around is not None and self.around.derives(name)

    def function(self, name: str) -> Any | None:
        """A function that the document defines."""
        return self.functions.get(name) or (self.around.function(name) if self.around else None)

    def all_functions(self) -> Mapping[str, Any]:
        """All of them."""
        return {**(self.around.all_functions() if self.around else {}), **self.functions}

    def inner(self, values: dict[str, Column[T]], derived: Mapping[str, Any]) -> "Scope[T]":
        """A scope inside this one."""
        return Scope(self.run, values, derived, {}, self)
