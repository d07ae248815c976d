"""RegressionModel: sums of terms, and what becomes of them."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.pmml.columns import constant, equal
from headrace.pmml.errors import Unsupported
from headrace.pmml.fields import DataField
from headrace.pmml.functions import normal_cdf
from headrace.pmml.models.base import Head, check_function
from headrace.pmml.names import CLASSIFICATION, REGRESSION
from headrace.pmml.ops import Ops
from headrace.pmml.result import Result, decided
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element

T = TypeVar("T")


@dataclass(frozen=True)
class NumericTerm:
    """coefficient * field^exponent."""

    field: str
    coefficient: float
    exponent: float
    line: int

    def run(self, scope: Scope[T]) -> T:
        """Missing where the field is missing."""
        ops, value = scope.ops, scope.get(self.field, self.line).data
        if self.exponent != 1.0:
            value = ops.power(value, ops.number(self.exponent))
        return ops.times(ops.number(self.coefficient), value)


@dataclass(frozen=True)
class CategoricalTerm:
    """coefficient where a field has a value."""

    field: str
    value: str
    coefficient: float
    line: int

    def run(self, scope: Scope[T]) -> T:
        """0 for every other value, and where the field is missing."""
        ops, column = scope.ops, scope.get(self.field, self.line)
        found = equal(ops, column, constant(ops, self.value, column.type, self.line))
        hit = ops.less(ops.number(0.5), found)
        return ops.where(hit, ops.number(self.coefficient), ops.number(0.0))


@dataclass(frozen=True)
class ProductTerm:
    """coefficient * the product of some fields."""

    fields: Sequence[str]
    coefficient: float
    line: int

    def run(self, scope: Scope[T]) -> T:
        """Missing where a field is missing."""
        ops = scope.ops
        found = ops.number(self.coefficient)
        for name in self.fields:
            found = ops.times(found, scope.get(name, self.line).data)
        return found


@dataclass(frozen=True)
class Table:
    """A sum of terms, of a label where the model classifies."""

    intercept: float
    terms: Sequence[NumericTerm | CategoricalTerm | ProductTerm]
    label: str | None

    def run(self, scope: Scope[T]) -> T:
        """The sum, in the order of the document."""
        found = scope.ops.number(0.0)
        for term in self.terms:
            found = scope.ops.plus(found, term.run(scope))
        return scope.ops.plus(found, scope.ops.number(self.intercept))


@dataclass(frozen=True)
class Regression:
    """The body of a RegressionModel."""

    tables: Sequence[Table]
    normalization: str
    line: int

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """A number, or the probabilities of the labels."""
        ops, sums = scope.ops, [table.run(scope) for table in self.tables]
        if not head.classifies:
            return Result(value=normalized(ops, self.normalization, sums[0]))
        labels = [table.label or "" for table in self.tables]
        target = head.dictionary.get(head.target or "")
        optype = target.optype if target else "categorical"
        found = _ordinal if optype == "ordinal" else probabilities
        return decided(ops, labels, found(ops, self.normalization, sums))


def normalized(ops: Ops[T], name: str, value: T) -> T:
    """A sum as a regression's answer, or as the probability of one label; `name` is a normalizationMethod."""
    one = ops.number(1.0)
    if name in ("logit", "softmax"):
        return ops.divided(one, ops.plus(one, ops.function("exp", ops.minus(ops.number(0.0), value))))
    if name == "exp":
        return ops.function("exp", value)
    if name == "probit":
        return ops.each("the normal distribution (probit)", normal_cdf, value)
    if name == "cloglog":
        inner = ops.minus(ops.number(0.0), ops.function("exp", value))
        return ops.minus(one, ops.function("exp", inner))
    if name == "loglog":
        inner = ops.function("exp", ops.minus(ops.number(0.0), value))
        return ops.function("exp", ops.minus(ops.number(0.0), inner))
    if name == "cauchit":
        return ops.each("the arc tangent (cauchit)", _cauchit, value)
    return value


def softmax(ops: Ops[T], sums: Sequence[T]) -> T:
    """Exp of each over the sum of all, less the greatest so that none is infinite."""
    stacked = ops.stack(sums)
    powers = ops.function("exp", ops.minus(stacked, ops.upright(ops.greatest(stacked))))
    return ops.divided(powers, ops.upright(ops.total(powers)))


def probabilities(ops: Ops[T], name: str, sums: Sequence[T]) -> T:
    """[rows, labels], as the standard says for categorical targets."""
    if name == "softmax" and len(sums) > 1:
        return softmax(ops, sums)
    if name == "simplemax":
        stacked = ops.stack(sums)
        return ops.divided(stacked, ops.upright(ops.total(stacked)))
    if len(sums) == 2:
        first = _between(ops, sums[0]) if name == "none" else normalized(ops, name, sums[0])
        return ops.stack([first, ops.minus(ops.number(1.0), first)])
    if name == "none":
        rest = ops.number(1.0)
        for each in sums[:-1]:
            rest = ops.minus(rest, each)
        return ops.stack([*sums[:-1], rest])
    stacked = ops.stack([normalized(ops, name, each) for each in sums])
    return ops.divided(stacked, ops.upright(ops.total(stacked)))


def _between(ops: Ops[T], value: T) -> T:
    """Held between 0 and 1."""
    zero, one = ops.number(0.0), ops.number(1.0)
    return ops.where(ops.less(value, zero), zero, ops.where(ops.less(one, value), one, value))


def _ordinal(ops: Ops[T], name: str, sums: Sequence[T]) -> T:
    """The sums but the last are cumulative."""
    below = [normalized(ops, name, each) for each in sums[:-1]]
    steps = [below[0], *(ops.minus(b, a) for a, b in itertools.pairwise(below))]
    return ops.stack([*steps, ops.minus(ops.number(1.0), below[-1])])


def read_regression(element: Element, dictionary: Mapping[str, DataField]) -> Regression:
    """The body of a RegressionModel; raises Unsupported."""
    check_function(element, CLASSIFICATION, REGRESSION)
    tables = [_table(each) for each in element.all("RegressionTable")]
    if not tables:
        element.one("RegressionTable")
    name = element.choice(
        "normalizationMethod",
        "none",
        *("simplemax", "softmax", "logit", "probit", "cloglog", "exp", "loglog", "cauchit"),
    )
    if element.need("functionName") == REGRESSION and name == "simplemax":
        raise Unsupported("RegressionModel: normalizationMethod 'simplemax' of a regression", element.line)
    if element.need("functionName") == CLASSIFICATION and len(tables) == 1:
        raise Unsupported("RegressionModel: a classification with one RegressionTable", element.line)
    return Regression(tables, name, element.line)


def _table(element: Element) -> Table:
    element.only(*_TERMS)
    terms = [_TERMS[each.tag](each) for each in element.children if each.tag in _TERMS]
    return Table(element.number("intercept", 0.0), terms, element.attributes.get("targetCategory"))


def _numeric(element: Element) -> NumericTerm:
    exponent = element.number("exponent", 1.0)
    return NumericTerm(element.only().need("name"), element.number("coefficient"), exponent, element.line)


def _categorical(element: Element) -> CategoricalTerm:
    value = element.only().need("value")
    return CategoricalTerm(element.need("name"), value, element.number("coefficient"), element.line)


def _product(element: Element) -> ProductTerm:
    fields = [each.need("field") for each in element.only("FieldRef").all("FieldRef")]
    return ProductTerm(fields, element.number("coefficient"), element.line)


def _cauchit(value: float) -> float:
    return 0.5 + math.atan(value) / math.pi


_TERMS: Mapping[str, Callable[[Element], NumericTerm | CategoricalTerm | ProductTerm]] = {
    "NumericPredictor": _numeric,
    "CategoricalPredictor": _categorical,
    "PredictorTerm": _product,
}
