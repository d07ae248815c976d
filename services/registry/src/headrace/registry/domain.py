"""What the registry decides: what changed, which gates are met, who may approve, how risky a model is.

Pure: standard library and contracts only.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import prod
from typing import Any

from headrace.contracts import Comparison, Declaration, EvaluationCompleted, Gate, GateResult
from headrace.contracts.durations import parse_duration

CHAMPION, CHALLENGER = "champion", "challenger"
IMPACT: Mapping[str, float] = {"low": 1 / 3, "medium": 2 / 3, "high": 1.0}
SIGNALS: Mapping[str, float] = {"drift": 0.15, "performance": 0.4, "fairness": 0.4, "rollback": 0.3}
BASE_PROBABILITY = 0.05  # nothing is without risk, even where nothing was seen


class State(StrEnum):
    """Where a version stands."""

    EVALUATING = "evaluating"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Verdict:
    """How a version met its gates, and in one sentence why it did not."""

    gates: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return all(gate.passed for gate in self.gates)

    @property
    def reason(self) -> str:
        """The gates that were not met."""
        return "; ".join(gate.detail for gate in self.gates if not gate.passed)


def judge(declaration: Declaration, event: EvaluationCompleted) -> Verdict:
    """Hold an evaluation against the declaration's gates."""
    comparisons = {each.metric: each for each in event.comparisons}
    measured = event.metrics.candidate
    return Verdict(tuple(_judge(gate, measured, comparisons, event) for gate in declaration.evaluation.gates))


def _judge(
    gate: Gate, measured: Mapping[str, float], comparisons: Mapping[str, Comparison], event: EvaluationCompleted
) -> GateResult:
    if gate.beats == "champion":
        return _beats(gate, comparisons.get(gate.metric), event)
    if gate.beats == "trivial":
        return _beats_trivial(gate, event)
    value = measured.get(gate.metric)
    if value is None:
        return GateResult(
            gate=words(gate), metric=gate.metric, passed=False, detail=f"{gate.metric} could not be measured"
        )
    return _limit(gate, value)


def _limit(gate: Gate, value: float) -> GateResult:
    if gate.at_least is not None:
        limit, passed, sign = gate.at_least, value >= gate.at_least, ">="
    else:
        limit = gate.at_most if gate.at_most is not None else float("inf")
        passed, sign = value <= limit, "<="
    shown = sign if passed else f"is not {sign}"
    detail = f"{gate.metric} {value:.4f} {shown} {limit:g}"
    return GateResult(gate=words(gate), metric=gate.metric, passed=passed, value=value, limit=limit, detail=detail)


def _beats(gate: Gate, met: Comparison | None, event: EvaluationCompleted) -> GateResult:
    """Better by at least `by`, and not by chance: the bootstrap interval of the paired difference lies above 0."""
    name = words(gate)
    if event.champion is None:
        return GateResult(gate=name, metric=gate.metric, passed=True, detail="there is no champion to beat")
    if met is None:
        return GateResult(gate=name, metric=gate.metric, passed=False, detail=f"{gate.metric} was not compared")
    passed = met.difference >= gate.by and met.low > 0
    interval = f"{met.difference:+.4f}, {met.confidence:.0%} interval {met.low:+.4f} to {met.high:+.4f}"
    versus = f"{gate.metric} {met.candidate:.4f} against {met.champion:.4f}"
    detail = f"{versus}: {interval}" + ("" if passed else f"; at least {gate.by:+g} and an interval above 0 are needed")
    return GateResult(gate=name, metric=gate.metric, passed=passed, value=met.difference, limit=gate.by, detail=detail)


def _beats_trivial(gate: Gate, event: EvaluationCompleted) -> GateResult:
    """Better than an answer that needs no model by at least `by`, and not by chance."""
    name = words(gate)
    met = next((each for each in event.baselines or [] if each.metric == gate.metric), None)
    if met is None:
        detail = f"{gate.metric} was not compared with the trivial answer"
        return GateResult(gate=name, metric=gate.metric, passed=False, detail=detail)
    passed = met.difference >= gate.by and met.low > 0
    interval = f"{met.difference:+.4f}, {met.confidence:.0%} interval {met.low:+.4f} to {met.high:+.4f}"
    versus = f"{gate.metric} {met.candidate:.4f} against {met.trivial:.4f} of {met.answer}"
    detail = f"{versus}: {interval}" + ("" if passed else f"; at least {gate.by:+g} and an interval above 0 are needed")
    return GateResult(gate=name, metric=gate.metric, passed=passed, value=met.difference, limit=gate.by, detail=detail)


def words(gate: Gate) -> str:
    """A gate as people read it."""
    if gate.beats is not None:
        whom = "the champion" if gate.beats == "champion" else "the trivial answer"
        return f"{gate.metric} beats {whom} by {gate.by:g}"
    if gate.at_least is not None:
        return f"{gate.metric} at least {gate.at_least:g}"
    return f"{gate.metric} at most {gate.at_most:g}"


def changed_paths(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Paths at which two documents differ, outermost name first."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            yield from changed_paths(old.get(name), new.get(name), f"{at}.{name}".lstrip("."))
    elif old != new:
        yield at or "everything"


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document's canonical JSON."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def may_not_approve(actor: str, authors: Iterable[str]) -> str | None:
    """Why `actor` may not decide on a version; None where they may. Who made a thing never approves it."""
    if actor in set(authors):
        return f"{actor} declared this model or asked for this run; an author never approves their own"
    return None


def enough(approvers: Sequence[str], needed: int) -> bool:
    """Whether enough different people said yes."""
    return len(set(approvers)) >= needed


def expires_at(declaration: Declaration, now: datetime) -> datetime:
    """When a request for approval lapses."""
    return now + parse_duration(declaration.approval.expires)


def review_due(declaration: Declaration, since: datetime) -> datetime:
    """When people must look at the model's risk again."""
    return since + parse_duration(declaration.risk.review_every)


@dataclass(frozen=True)
class Risk:
    """Probability times impact, each between 0 and 1."""

    probability: float
    impact: float

    @property
    def score(self) -> float:
        """The risk."""
        return self.probability * self.impact

    @property
    def rating(self) -> str:
        """In a word: low under 0.15, high from 0.4."""
        return "high" if self.score >= 0.4 else "medium" if self.score >= 0.15 else "low"


def risk_of(declaration: Declaration, signals: Sequence[str]) -> Risk:
    """The risk of a model after what was seen of its champion.

    Each signal (drift, performance, fairness, rollback) is an independent chance that the model does harm; the
    probability is that of at least one: 1 - (1 - base) x product of (1 - weight).
    """
    left = (1 - BASE_PROBABILITY) * prod(1 - SIGNALS[signal] for signal in signals)
    return Risk(1 - left, IMPACT[declaration.risk.impact])


def lapsed(expires: datetime | None, now: datetime) -> bool:
    """Whether a request for approval is over."""
    return expires is not None and expires <= now
