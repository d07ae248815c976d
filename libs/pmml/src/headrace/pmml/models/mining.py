"""MiningModel: models combined, as an ensemble, a choice, or a chain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from headrace.pmml.columns import Column, missing, pick
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.fields import DataField
from headrace.pmml.models.base import Head, Model, answered, check_function, entered
from headrace.pmml.models.trees import WEIGHTED, Stand, Tree, grown
from headrace.pmml.names import CLASSIFICATION, REGRESSION
from headrace.pmml.ops import Ops
from headrace.pmml.predicates import PREDICATES, Always, Predicate, holds, predicate_in
from headrace.pmml.result import Result, arranged, decided
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element

T = TypeVar("T")
_CHAIN, _FIRST = "modelChain", "selectFirst"
_VOTES = ("majorityVote", "weightedMajorityVote")
_MEANS = ("average", "weightedAverage")
_NUMBERS = (*_MEANS, "sum", "weightedSum", "median")
_WEIGHTED = ("weightedMajorityVote", "weightedAverage", "weightedSum")


@dataclass(frozen=True)
class Segment:
    """One model, and which rows it is for."""

    predicate: Predicate
    model: Model
    weight: float
    line: int

    @property
    def always(self) -> bool:
        """Whether it is for all rows."""
        return isinstance(self.predicate, Always) and self.predicate.value == 1.0


@dataclass(frozen=True, eq=False)
class Mining:
    """The body of a MiningModel."""

    method: str
    segments: Sequence[Segment]
    missing: str
    most_missing: float
    line: int
    stand: list[Stand] = field(default_factory=list)
    """All trees as one forest, once it is known."""

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """By the method."""
        if self.method == _CHAIN:
            return self._chain(scope)
        if self.method == _FIRST:
            return self._first(scope)
        parts = self._of_trees(scope) if self._is_forest else self._of_models(scope)
        return self._voted(scope.ops, parts) if head.classifies else self._number(scope.ops, parts)

    def _chain(self, scope: Scope[T]) -> Result[T]:
        """Output fields of a segment are fields of those after it; the last that is for a row answers."""
        ops, inner = scope.ops, scope.inner({}, {})
        found: Result[T] | None = None
        for segment in self.segments:
            own = entered(segment.model.head, inner)
            result, named = answered(segment.model, own)
            if segment.always:
                inner.values.update(named)
                found = result
                continue
            mine = holds(ops, segment.predicate.run(inner))
            found = _merged(ops, mine, result, found)
            none = missing(ops)
            masked = {name: Column(ops.where(mine, c.data, none), c.type, c.open) for name, c in named.items()}
            inner.values.update(masked)
        assert found is not None, "a MiningModel has segments"
        return found

    def _first(self, scope: Scope[T]) -> Result[T]:
        found: Result[T] | None = None
        for segment in reversed(self.segments):
            result, _ = answered(segment.model, entered(segment.model.head, scope))
            mine = holds(scope.ops, segment.predicate.run(scope))
            found = result if segment.always else _merged(scope.ops, mine, result, found)
        assert found is not None, "a MiningModel has segments"
        return found

    @property
    def _is_forest(self) -> bool:
        return all(
            isinstance(each.model.body, Tree)
            and each.model.body.strategy not in WEIGHTED
            and not each.model.head.targets
            for each in self.segments
        )

    def _of_trees(self, scope: Scope[T]) -> "_Parts[T]":
        """All trees at once."""
        scopes = [entered(each.model.head, scope) for each in self.segments]
        bodies: list[Any] = [each.model.body for each in self.segments]
        if not self.stand:
            self.stand.append(grown(list(zip(bodies, scopes, strict=True))))
        stand, labels = self.stand[0], list(dict.fromkeys(label for body in bodies for label in body.labels))
        leaves = stand.leaves(scopes)
        shares = stand.shares(labels) if labels and self.method in _MEANS else None
        return _Parts(
            labels=labels,
            numbers=scope.ops.take(stand.places(labels) if labels else stand.scores, leaves),
            shares=None if shares is None else scope.ops.take(shares, leaves),
            there=self._there(scope),
            weights=self._weights,
        )

    def _of_models(self, scope: Scope[T]) -> "_Parts[T]":
        """One model after the other."""
        ops = scope.ops
        results = [answered(each.model, entered(each.model.head, scope))[0] for each in self.segments]
        labels = list(dict.fromkeys(label for each in results for label in each.labels))
        shares = [arranged(ops, each, labels) for each in results]
        known = [each for each in shares if each is not None]
        return _Parts(
            labels=labels,
            numbers=ops.stack([_placed(ops, each, labels) for each in results]),
            shares=ops.stack(known) if len(known) == len(results) and labels else None,
            there=self._there(scope),
            weights=self._weights,
        )

    def _there(self, scope: Scope[T]) -> T | None:
        """1 for each row and segment that is for it; None where all are for all rows."""
        if all(each.always for each in self.segments):
            return None
        ops = scope.ops
        return ops.stack([ops.flag(holds(ops, each.predicate.run(scope))) for each in self.segments])

    @property
    def _weights(self) -> np.ndarray:
        return np.array([each.weight if self.method in _WEIGHTED else 1.0 for each in self.segments])

    def _number(self, ops: Ops[T], parts: "_Parts[T]") -> Result[T]:
        there = self._counted(ops, parts)
        value = self._combined(ops, parts, there)
        return Result(value=ops.where(self._lacks(ops, parts), missing(ops), value))

    def _combined(self, ops: Ops[T], parts: "_Parts[T]", there: T) -> T:
        weights = ops.times(there, ops.row(parts.weights))
        if self.method == "median":
            return _median(ops, parts.numbers, len(self.segments))
        total = ops.total(ops.times(weights, _counting(ops, there, parts.numbers)))
        return ops.divided(total, ops.total(weights)) if self.method in _MEANS else total

    def _voted(self, ops: Ops[T], parts: "_Parts[T]") -> Result[T]:
        there = self._counted(ops, parts)
        weights = ops.times(there, ops.row(parts.weights))
        if self.method in _MEANS:
            if parts.shares is None:
                raise Unsupported(f"{self.method} of models that give no probabilities", self.line)
            shares = [_counting(ops, there, ops.deep(parts.shares, place)) for place in range(len(parts.labels))]
            sums = ops.stack([ops.total(ops.times(weights, each)) for each in shares])
            lacks = self._lacks(ops, parts)
        else:
            votes = [ops.flag(ops.same(parts.numbers, ops.number(float(p)))) for p in range(len(parts.labels))]
            sums = ops.stack([ops.total(ops.times(weights, each)) for each in votes])
            lacks = self._outvoted(ops, parts, there, sums)
        whole = ops.total(weights) if self.method in _MEANS else ops.total(sums)
        gap = ops.less(ops.number(0.5), ops.upright(ops.flag(lacks)))
        found = decided(ops, parts.labels, ops.where(gap, missing(ops), ops.divided(sums, ops.upright(whole))))
        return replace(found, label=_earliest(ops, parts, there, found)) if self.method in _VOTES else found

    def _counted(self, ops: Ops[T], parts: "_Parts[T]") -> T:
        """1 for each row and segment that counts."""
        there = parts.there if parts.there is not None else ops.row(np.ones(len(self.segments)))
        if self.missing == "skipSegment":
            return ops.times(there, ops.flag(ops.known(parts.numbers)))
        return there

    def _lacks(self, ops: Ops[T], parts: "_Parts[T]") -> T:
        """Which rows have no answer, because no segment is for them or too many are missing; a condition.

        How many are missing is weighed by the segments' weights, also where the method itself has none.
        """
        there = parts.there if parts.there is not None else ops.row(np.ones(len(self.segments)))
        weights = ops.times(there, ops.row(np.array([each.weight for each in self.segments])))
        gaps = ops.flag(ops.negate(ops.known(parts.numbers)))
        most = self.most_missing if self.missing == "skipSegment" else 0.0
        over = ops.less(ops.times(ops.total(weights), ops.number(most)), ops.total(ops.times(weights, gaps)))
        return ops.either(over, ops.at_most(ops.total(there), ops.number(0.0)))

    def _outvoted(self, ops: Ops[T], parts: "_Parts[T]", there: T, votes: T) -> T:
        """Which rows have no answer where missing predictions vote, too: those where no label has as many."""
        if self.missing != "continue":
            return self._lacks(ops, parts)
        gaps = ops.flag(ops.negate(ops.known(parts.numbers)))
        absent = ops.total(ops.times(ops.times(there, ops.row(parts.weights)), gaps))
        return ops.either(ops.less(ops.greatest(votes), absent), ops.at_most(ops.greatest(votes), ops.number(0.0)))


@dataclass(frozen=True)
class _Parts(Generic[T]):
    """What the segments say, side by side."""

    labels: Sequence[str]
    numbers: T
    """[rows, segments]: numbers, or places of labels."""
    shares: T | None
    """[rows, segments, labels]"""
    there: T | None
    weights: np.ndarray


def _earliest(ops: Ops[T], parts: "_Parts[T]", there: T, found: Result[T]) -> T:
    """Of the labels with the most votes the one that was voted for first."""
    assert found.probabilities is not None, "votes are shares"
    turns = ops.row(np.arange(len(parts.weights), 0.0, -1.0))
    first = []
    for label in range(len(parts.labels)):
        voted = ops.flag(ops.same(parts.numbers, ops.number(float(label))))
        first.append(ops.greatest(ops.times(ops.times(voted, there), turns)))
    most = ops.at_most(ops.upright(ops.greatest(found.probabilities)), found.probabilities)
    place = ops.first(ops.where(most, ops.stack(first), ops.number(-1.0)))
    return ops.where(ops.known(found.answer), place, missing(ops))


def _counting(ops: Ops[T], there: T, values: T) -> T:
    """The values of what counts; 0 for others, which may be missing."""
    return ops.where(ops.less(ops.number(0.5), there), values, ops.number(0.0))


def _placed(ops: Ops[T], result: Result[T], labels: Sequence[str]) -> T:
    """A number, or the place of the label among all labels."""
    if result.label is None or list(result.labels) == list(labels):
        return result.answer
    return pick(ops, np.array([float(labels.index(label)) for label in result.labels]), result.label)


def _merged(ops: Ops[T], mine: T, new: Result[T], old: Result[T] | None) -> Result[T]:
    """The new answer for some rows, the old one for the others."""
    if new.label is None:
        return Result(value=ops.where(mine, new.answer, missing(ops) if old is None else old.answer))
    labels = list(dict.fromkeys([*new.labels, *(old.labels if old else ())]))
    label = missing(ops) if old is None else _placed(ops, old, labels)
    shares, others = arranged(ops, new, labels), arranged(ops, old, labels) if old else None
    both = shares if shares is not None and (others is not None or old is None) else None
    if both is not None:
        columns = ops.less(ops.number(0.5), ops.upright(ops.flag(mine)))
        both = ops.where(columns, both, others if others is not None else missing(ops))
    return Result(labels=labels, label=ops.where(mine, _placed(ops, new, labels), label), probabilities=both)


def _median(ops: Ops[T], numbers: T, count: int) -> T:
    ordered = ops.sorted(numbers)
    upper = ops.column(ordered, count // 2)
    middle = upper if count % 2 else ops.divided(ops.plus(ops.column(ordered, count // 2 - 1), upper), ops.number(2.0))
    return ops.where(ops.known(ops.total(numbers)), middle, missing(ops))


def read_mining(
    element: Element, dictionary: Mapping[str, DataField], models: Sequence[str], read: Callable[[Element], Model]
) -> Mining:
    """The body of a MiningModel; `read` reads a segment's model, one of `models`. Raises Unsupported."""
    check_function(element, CLASSIFICATION, REGRESSION)
    segmentation = element.one("Segmentation").only("Segment", "LocalTransformations")
    if local := segmentation.first("LocalTransformations"):
        raise Unsupported("LocalTransformations of a Segmentation", local.line)
    method = segmentation.need("multipleModelMethod")
    allowed = (_CHAIN, _FIRST, *(_NUMBERS if element.need("functionName") == REGRESSION else (*_VOTES, *_MEANS)))
    if method not in allowed:
        raise Unsupported(
            f"Segmentation: multipleModelMethod {method!r} of a {element.need('functionName')} is not supported",
            segmentation.line,
        )
    segments = [_segment(each, models, read) for each in segmentation.all("Segment")]
    if not segments:
        segmentation.one("Segment")
    if method == "median" and not all(each.always for each in segments):
        raise Unsupported("Segmentation: a median of segments that are not for all rows", segmentation.line)
    return Mining(
        method=method,
        segments=segments,
        missing=segmentation.choice("missingPredictionTreatment", "continue", "skipSegment", "returnMissing"),
        most_missing=segmentation.number("missingThreshold", 1.0),
        line=segmentation.line,
    )


def _segment(element: Element, models: Sequence[str], read: Callable[[Element], Model]) -> Segment:
    found = element.only(*PREDICATES, *models).first(*models)
    if found is None:
        raise BadPmml("Segment has no model", element.line)
    return Segment(predicate_in(element), read(found), element.number("weight", 1.0), element.line)
