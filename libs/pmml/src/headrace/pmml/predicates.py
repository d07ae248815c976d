"""Predicates: 1 where they are true, 0 where they are false, missing where they are unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from headrace.pmml.columns import Column, among, equal, literal, three
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.ops import Ops
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element, words

T = TypeVar("T")
PREDICATES = ("SimplePredicate", "SimpleSetPredicate", "CompoundPredicate", "True", "False")
ORDERED = ("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual")
EQUALS = ("equal", "notEqual")
MISSING = ("isMissing", "isNotMissing")


class Predicate(Protocol):
    """A question that each row answers."""

    def run(self, scope: Scope[T]) -> T:
        """1, 0 or missing."""
        ...


@dataclass(frozen=True)
class Always:
    """True or False."""

    value: float

    def run(self, scope: Scope[T]) -> T:
        """The same for every row."""
        return scope.ops.number(self.value)


@dataclass(frozen=True)
class Simple:
    """A field compared with a value."""

    field: str
    operator: str
    value: str
    line: int

    def run(self, scope: Scope[T]) -> T:
        """Unknown where the field is missing, but for the questions whether it is."""
        ops, column = scope.ops, scope.get(self.field, self.line)
        if self.operator in MISSING:
            known = ops.known(column.data)
            return ops.flag(known if self.operator == "isNotMissing" else ops.negate(known))
        return compared(
            ops, self.operator, column, Column(ops.number(self.number(ops, column)), column.type), self.line
        )

    def number(self, ops: Ops[T], column: Column[T]) -> float:
        """The value as the field's column holds it."""
        return literal(ops, self.value, column.type, self.line)


@dataclass(frozen=True)
class Among:
    """A field that is one of a set of values, or none of them."""

    field: str
    inside: bool
    values: Sequence[str]
    line: int

    def run(self, scope: Scope[T]) -> T:
        """Unknown where the field is missing."""
        ops, column = scope.ops, scope.get(self.field, self.line)
        keys = [literal(ops, value, column.type, self.line) for value in self.values]
        found = among(ops, column, keys)
        return three(ops, found if self.inside else ops.negate(found), column.data)


@dataclass(frozen=True)
class Compound:
    """Predicates combined; `surrogate` is the first one that is known."""

    operator: str
    parts: Sequence[Predicate]

    def run(self, scope: Scope[T]) -> T:
        """By Kleene's logic."""
        found = self.parts[0].run(scope)
        for part in self.parts[1:]:
            found = combine(scope.ops, self.operator, found, part.run(scope))
        return found


def combine(ops: Ops[T], operator: str, one: T, other: T) -> T:
    """Two answers as one."""
    if operator == "surrogate":
        return ops.where(ops.known(one), one, other)
    if operator == "xor":
        return ops.function("abs", ops.minus(one, other))
    deciding = ops.number(0.0 if operator == "and" else 1.0)
    decided = ops.either(ops.same(one, deciding), ops.same(other, deciding))
    both = ops.times(one, other) if operator == "and" else ops.plus(one, other)  # missing where one of them is
    return ops.where(decided, deciding, both)


def compared(ops: Ops[T], operator: str, one: Column[T], other: Column[T], line: int) -> T:
    """One of the six comparisons."""
    if one.is_text != other.is_text:
        raise BadPmml("a text is compared with a number", line)
    if operator in EQUALS:
        found = equal(ops, one, other)
        return found if operator == "equal" else ops.minus(ops.number(1.0), found)
    if one.is_text:
        raise Unsupported(f"{operator} of texts is not supported", line)
    if operator == "lessThan":
        condition = ops.less(one.data, other.data)
    elif operator == "lessOrEqual":
        condition = ops.at_most(one.data, other.data)
    elif operator == "greaterThan":
        condition = ops.less(other.data, one.data)
    else:
        condition = ops.at_most(other.data, one.data)
    return three(ops, condition, one.data, other.data)


def holds(ops: Ops[T], answer: T) -> T:
    """Whether an answer is true, neither false nor unknown; a condition."""
    return ops.less(ops.number(0.5), answer)


def read_predicate(element: Element) -> Predicate:
    """One of the five kinds; raises Unsupported."""
    if element.tag in ("True", "False"):
        return Always(1.0 if element.only().tag == "True" else 0.0)
    if element.tag == "SimplePredicate":
        return _simple(element.only())
    if element.tag == "SimpleSetPredicate":
        array = element.only("Array").one("Array")
        inside = element.choice("booleanOperator", "isIn", "isNotIn") == "isIn"
        return Among(element.need("field"), inside, words(array.text, array.line), element.line)
    if element.tag == "CompoundPredicate":
        return _compound(element)
    raise Unsupported(f"predicate {element.tag} is not supported", element.line)


def predicate_in(element: Element) -> Predicate:
    """The predicate among the children of an element; raises BadPmml where there is none."""
    return read_predicate(element.one(*PREDICATES))


def _simple(element: Element) -> Simple:
    operator = element.need("operator")
    if operator not in (*ORDERED, *EQUALS, *MISSING):
        raise Unsupported(f"SimplePredicate: operator {operator!r} is not supported", element.line)
    value = element.get("value") if operator in MISSING else element.need("value")
    return Simple(element.need("field"), operator, value, element.line)


def _compound(element: Element) -> Compound:
    operator = element.need("booleanOperator")
    if operator not in ("and", "or", "xor", "surrogate"):
        raise Unsupported(f"CompoundPredicate: booleanOperator {operator!r} is not supported", element.line)
    parts = [read_predicate(each) for each in element.only(*PREDICATES).all(*PREDICATES)]
    if not parts:
        raise BadPmml("CompoundPredicate is empty", element.line)
    return Compound(operator, parts)
