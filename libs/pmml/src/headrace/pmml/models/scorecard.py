"""Scorecard: points for each characteristic, and the reasons for what is lacking."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from headrace.pmml.columns import TEXT, Column, missing, pick
from headrace.pmml.errors import BadPmml
from headrace.pmml.expressions import Expression, expression_in
from headrace.pmml.fields import DataField
from headrace.pmml.models.base import Head, check_function
from headrace.pmml.names import REGRESSION
from headrace.pmml.ops import Ops
from headrace.pmml.predicates import PREDICATES, Predicate, holds, predicate_in
from headrace.pmml.result import Result
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element

T = TypeVar("T")


@dataclass(frozen=True)
class Attribute:
    """The points of those rows for which a predicate holds."""

    predicate: Predicate
    points: float | Expression
    reason: str | None

    def scored(self, scope: Scope[T]) -> T:
        """The points."""
        if isinstance(self.points, float):
            return scope.ops.number(self.points)
        return self.points.run(scope).data


@dataclass(frozen=True)
class Characteristic:
    """One property; the first attribute that holds counts."""

    name: str
    attributes: Sequence[Attribute]
    baseline: float | None
    reasons: Sequence[str]
    """The reason code of each attribute."""


@dataclass(frozen=True)
class Scorecard:
    """The body of a Scorecard."""

    initial: float
    characteristics: Sequence[Characteristic]
    points_below: bool
    """Whether points below the baseline are lacking; else those above it are too many."""
    codes: Sequence[str]
    """All reason codes, in the order in which they are written."""
    line: int

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """The sum of all points, and the reasons, the one with the most points first."""
        ops, found = scope.ops, scope.ops.number(self.initial)
        lacking: dict[str, T] = {}
        for each in self.characteristics:
            points, place = self._scored(scope, each)
            found = ops.plus(found, points)
            if self.codes:
                self._add(ops, each, points, place, lacking)
        return Result(value=found, reasons=self._ranked(ops, lacking) if self.codes else ())

    def _scored(self, scope: Scope[T], characteristic: Characteristic) -> tuple[T, T]:
        """The points, and which attribute gave them; missing where none holds."""
        ops = scope.ops
        points, place = missing(ops), missing(ops)
        for number, attribute in reversed(list(enumerate(characteristic.attributes))):
            hit = holds(ops, attribute.predicate.run(scope))
            points = ops.where(hit, attribute.scored(scope), points)
            place = ops.where(hit, ops.number(float(number)), place)
        return points, place

    def _add(self, ops: Ops[T], characteristic: Characteristic, points: T, place: T, lacking: dict[str, T]) -> None:
        """What a characteristic lacks, under the reason code of the attribute that counted."""
        if characteristic.baseline is None:
            raise BadPmml(f"characteristic {characteristic.name!r} has no baselineScore", self.line)
        base = ops.number(characteristic.baseline)
        lack = ops.minus(base, points) if self.points_below else ops.minus(points, base)
        for code in dict.fromkeys(characteristic.reasons):
            mine = np.array([1.0 if reason == code else 0.0 for reason in characteristic.reasons])
            part = ops.where(ops.less(ops.number(0.5), pick(ops, mine, place)), lack, ops.number(-math.inf))
            old = lacking.get(code)
            lacking[code] = part if old is None else _joined(ops, old, part)

    def _ranked(self, ops: Ops[T], lacking: Mapping[str, T]) -> Sequence[Column[T]]:
        codes = [code for code in self.codes if code in lacking]
        stacked = ops.stack([lacking[code] for code in codes])
        places = ops.ranked(stacked, len(codes))
        told = np.array([ops.code(code) for code in codes])
        # a reason lacks points; those of the others, and of attributes that did not count, are none
        lacks = [ops.at_most(ops.number(0.0), lacking[code]) for code in codes]
        count = ops.total(ops.stack([ops.flag(each) for each in lacks]))
        columns = []
        for rank in range(len(codes)):
            code = ops.take(told, ops.column(places, rank))
            columns.append(Column(ops.where(ops.less(ops.number(float(rank)), count), code, missing(ops)), TEXT))
        return columns


def _joined(ops: Ops[T], one: T, other: T) -> T:
    """Two parts of one reason; infinite parts are of attributes that did not count."""
    least = ops.number(-math.inf)
    sums = ops.plus(one, other)
    return ops.where(ops.same(one, least), other, ops.where(ops.same(other, least), one, sums))


def read_scorecard(element: Element, dictionary: Mapping[str, DataField]) -> Scorecard:
    """The body of a Scorecard; raises Unsupported."""
    check_function(element, REGRESSION)
    uses = element.get("useReasonCodes", "true") == "true"
    algorithm = element.choice("reasonCodeAlgorithm", "pointsBelow", "pointsAbove")
    default = element.number("baselineScore") if "baselineScore" in element.attributes else None
    parts = element.one("Characteristics").only("Characteristic").all("Characteristic")
    characteristics = [_characteristic(each, default, uses) for each in parts]
    codes = dict.fromkeys(code for each in characteristics for code in each.reasons)
    return Scorecard(
        initial=element.number("initialScore", 0.0),
        characteristics=characteristics,
        points_below=algorithm == "pointsBelow",
        codes=list(codes),
        line=element.line,
    )


def _characteristic(element: Element, default: float | None, uses: bool) -> Characteristic:
    own = element.attributes.get("reasonCode")
    attributes = [_attribute(each) for each in element.only("Attribute").all("Attribute")]
    if not attributes:
        element.one("Attribute")
    reasons = [each.reason if each.reason is not None else own for each in attributes]
    if uses and any(each is None for each in reasons):
        raise BadPmml(f"characteristic {element.get('name')!r} has an attribute without a reasonCode", element.line)
    return Characteristic(
        name=element.get("name"),
        attributes=attributes,
        baseline=element.number("baselineScore") if "baselineScore" in element.attributes else default,
        reasons=[each for each in reasons if each is not None] if uses else [],
    )


def _attribute(element: Element) -> Attribute:
    element.only(*PREDICATES, "ComplexPartialScore")
    complicated = element.first("ComplexPartialScore")
    points = expression_in(complicated) if complicated else element.number("partialScore")
    return Attribute(predicate_in(element), points, element.attributes.get("reasonCode"))
