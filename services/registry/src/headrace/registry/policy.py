"""What a declaration promises to the people who approve: whether a change loosens it, and which of two is stricter.

Pure: standard library and contracts only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from headrace.contracts import Declaration, Gate
from headrace.contracts.durations import parse_duration
from headrace.contracts.severities import SEVERITIES, rank
from headrace.strategies import STRATEGIES

Loosens = Callable[[Any, Any], bool]
IMPACTS = ("low", "medium", "high")


def _free(_old: Any, _new: Any) -> bool:
    """No gate, approval or alarm depends on it; the versions that it makes are judged like all others."""
    return False


def _yardstick(old: Any, new: Any) -> bool:
    """What gates and alarms are measured by: of two values, neither is shown to be the stricter one."""
    return bool(old != new)


def _replaced(old: Any, new: Any) -> bool:
    """It may be given where it was not; any other change counts."""
    return bool(old and new != old)


def _lowered(old: Any, new: Any) -> bool:
    return not new >= old


def _raised(old: Any, new: Any) -> bool:
    return old is not None and (new is None or not new <= old)


def _shortened(old: str, new: str) -> bool:
    return parse_duration(new) < parse_duration(old)


def _lengthened(old: str | None, new: str | None) -> bool:
    return old is not None and (new is None or parse_duration(new) > parse_duration(old))


def _lost(old: Sequence[Any] | None, new: Sequence[Any] | None) -> bool:
    return bool(set(old or ()) - set(new or ()))


def _unbound(old: Mapping[str, int] | None, new: Mapping[str, int] | None) -> bool:
    """Whether the answer may follow a column otherwise than was promised."""
    return any(relation and (new or {}).get(column) != relation for column, relation in (old or {}).items())


def _told_less(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> bool:
    """Whether somebody who was told of alerts is not any more, or only of more urgent ones."""
    told = {(each["channel"], each["to"]): rank(each["severity"]) for each in new}
    return any(told.get((each["channel"], each["to"]), len(SEVERITIES)) > rank(each["severity"]) for each in old)


def _less_harm(old: str, new: str) -> bool:
    return IMPACTS.index(new) < IMPACTS.index(old)


def _less_care(old: str, new: str) -> bool:
    """Of strategies some protect nobody; of the others none is shown to protect more. One that is unknown may."""
    return old != new and (old not in STRATEGIES or STRATEGIES[old].protects)


def _weaker(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> bool:
    return any(not any(implies(other, gate) for other in new) for gate in old)


# Every field of the declaration, with how a change of it can loosen what was promised; a test derives the list anew.
FIELDS: Mapping[str, Loosens] = {
    "kind": _yardstick,
    "name": _yardstick,
    "task": _yardstick,
    "task_options": _yardstick,  # what is predicted, and which rows are judged together
    "owner.team": _replaced,
    "owner.contact": _replaced,
    "purpose": _replaced,  # approvals were given for it
    "risk.impact": _less_harm,
    "risk.review_every": _lengthened,
    "data.dataset": _yardstick,
    "data.target": _yardstick,
    "data.time": _yardstick,  # a holdout by time is cut by it
    "data.weight": _free,  # of learning alone: rows are judged alike
    "data.positive": _yardstick,  # the label that metrics are about
    "data.features": _free,
    "data.ignore": _free,
    "data.groups": _lost,
    "data.context": _free,
    "data.contract": _free,  # ingest keeps a dataset's contract; whoever may upload may change it there as well
    "training.framework": _free,
    "training.estimator": _free,
    "training.params": _free,
    "training.class_weight": _free,
    "training.monotone": _unbound,
    "training.early_stopping.rounds": _free,
    "training.early_stopping.fraction": _free,
    "training.search.space": _free,
    "training.search.metric": _free,
    "training.search.trials": _free,
    "training.search.parallel": _free,
    "training.search.fraction": _free,
    "training.search.stop_early": _free,
    "training.preparation.kinds": _free,
    "training.preparation.columns": _free,
    "training.seed": _free,
    "training.timeout": _free,
    "training.priority": _free,
    "training.resources.custom": _free,
    "training.resources.cpus": _free,
    "training.resources.gpus": _free,
    "training.resources.memory_mb": _free,
    "training.code.package": _free,
    "training.code.entry": _free,
    "training.code.command": _free,
    "training.code.environment": _free,
    "training.on": _free,
    "evaluation.holdout.by": _yardstick,
    "evaluation.holdout.fraction": _yardstick,
    "evaluation.metrics": _lost,
    "evaluation.gates": _weaker,
    "evaluation.confidence": _lowered,
    "evaluation.resamples": _lowered,
    "approval.needed": _lowered,
    "approval.expires": _lengthened,  # what is approved late was judged long ago
    "serving.strategy": _less_care,
    "serving.steps": _lost,
    "serving.bake": _shortened,
    "serving.max_error_rate": _raised,
    "serving.max_p99_ms": _raised,
    "serving.shadow.agreement": _lowered,
    "serving.shadow.distance": _raised,
    "monitoring.every": _yardstick,  # long windows see late, short ones have too few rows for a figure
    "monitoring.minimum": _raised,
    "monitoring.drift.share": _raised,
    "monitoring.drift.method": _yardstick,
    "monitoring.drift.threshold": _yardstick,  # of p-values the lower limit is the looser one, of distances the higher
    "monitoring.drift.numeric.method": _yardstick,
    "monitoring.drift.numeric.limit": _yardstick,
    "monitoring.drift.categorical.method": _yardstick,
    "monitoring.drift.categorical.limit": _yardstick,
    "monitoring.performance.metric": _replaced,
    "monitoring.performance.drop": _raised,
    "monitoring.fairness.measure": _replaced,
    "monitoring.fairness.minimum": _raised,
    "monitoring.fairness.limit": _replaced,  # of a difference the higher limit is the looser one, of a ratio the lower
    "monitoring.freshness": _lengthened,
    "monitoring.truth.matures_after": _lengthened,
    "monitoring.tell": _told_less,
    "retraining.on": _free,
    "retraining.every": _free,
    "retraining.cooldown": _free,
}
GATE_LIMITS: Mapping[str, Loosens] = {"at_least": _lowered, "by": _lowered, "at_most": _raised}


def implies(gate: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether whatever meets `gate` meets `other` too: the same condition, with a limit that is no weaker."""
    names = gate.keys() | other.keys()
    same = all(gate.get(name) == other.get(name) for name in names if name not in GATE_LIMITS)
    return same and not any(
        _limit_loosens(name, other.get(name), gate.get(name)) for name in names & GATE_LIMITS.keys()
    )


def _limit_loosens(name: str, old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is not new
    return GATE_LIMITS[name](old, new)


def loosenings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What a declaration loosens of the one before, each with both values; empty where it only tightens.

    Both are whole declarations as JSON, defaults filled in. A field that is not known here counts by any change.
    """
    before, after = dict(_leaves(old)), dict(_leaves(new))
    paths = sorted(before.keys() | after.keys())
    return [
        f"{path}: {_shown(before.get(path))} to {_shown(after.get(path))}"
        for path in paths
        if before.get(path) != after.get(path) and FIELDS.get(path, _yardstick)(before.get(path), after.get(path))
    ]


def _leaves(document: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        path = f"{at}.{name}".lstrip(".")
        if isinstance(value, Mapping) and path not in FIELDS:
            yield from _leaves(value, path)
        else:
            yield path, value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return "nothing" if value is None else str(value)


@dataclass(frozen=True)
class Policy:
    """What a version must meet before it may serve."""

    gates: tuple[Gate, ...]
    metrics: tuple[str, ...]
    confidence: float
    resamples: int
    needed: int
    expires: timedelta

    @property
    def needs_champion(self) -> bool:
        """Whether a gate compares with the champion."""
        return any(gate.beats == "champion" for gate in self.gates)

    def with_gate(self, gate: Gate) -> "Policy":
        """With one gate more, unless a present one says as much."""
        return Policy(
            _stricter_gates([*self.gates, gate]),
            tuple(dict.fromkeys([*self.metrics, gate.metric])),
            self.confidence,
            self.resamples,
            self.needed,
            self.expires,
        )


def policy_of(declared: Declaration) -> Policy:
    """What one declaration asks of a version."""
    evaluation, approval = declared.evaluation, declared.approval
    return Policy(
        tuple(evaluation.gates),
        tuple(evaluation.metrics),
        evaluation.confidence,
        evaluation.resamples,
        approval.needed,
        parse_duration(approval.expires),
    )


def stricter(one: Policy, other: Policy) -> Policy:
    """What satisfies both: every gate of each, the more approvals, the shorter time to give them."""
    return Policy(
        _stricter_gates([*one.gates, *other.gates]),
        tuple(dict.fromkeys([*one.metrics, *other.metrics])),
        max(one.confidence, other.confidence),
        max(one.resamples, other.resamples),
        max(one.needed, other.needed),
        min(one.expires, other.expires),
    )


def _stricter_gates(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Those that no other one says as well; of equal ones the first."""
    documents = [gate.model_dump(exclude_none=True) for gate in gates]
    return tuple(
        gate
        for at, gate in enumerate(gates)
        if not any(
            implies(other, documents[at]) and (place < at or not implies(documents[at], other))
            for place, other in enumerate(documents)
            if place != at
        )
    )
