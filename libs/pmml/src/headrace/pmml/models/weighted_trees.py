"""Trees that follow several branches at once where a value is missing: weightedConfidence and aggregateNodes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.models.base import Head
from headrace.pmml.ops import Ops
from headrace.pmml.predicates import holds
from headrace.pmml.result import Result, decided
from headrace.pmml.scope import Scope

if TYPE_CHECKING:
    from headrace.pmml.models.trees import Node

T = TypeVar("T")
_CONFIDENCE = "weightedConfidence"


def run_weighted(scope: Scope[T], head: Head, root: "Node", labels: Sequence[str], strategy: str) -> Result[T]:
    """Each leaf's part in the answer; the answer is the label with the greatest sum.

    Where an answer is unknown, it and all others that are not false are followed: by their share of records for
    weightedConfidence, with all their records for aggregateNodes.
    """
    if not head.classifies:
        raise Unsupported(f"missingValueStrategy {strategy!r} of a regression is not supported", head.line)
    ops = scope.ops
    parts: list[tuple[Node, T]] = []
    _follow(scope, root, holds_as_number(ops, root.predicate.run(scope)), strategy == _CONFIDENCE, parts)
    table = np.array([_said(node, labels, strategy == _CONFIDENCE) for node, _ in parts])
    sums = ops.product(ops.stack([weight for _, weight in parts]), table)
    total = ops.upright(ops.total(sums))
    none = ops.at_most(total, ops.number(0.0))
    return decided(ops, labels, ops.where(none, ops.number(math.nan), ops.divided(sums, total)))


def holds_as_number(ops: Ops[T], answer: T) -> T:
    """1 where an answer is true, else 0."""
    return ops.flag(holds(ops, answer))


def _follow(scope: Scope[T], node: "Node", weight: T, by_records: bool, parts: "list[tuple[Node, T]]") -> None:
    if not node.children:
        parts.append((node, weight))
        return
    ops, one = scope.ops, scope.ops.number(1.0)
    spread, taken = ops.number(0.0), ops.number(0.0)
    first: list[T] = []
    possible: list[T] = []
    for child in node.children:
        answer = child.predicate.run(scope)
        unknown = ops.flag(ops.negate(ops.known(answer)))
        spread = ops.plus(spread, ops.times(unknown, ops.minus(one, ops.plus(spread, taken))))
        true = holds_as_number(ops, answer)
        first.append(ops.times(true, ops.minus(one, ops.plus(spread, taken))))
        taken = ops.plus(taken, first[-1])
        records = ops.number(_records(child) if by_records else 1.0)
        possible.append(ops.times(ops.plus(true, unknown), records))
    several = ops.less(ops.number(0.5), spread)
    total = ops.total(ops.stack(possible))
    for child, alone, share in zip(node.children, first, possible, strict=True):
        part = ops.divided(share, total) if by_records else share
        _follow(scope, child, ops.times(weight, ops.where(several, part, alone)), by_records, parts)


def _records(node: "Node") -> float:
    if node.records is not None:
        return node.records
    if not node.counts:
        raise BadPmml("a Node whose branch may be weighted has no recordCount", node.line)
    return sum(node.counts.values())


def _said(node: "Node", labels: Sequence[str], as_shares: bool) -> list[float]:
    if not node.counts:
        raise BadPmml("a Node that may be weighted has no ScoreDistribution", node.line)
    total = sum(node.counts.values()) if as_shares else 1.0
    return [node.counts.get(label, 0.0) / total for label in labels]
