"""What the registry decides: what changed, which gates are met, who may approve, how risky a model is.

Pure: standard library and contracts only.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import inf, isfinite, prod
from typing import Any

from headrace.contracts import (
    OUTSIDER,
    Baseline,
    Comparison,
    DatasetRef,
    Declaration,
    EvaluationCompleted,
    Gate,
    GateResult,
    VersionRegistered,
    is_person,
)
from headrace.contracts.durations import parse_duration
from headrace.registry.policy import Policy

TRAINED = "trained"  # the origin of a version that a run made here
CHAMPION = "champion"  # the alias that serves; others are names for people
WAY_ON = (
    "train on a dataset version with rows that the champion has not learned from; where there can be none, apply the "
    "declaration without the gate that beats the champion, train, and put the gate back once that version serves"
)
IMPACT: Mapping[str, float] = {"low": 1 / 3, "medium": 2 / 3, "high": 1.0}
SIGNALS: Mapping[str, float] = {"drift": 0.15, "performance": 0.4, "fairness": 0.4, "rollback": 0.3}
BASE_PROBABILITY = 0.05  # nothing is without risk, even where nothing was seen


class State(StrEnum):
    """Where a version or a change stands."""

    EVALUATING = "evaluating"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Verdict:
    """How a version met its gates, and in one sentence why it did not."""

    gates: tuple[GateResult, ...]
    way_on: str | None = None
    """What to do where the champion could not be met."""

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return all(gate.passed for gate in self.gates)

    @property
    def reason(self) -> str:
        """The gates that were not met."""
        unmet = [gate.detail for gate in self.gates if not gate.passed]
        return "; ".join([*unmet, *([self.way_on] if self.way_on else [])])


@dataclass(frozen=True)
class Met:
    """The champion that a version has to meet, and why the two cannot be compared, where that is known."""

    version: int
    incomparable: str | None = None


def judge(policy: Policy, event: EvaluationCompleted, met: Met | None = None) -> Verdict:
    """Hold an evaluation against the gates of a policy; `met` is None where there is no champion."""
    if met is not None and met.incomparable is None:
        met = Met(met.version, event.incomparable)
    asks = [gate for gate in policy.gates if gate.beats == CHAMPION and met is not None]
    stuck = any(_compared(gate, event, met) is None for gate in asks)
    return Verdict(tuple(_judge(gate, event, met) for gate in policy.gates), WAY_ON if stuck else None)


def _compared(gate: Gate, event: EvaluationCompleted, met: Met | None) -> Comparison | None:
    """The comparison with the champion that a gate needs; None where there is no honest one."""
    found = next((each for each in event.comparisons if each.metric == gate.metric), None)
    return None if met is None or met.incomparable is not None else found


def _judge(gate: Gate, event: EvaluationCompleted, met: Met | None) -> GateResult:
    if gate.beats == CHAMPION:
        return _beats(gate, event, met)
    if gate.beats is not None:
        return _beats_trivial(gate, event)
    value = event.metrics.candidate.get(gate.metric)
    if value is None or not isfinite(value):
        return _unmet(gate, f"{gate.metric} could not be measured")
    return _limit(gate, value)


def _unmet(gate: Gate, detail: str) -> GateResult:
    return GateResult(gate=words(gate), metric=gate.metric, passed=False, detail=detail)


def _limit(gate: Gate, value: float) -> GateResult:
    if gate.at_least is not None:
        limit, passed, sign = gate.at_least, value >= gate.at_least, ">="
    else:
        limit = gate.at_most if gate.at_most is not None else float("inf")
        passed, sign = value <= limit, "<="
    shown = sign if passed else f"is not {sign}"
    detail = f"{gate.metric} {value:.4f} {shown} {limit:g}"
    return GateResult(gate=words(gate), metric=gate.metric, passed=passed, value=value, limit=limit, detail=detail)


def _beats(gate: Gate, event: EvaluationCompleted, met: Met | None) -> GateResult:
    """Better than the champion on rows that neither has learned from."""
    if met is None:
        return GateResult(gate=words(gate), metric=gate.metric, passed=True, detail="there is no champion to beat")
    found = _compared(gate, event, met)
    if found is None:
        why = met.incomparable or f"the evaluation has no {gate.metric} of both"
        return _unmet(gate, f"{gate.metric} was not compared with champion {met.version}: {why}")
    return _better(gate, found, f"{found.champion:.4f}", f"champion {met.version}")


def _beats_trivial(gate: Gate, event: EvaluationCompleted) -> GateResult:
    """Better than every answer that needs no model; held against the one that comes nearest."""
    met = [each for each in event.baselines or [] if each.metric == gate.metric]
    if not met:
        return _unmet(gate, f"{gate.metric} was not compared with the trivial answer")
    found = min(met, key=lambda each: each.low if isfinite(each.low) else -inf)
    return _better(gate, found, f"{found.trivial:.4f} of {found.answer}", "the trivial answer")


def _better(gate: Gate, found: Comparison | Baseline, other: str, whom: str) -> GateResult:
    """Better by at least `by`, and not by chance: the bootstrap interval of the paired difference lies above 0."""
    if not (isfinite(found.difference) and isfinite(found.low)):
        return _unmet(gate, f"the difference of {gate.metric} to {whom} could not be computed")
    passed = found.difference >= gate.by and found.low > 0
    interval = f"{found.difference:+.4f}, {found.confidence:.0%} interval {found.low:+.4f} to {found.high:+.4f}"
    detail = f"{gate.metric} {found.candidate:.4f} against {other}: {interval}"
    detail += "" if passed else f"; at least {gate.by:+g} and an interval above 0 are needed"
    told = {"gate": words(gate), "metric": gate.metric, "detail": detail}
    return GateResult(**told, passed=passed, value=found.difference, limit=gate.by)


def asked_of(policy: Policy, candidate: VersionRegistered, champion: VersionRegistered | None) -> Policy:
    """The policy for one candidate: work that began before the champion's must beat it, whatever is declared.

    Else the older run of two would take the alias by ending last.
    """
    if champion is None or candidate.lineage.started_at >= champion.lineage.started_at:
        return policy
    return policy.with_gate(Gate.model_validate({"metric": policy.metrics[0], "beats": CHAMPION}))


def bar_of(policy: Policy) -> str:
    """A digest of what a version is measured by; figures under another one are asked for again."""
    gates = sorted(words(gate) for gate in policy.gates)
    return digest_of({"gates": gates, "confidence": policy.confidence, "resamples": policy.resamples})


def finite(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures without those that could not be computed."""
    return {name: value for name, value in figures.items() if isfinite(value)}


def is_newer(one: DatasetRef, other: DatasetRef) -> bool:
    """Whether one dataset version came after another; those of different datasets have no order."""
    return one.name == other.name and one.version > other.version


def incomparable(candidate: VersionRegistered, champion: VersionRegistered) -> str | None:
    """Why two models cannot be compared on any rows; None where that is for the trainer to find out."""
    if candidate.target == champion.target:
        return None
    return f"it predicts {champion.target!r}, this version predicts {candidate.target!r}"


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


def too_few(needed: int, able: Collection[str] | None, authors: Collection[str]) -> str | None:
    """What keeps approvals from ever coming together; None where enough people may give them, or nobody knows who may.

    `able` are those who may approve today; an author never does. Keys can be made later, so it is no refusal.
    """
    if able is None or (others := len(set(able) - set(authors))) >= needed:
        return None
    return (
        f"approval.needed: {needed} people must approve, and {others} who are no author may today; until there are "
        "more (`headrace keys make NAME --role approver`), nothing that needs approvals can take effect, nor can this "
        "be loosened"
    )


def may_not_approve(actor: str, authors: Mapping[str, str]) -> str | None:
    """Why `actor` may not decide on a thing; None where they may. Who made a thing never approves it.

    `authors` says of each author what they made.
    """
    if not is_person(actor):
        return f"a decision needs a person who has shown who they are, not {actor}: use `headrace approve`, or HTTP"
    if actor in authors:
        return f"{actor} {authors[actor]}; an author never approves their own, so somebody else must decide"
    return None


def may_not_change(actor: str, declarers: Iterable[str], needed: int) -> str | None:
    """Why `actor` may not change a model that others declared; None where they may.

    A person may, as far as the policy allows. A program that is known by its connection alone changes what nobody
    but itself has declared, and one without an identity of its own never a model that needs approvals.
    """
    if is_person(actor):
        return None
    others = sorted(set(declarers) - {actor})
    if others:
        whose = f"the model is declared by {', '.join(others)}; {actor} may change only what it declared alone"
    elif actor == OUTSIDER and needed > 0:
        whose = f"the model needs {needed} approvals, and {actor} is nobody in particular"
    else:
        return None
    return f"{whose}: change it over HTTP with a key (`headrace apply`)"


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
