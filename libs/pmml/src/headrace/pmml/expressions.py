"""Expressions of derived fields: what each computes of the fields that its scope sees."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from headrace.pmml.columns import (
    DOUBLE,
    MOST_ENTRIES,
    TEXT,
    TRUTH,
    WHOLE,
    Column,
    cast,
    constant,
    equal,
    literal,
    missing,
    places,
    type_of,
    typed,
)
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.fields import Interval, read_interval
from headrace.pmml.functions import FUNCTIONS
from headrace.pmml.ops import Ops
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element, decimal

T = TypeVar("T")


class Expression(Protocol):
    """Something that has a value for each row."""

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """The value; `wanted` is the type of the derived field, for what says no type itself."""
        ...


@dataclass(frozen=True)
class Constant:
    """One value."""

    text: str
    type: str | None
    absent: bool
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """The same for every row; without a type it is a number where it reads as one."""
        kind = self.type or _natural(self.text)
        if self.absent:
            return Column(missing(scope.ops), self.type or wanted or DOUBLE)
        return constant(scope.ops, self.text, kind, self.line)


@dataclass(frozen=True)
class FieldRef:
    """Another field."""

    field: str
    filler: str | None
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """Its value, or a constant where it is missing."""
        return _filled(scope.ops, scope.get(self.field, self.line), self.filler, self.line)


@dataclass(frozen=True)
class NormContinuous:
    """A number moved along straight lines between some points."""

    field: str
    points: Sequence[tuple[float, float]]
    outliers: str
    filler: str | None
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """Beyond the first and last point the lines go on, end, or there is no value."""
        ops, value = scope.ops, scope.get(self.field, self.line).data
        (first, low), *_, (last, high) = self.points
        found = _line(ops, value, self.points[-2], self.points[-1])
        for left, right in reversed(list(zip(self.points[:-2], self.points[1:-1], strict=True))):
            found = ops.where(ops.at_most(value, ops.number(right[0])), _line(ops, value, left, right), found)
        for beyond, end in ((ops.less(value, ops.number(first)), low), (ops.less(ops.number(last), value), high)):
            if self.outliers != "asIs":
                limit = ops.number(end) if self.outliers == "asExtremeValues" else missing(ops)
                found = ops.where(beyond, limit, found)
        return _filled(ops, Column(found, DOUBLE), self.filler, self.line)

    def inverse(self, scope: Scope[T], value: T) -> T:
        """The number that is moved to `value`: how a network's output becomes its answer."""
        back = NormContinuous(self.field, [(norm, orig) for orig, norm in self.points], self.outliers, None, self.line)
        if self.points[0][1] > self.points[-1][1]:
            back = NormContinuous(self.field, list(reversed(back.points)), self.outliers, None, self.line)
        inner = scope.inner({self.field: Column(value, DOUBLE)}, {})
        return back.run(inner).data


@dataclass(frozen=True)
class NormDiscrete:
    """1 where a field has a value, else 0."""

    field: str
    value: str
    filler: str | None
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """Missing where the field is missing."""
        column = scope.get(self.field, self.line)
        found = equal(scope.ops, column, constant(scope.ops, self.value, column.type, self.line))
        return _filled(scope.ops, Column(found, DOUBLE), self.filler, self.line)


@dataclass(frozen=True)
class Discretize:
    """A value for each range of a number."""

    field: str
    bins: Sequence[tuple[Interval, str]]
    filler: str | None
    other: str | None
    type: str | None
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """The value of the first range that holds the number."""
        ops, kind = scope.ops, self.type or wanted or TEXT
        value = scope.get(self.field, self.line).data
        found = _constant_or_missing(ops, self.other, kind, self.line)
        for interval, text in reversed(self.bins):
            found = ops.where(interval.holds(ops, value), constant(ops, text, kind, self.line).data, found)
        absent = _constant_or_missing(ops, self.filler, kind, self.line)
        return Column(ops.where(ops.known(value), found, absent), kind)


@dataclass(frozen=True)
class MapValues:
    """A table that is looked up by one field or several."""

    fields: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str]]
    filler: str | None
    other: str | None
    type: str | None
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """The first row whose keys are equal to all fields."""
        ops, kind = scope.ops, self.type or wanted or TEXT
        columns = [scope.get(name, self.line) for name in self.fields]
        other = self._number(ops, self.other, kind)
        place, table = self._table(ops, columns, kind, other)
        known = ops.known(columns[0].data)
        for column in columns[1:]:
            known = ops.both(known, ops.known(column.data))
        absent = ops.number(self._number(ops, self.filler, kind))
        return Column(ops.where(known, ops.take(table, place), absent), kind)

    def _table(self, ops: Ops[T], columns: Sequence[Column[T]], kind: str, other: float) -> tuple[T, np.ndarray]:
        """The place of each row in one table over all combinations of keys, and the table."""
        keys: list[list[float]] = []
        for at, column in enumerate(columns):
            keys.append(list(dict.fromkeys(literal(ops, row[at], column.type, self.line) for row, _ in self.rows)))
        shape = [len(each) + 1 for each in keys]
        if int(np.prod(shape)) > MOST_ENTRIES:
            raise Unsupported(f"MapValues has more than {MOST_ENTRIES} combinations of keys", self.line)
        table = np.full(shape, other)
        for row, out in reversed(self.rows):
            cell = [each.index(literal(ops, row[i], columns[i].type, self.line)) for i, each in enumerate(keys)]
            table[tuple(cell)] = literal(ops, out, kind, self.line)
        place = ops.number(0.0)
        for column, each in zip(columns, keys, strict=True):
            place = ops.plus(ops.times(place, ops.number(len(each) + 1.0)), places(ops, column, each))
        return place, table.reshape(-1)

    def _number(self, ops: Ops[T], text: str | None, kind: str) -> float:
        return float("nan") if text is None else literal(ops, text, kind, self.line)


@dataclass(frozen=True)
class Apply:
    """A function of expressions."""

    function: str
    arguments: Sequence[Expression]
    filler: str | None
    default: str | None
    line: int

    def run(self, scope: Scope[T], wanted: str | None = None) -> Column[T]:
        """Built-in functions first, then those that the document defines."""
        ops = scope.ops
        given = [each.run(scope) for each in self.arguments]
        found = self._called(scope, given)
        if self.filler is not None:
            known = ops.known(given[0].data)
            for each in given[1:]:
                known = ops.both(known, ops.known(each.data))
            filler = constant(ops, self.filler, found.type, self.line).data
            found = Column(ops.where(known, found.data, filler), found.type, found.open)
        return _filled(ops, found, self.default, self.line)

    def _called(self, scope: Scope[T], given: Sequence[Column[T]]) -> Column[T]:
        if (defined := scope.function(self.function)) is not None:
            called: Column[T] = defined.call(scope, given, self.line)
            return called
        built = FUNCTIONS.get(self.function)
        if built is None:
            raise Unsupported(f"function {self.function!r} is not supported", self.line)
        if not built.least <= len(given) <= built.most:
            raise BadPmml(f"function {self.function!r} is given {len(given)} arguments", self.line)
        found: Column[T] = built.run(scope.ops, given, self.line)
        return found


@dataclass(frozen=True)
class Derived:
    """A derived field: an expression with a type."""

    name: str
    type: str
    expression: Expression
    line: int

    def run(self, scope: Scope[T]) -> Column[T]:
        """The expression's value as the field's type."""
        return cast(scope.ops, self.expression.run(scope, self.type), self.type)


@dataclass(frozen=True)
class Defined:
    """A function that the document defines."""

    name: str
    parameters: Sequence[tuple[str, str | None]]
    type: str | None
    expression: Expression

    def call(self, scope: Scope[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        """Its expression with the arguments as fields; it sees nothing else but other functions."""
        if len(given) != len(self.parameters):
            raise BadPmml(f"function {self.name!r} is given {len(given)} arguments, not {len(self.parameters)}", line)
        values = {
            name: cast(scope.ops, column, kind or column.type)
            for (name, kind), column in zip(self.parameters, given, strict=True)
        }
        if self.name in scope.open:
            raise BadPmml(f"function {self.name!r} calls itself", line)
        inner = Scope(scope.run, values, {}, scope.all_functions(), None, scope.open | {self.name})
        found = self.expression.run(inner, self.type)
        return cast(scope.ops, found, self.type) if self.type else found


def read_expression(element: Element) -> Expression:
    """One expression; raises Unsupported."""
    reader = _READERS.get(element.tag)
    if reader is None:
        raise Unsupported(f"expression {element.tag} is not supported", element.line)
    return reader(element)


def expression_in(element: Element, *beside: str) -> Expression:
    """The one expression among the children of an element; raises BadPmml where there is none."""
    found = [each for each in element.children if each.tag not in (*beside, "Extension")]
    if len(found) != 1:
        raise BadPmml(f"{element.tag} has {len(found)} expressions, not one", element.line)
    return read_expression(found[0])


def read_derived(element: Element, name: str | None = None) -> Derived:
    """A derived field."""
    kind = type_of(element)
    return Derived(name or element.need("name"), kind, expression_in(element, "Value", "Interval"), element.line)


def read_all_derived(element: Element | None) -> Mapping[str, Derived]:
    """The derived fields of a dictionary or a model, by name."""
    if element is None:
        return {}
    fields = [read_derived(each) for each in element.only("DerivedField", "DefineFunction").all("DerivedField")]
    return {each.name: each for each in fields}


def read_functions(element: Element | None) -> Mapping[str, Defined]:
    """The functions that a dictionary defines, by name."""
    if element is None:
        return {}
    found = [_defined(each) for each in element.all("DefineFunction")]
    return {each.name: each for each in found}


def _defined(element: Element) -> Defined:
    parameters = [
        (each.need("name"), type_of(each) if "dataType" in each.attributes else None)
        for each in element.all("ParameterField")
    ]
    kind = type_of(element) if "dataType" in element.attributes else None
    return Defined(element.need("name"), parameters, kind, expression_in(element, "ParameterField"))


def _constant(element: Element) -> Constant:
    kind = type_of(element.only()) if "dataType" in element.attributes else None
    found = Constant(element.text, kind, element.get("missing") == "true", element.line)
    if not found.absent:
        typed(found.text, found.type or _natural(found.text), found.line)
    return found


def _field_ref(element: Element) -> FieldRef:
    return FieldRef(element.only().need("field"), element.attributes.get("mapMissingTo"), element.line)


def _norm_continuous(element: Element) -> NormContinuous:
    parts = element.only("LinearNorm").all("LinearNorm")
    points = [(each.number("orig"), each.number("norm")) for each in parts]
    if len(points) < 2 or any(a[0] >= b[0] for a, b in itertools.pairwise(points)):
        raise BadPmml("NormContinuous needs two points or more, in ascending order", element.line)
    outliers = element.choice("outliers", "asIs", "asMissingValues", "asExtremeValues")
    return NormContinuous(element.need("field"), points, outliers, element.attributes.get("mapMissingTo"), element.line)


def _norm_discrete(element: Element) -> NormDiscrete:
    element.only().choice("method", "indicator")
    value, filler = element.need("value"), element.attributes.get("mapMissingTo")
    return NormDiscrete(element.need("field"), value, filler, element.line)


def _discretize(element: Element) -> Discretize:
    parts = element.only("DiscretizeBin").all("DiscretizeBin")
    return Discretize(
        field=element.need("field"),
        bins=[(read_interval(each.only("Interval").one("Interval")), each.need("binValue")) for each in parts],
        filler=element.attributes.get("mapMissingTo"),
        other=element.attributes.get("defaultValue"),
        type=type_of(element) if "dataType" in element.attributes else None,
        line=element.line,
    )


def _map_values(element: Element) -> MapValues:
    element.only("FieldColumnPair", "InlineTable")
    pairs = [(each.need("field"), each.need("column")) for each in element.all("FieldColumnPair")]
    out = element.need("outputColumn")
    rows = []
    for row in element.one("InlineTable").only("row").all("row"):
        cells = {cell.tag: cell.text for cell in row.children}
        if out not in cells or not all(column in cells for _, column in pairs):
            raise BadPmml("a row of InlineTable lacks a column that MapValues names", row.line)
        rows.append(([cells[column] for _, column in pairs], cells[out]))
    if not pairs or not rows:
        raise BadPmml("MapValues has no field or no row", element.line)
    return MapValues(
        fields=[field for field, _ in pairs],
        rows=rows,
        filler=element.attributes.get("mapMissingTo"),
        other=element.attributes.get("defaultValue"),
        type=type_of(element) if "dataType" in element.attributes else None,
        line=element.line,
    )


def _apply(element: Element) -> Apply:
    element.choice("invalidValueTreatment", "returnInvalid", "asIs", "asMissing")
    arguments = [read_expression(each) for each in element.children if each.tag != "Extension"]
    filler, default = element.attributes.get("mapMissingTo"), element.attributes.get("defaultValue")
    return Apply(element.need("function"), arguments, filler, default, element.line)


def _natural(text: str) -> str:
    """The type of a literal that says none."""
    try:
        decimal(text)
    except ValueError:
        return TRUTH if text in ("true", "false") else TEXT
    return WHOLE if text.strip().lstrip("+-").isdigit() else DOUBLE


def _filled(ops: Ops[T], column: Column[T], filler: str | None, line: int) -> Column[T]:
    if filler is None:
        return column
    value = constant(ops, filler, column.type, line).data
    return Column(ops.where(ops.known(column.data), column.data, value), column.type, column.open)


def _constant_or_missing(ops: Ops[T], text: str | None, kind: str, line: int) -> T:
    return missing(ops) if text is None else constant(ops, text, kind, line).data


def _line(ops: Ops[T], value: T, left: tuple[float, float], right: tuple[float, float]) -> T:
    """The straight line through two points, in the order of operations that the standard writes."""
    (a, low), (b, high) = left, right
    share = ops.divided(ops.minus(value, ops.number(a)), ops.number(b - a))
    return ops.plus(ops.number(low), ops.times(share, ops.number(high - low)))


_READERS: Mapping[str, Callable[[Element], Expression]] = {
    "Constant": _constant,
    "FieldRef": _field_ref,
    "NormContinuous": _norm_continuous,
    "NormDiscrete": _norm_discrete,
    "Discretize": _discretize,
    "MapValues": _map_values,
    "Apply": _apply,
}
