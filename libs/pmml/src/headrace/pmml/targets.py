"""Targets: what becomes of a model's raw answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from headrace.pmml.columns import half_up, replaced
from headrace.pmml.errors import Unsupported
from headrace.pmml.ops import Ops
from headrace.pmml.result import Result
from headrace.pmml.xml import Element

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """Of one target field."""

    low: float
    high: float
    factor: float
    constant: float
    whole: str
    default: float | None

    def applied(self, ops: Ops[T], result: Result[T]) -> Result[T]:
        """A number is held in its range, rescaled, then made whole; a default is for a missing answer."""
        if result.value is None:
            return result
        value = result.value if self.default is None else replaced(ops, result.value, self.default)
        if math.isfinite(self.low):
            value = ops.where(ops.less(value, ops.number(self.low)), ops.number(self.low), value)
        if math.isfinite(self.high):
            value = ops.where(ops.less(ops.number(self.high), value), ops.number(self.high), value)
        if self.factor != 1.0:
            value = ops.times(value, ops.number(self.factor))
        if self.constant != 0.0:
            value = ops.plus(value, ops.number(self.constant))
        return replace(result, value=self._whole(ops, value))

    def _whole(self, ops: Ops[T], value: T) -> T:
        if self.whole == "round":
            return half_up(ops, value)
        return ops.function({"ceiling": "ceil"}.get(self.whole, self.whole), value) if self.whole else value


def read_targets(element: Element | None) -> Mapping[str, Target]:
    """By the name of the field; the empty name is that of the only target."""
    if element is None:
        return {}
    return {each.get("field"): _target(each) for each in element.only("Target").all("Target")}


def _target(element: Element) -> Target:
    values = element.only("TargetValue").all("TargetValue")
    for each in values:
        if "priorProbability" in each.attributes:
            raise Unsupported("attribute priorProbability of TargetValue is not supported", each.line)
        each.only()
    defaults = [each.number("defaultValue") for each in values if "defaultValue" in each.attributes]
    return Target(
        low=element.number("min", -math.inf),
        high=element.number("max", math.inf),
        factor=element.number("rescaleFactor", 1.0),
        constant=element.number("rescaleConstant", 0.0),
        whole=element.choice("castInteger", "", "round", "ceiling", "floor"),
        default=defaults[0] if defaults else None,
    )
