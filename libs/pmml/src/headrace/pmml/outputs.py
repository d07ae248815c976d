"""Output fields: what else a model says, by the names that it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.pmml.columns import DOUBLE, TEXT, TYPES, Column, cast, missing
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.expressions import Expression, expression_in
from headrace.pmml.result import Result
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element

T = TypeVar("T")
PREDICTED, PROBABILITY, TRANSFORMED, REASON = "predictedValue", "probability", "transformedValue", "reasonCode"
_EXTRAS = ("entityId", "clusterId", "affinity", "clusterAffinity", "entityAffinity", "confidence")
_SPELLED = {"clusterId": "entityId", "clusterAffinity": "affinity", "entityAffinity": "affinity"}
_FEATURES = (PREDICTED, "predictedDisplayValue", PROBABILITY, TRANSFORMED, "decision", REASON, *_EXTRAS)
_TYPES = {
    PROBABILITY: DOUBLE,
    "affinity": DOUBLE,
    "clusterAffinity": DOUBLE,
    "entityAffinity": DOUBLE,
    "confidence": DOUBLE,
}


@dataclass(frozen=True)
class OutputField:
    """One of them."""

    name: str
    feature: str
    type: str | None
    value: str | None
    rank: int
    final: bool
    expression: Expression | None
    line: int

    @property
    def is_extra(self) -> bool:
        """Whether it says more than the task's own outputs do."""
        return self.final and self.feature not in (PREDICTED, PROBABILITY)

    def run(self, scope: Scope[T], result: Result[T], target_type: str) -> Column[T]:
        """Its value for every row."""
        if self.expression is not None:
            found = self.expression.run(scope, self.type)
        elif self.feature in (PREDICTED, "predictedDisplayValue"):
            found = result.predicted(scope.ops, target_type, self.line)
        elif self.feature == PROBABILITY:
            found = self._probability(scope, result)
        elif self.feature == REASON:
            found = self._reason(scope, result)
        else:
            found = self._extra(result)
        return found if self.type is None else cast(scope.ops, found, self.type)

    def _probability(self, scope: Scope[T], result: Result[T]) -> Column[T]:
        """Of the label that it names, else of the answer."""
        ops = scope.ops
        if result.probabilities is None:
            raise Unsupported(f"output field {self.name!r}: the model gives no probabilities", self.line)
        if self.value is None:
            return Column(ops.greatest(result.probabilities), DOUBLE)
        if self.value not in result.labels:
            raise BadPmml(f"output field {self.name!r}: the model has no label {self.value!r}", self.line)
        return Column(ops.column(result.probabilities, list(result.labels).index(self.value)), DOUBLE)

    def _reason(self, scope: Scope[T], result: Result[T]) -> Column[T]:
        if self.rank > len(result.reasons):
            return Column(missing(scope.ops), TEXT)
        return result.reasons[self.rank - 1]

    def _extra(self, result: Result[T]) -> Column[T]:
        name = _SPELLED.get(self.feature, self.feature)
        if name not in result.extras:
            raise Unsupported(f"output field {self.name!r}: feature {self.feature!r} is not supported here", self.line)
        return result.extras[name]


def read_outputs(element: Element | None) -> Sequence[OutputField]:
    """The output fields of a model; raises Unsupported for a feature that is not evaluated."""
    if element is None:
        return []
    return [_output(each) for each in element.only("OutputField").all("OutputField")]


def run_outputs(
    fields: Sequence[OutputField], scope: Scope[T], result: Result[T], target_type: str
) -> Mapping[str, Column[T]]:
    """All of them; each may ask for those before it."""
    inner = scope.inner({}, {})
    for each in fields:
        inner.values[each.name] = each.run(inner, result, target_type)
    return inner.values


def _output(element: Element) -> OutputField:
    feature = element.get("feature", PREDICTED)
    if feature not in _FEATURES:
        raise Unsupported(f"OutputField: feature {feature!r} is not supported", element.line)
    expression = None
    if feature in (TRANSFORMED, "decision"):
        expression = expression_in(element, "Decisions")
    else:
        element.only()
    kind = element.get("dataType") or _TYPES.get(feature)
    if kind is not None and kind not in TYPES:
        raise Unsupported(f"OutputField: dataType {kind!r} is not supported", element.line)
    return OutputField(
        name=element.need("name"),
        feature=feature,
        type=kind,
        value=element.attributes.get("value"),
        rank=_rank(element),
        final=element.get("isFinalResult", "true") == "true",
        expression=expression,
        line=element.line,
    )


def _rank(element: Element) -> int:
    """Which of the answers, from 1; raises BadPmml."""
    rank = element.number("rank", 1.0)
    if not rank.is_integer() or rank < 1:
        raise BadPmml(f"OutputField: rank {element.get('rank')!r} is no whole number from 1 on", element.line)
    return int(rank)
