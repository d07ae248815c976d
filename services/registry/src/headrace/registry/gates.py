"""Whether a version meets its gates, held against figures, the trivial answer and the champion.

Pure: standard library and contracts only.
"""

from dataclasses import dataclass
from math import inf, isfinite

from headrace.contracts import Baseline, Comparison, EvaluationCompleted, Gate, GateResult, VersionRegistered
from headrace.registry.policy import Policy

CHAMPION = "champion"  # the alias that serves; others are names for people
WAY_ON = (
    "train on a dataset version with rows that the champion has not learned from; where there can be none, apply the "
    "declaration without the gate that beats the champion, train, and put the gate back once that version serves"
)


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
    interval = f"{found.difference:+.4f}, {_interval(found)}"
    detail = f"{gate.metric} {found.candidate:.4f} against {other}: {interval}"
    needed = "an interval above 0 are" if found.resamples else "above 0 is"
    detail += "" if passed else f"; at least {gate.by:+g} and {needed} needed"
    told = {"gate": words(gate), "metric": gate.metric, "detail": detail}
    return GateResult(**told, passed=passed, value=found.difference, limit=gate.by)


def _interval(found: Comparison | Baseline) -> str:
    """How sure the difference is; of functions that judge no resamples nobody knows."""
    if found.resamples == 0:
        return "without an interval, since its function judges no resamples"
    return f"{found.confidence:.0%} interval {found.low:+.4f} to {found.high:+.4f}"


def asked_of(policy: Policy, candidate: VersionRegistered, champion: VersionRegistered | None) -> Policy:
    """The policy for one candidate: older work than the champion's must beat it, whatever is declared.

    Else the older run of two would take the alias by ending last, and a run on an older dataset version, which gates
    of limits alone let through, would replace what has learned from newer data.
    """
    if champion is None or not _older(candidate, champion):
        return policy
    return policy.with_gate(Gate.model_validate({"metric": policy.metrics[0], "beats": CHAMPION}))


def _older(candidate: VersionRegistered, champion: VersionRegistered) -> bool:
    """Whether a candidate's run began before the champion's, or took an older version of the same dataset."""
    mine, theirs = candidate.dataset, champion.dataset
    earlier_data = mine.name == theirs.name and mine.version < theirs.version
    return earlier_data or candidate.lineage.started_at < champion.lineage.started_at


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
