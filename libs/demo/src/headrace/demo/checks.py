"""What must have held for the story to count: each check is a sentence and what was seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headrace.cli.event_log import EventLog
from headrace.contracts import Monitoring
from headrace.demo.replay import Tally
from headrace.demo.story import Outcome, month_of

ENOUGH = Monitoring().minimum  # truths for a figure; the story declares no other


@dataclass(frozen=True)
class Evidence:
    """Everything a check may look at."""

    outcome: Outcome
    event_log: EventLog
    tally: Tally


@dataclass(frozen=True)
class Check:
    """One sentence that must hold, whether it held, and what was seen."""

    sentence: str
    held: bool
    seen: str


def check_all(evidence: Evidence) -> list[Check]:
    """Every check, in the order of the story."""
    return [Check(sentence, *look(evidence)) for sentence, look in CHECKS.items()]


def _served(e: Evidence) -> tuple[bool, str]:
    rollouts = e.event_log.all("rollout.completed")
    return bool(rollouts), f"{len(rollouts)} rollouts completed"


def _answered(e: Evidence) -> tuple[bool, str]:
    failures = e.tally.failures
    seen = f"{e.tally.requests:,} requests, {len(failures)} failed" + (f": {failures[0]}" if failures else "")
    return not failures and e.tally.requests > 0, seen


def _logged(e: Evidence) -> tuple[bool, str]:
    logged = sum(event.data["rows"] for event in e.event_log.all("prediction.logged"))
    asked = e.tally.predictions + 1  # and the one that is traced
    return logged == asked, f"{logged:,} of {asked:,} predictions are in the log"


def _judged(e: Evidence) -> tuple[bool, str]:
    """Each month by at least one version, and each version of which enough truths are known."""
    windows = e.outcome.windows
    judged = sorted({month_of(w) for w in windows if w["metrics"]})
    left = [w for w in windows if w["truths"] >= ENOUGH and not w["metrics"]]
    seen = f"{len(judged)} of {len(e.outcome.closed)} months, {len(windows)} times a version in a month"
    return bool(judged) and judged == e.outcome.closed and not left, seen


def _retraining(e: Evidence) -> tuple[bool, str]:
    asked = [r for r in e.event_log.all("request.training") if r.source.endswith("monitor")]
    return bool(asked), f"{len(asked)} times, first because {asked[0].data['reason']}" if asked else "never"


def _compared(e: Evidence) -> tuple[bool, str]:
    compared = [c for c in e.event_log.all("evaluation.completed") if c.data.get("comparisons")]
    return bool(compared), f"{len(compared)} times champion and challenger met on the same rows"


def _promoted(e: Evidence) -> tuple[bool, str]:
    """Every champion passed every gate, and at least one replaced another."""
    moves = e.event_log.all("alias.moved", lambda d: d["alias"] == "champion")
    approved = {a.data["version"] for a in e.event_log.all("version.approved", _all_gates)}
    replaced = [m for m in moves if m.data.get("previous")]
    return bool(replaced) and {m.data["version"] for m in moves} <= approved, f"{len(replaced)} promotions"


def _canary(e: Evidence) -> tuple[bool, str]:
    steps: dict[str, list[int]] = {}
    for event in e.event_log.all("rollout.advanced"):
        steps.setdefault(event.data["rollout"], []).append(event.data["percent"])
    gradual = [s for s in steps.values() if len(s) > 1 and s == sorted(s)]
    return bool(gradual), ", ".join(" -> ".join(f"{p} %" for p in s) for s in gradual) or "no step was seen"


def _whole(e: Evidence) -> tuple[bool, str]:
    found = e.outcome.verification
    return bool(found.get("whole")), f"{found.get('entries', 0):,} entries, root {str(found.get('root'))[:16]}"


def _traced(e: Evidence) -> tuple[bool, str]:
    trace = e.outcome.trace
    missing = trace.get("missing") or []
    return bool(
        trace
    ) and not missing, f"{len(trace.get('events') or [])} events; missing: {', '.join(missing) or 'nothing'}"


def _no_dead_letters(e: Evidence) -> tuple[bool, str]:
    return not e.outcome.dead_letters, f"{len(e.outcome.dead_letters)} set aside"


def _all_gates(data: Mapping[str, object]) -> bool:
    gates = data.get("gates") or []
    return isinstance(gates, list) and all(gate["passed"] for gate in gates)


CHECKS: Mapping[str, Callable[[Evidence], tuple[bool, str]]] = {
    "the first version was trained, judged, rolled out and served": _served,
    "no prediction request failed": _answered,
    "every prediction was logged": _logged,
    "every month was judged against its truth": _judged,
    "monitor asked for retraining when a limit was crossed": _retraining,
    "a new version met the champion on the same holdout": _compared,
    "a version became champion only after every gate": _promoted,
    "the new version took over by canary steps": _canary,
    "nothing was left that could not be handled": _no_dead_letters,
    "the audit log is whole and untampered": _whole,
    "one prediction is traced to its source file": _traced,
}
