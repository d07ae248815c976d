"""What happened, as the events tell it: collected in the background, waited for, and put into sentences."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from headrace.client.errors import TimedOut

Data = Mapping[str, Any]
Where = Callable[[Data], bool]


@dataclass(frozen=True)
class Happening:
    """One event: its short type ("training.completed"), who said it, its data, and seconds since the start."""

    type: str
    source: str
    id: str
    data: Data
    at: float
    headers: Mapping[str, Any] = field(default_factory=dict)


class EventLog:
    """Every event so far, in order; safe to write from one thread and read from another."""

    def __init__(self, tell: Callable[[Happening, str], None] = lambda _event, _text: None) -> None:
        self._events: list[Happening] = []
        self._changed = Condition()
        self._tell = tell
        self.started = time.monotonic()

    def add(self, envelope: Mapping[str, Any]) -> None:
        """Note one CloudEvent (as its parsed JSON) and tell it when it has a sentence."""
        short = envelope["type"].removeprefix("headrace.").rsplit(".", 1)[0]
        event = Happening(
            short, envelope["source"], envelope["id"], envelope["data"], time.monotonic() - self.started, envelope
        )
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
        if sentence := sentence_of(short, event.data):
            self._tell(event, sentence)

    def all(self, kind: str, where: Where = lambda _: True) -> list[Happening]:
        """Every event of a type so far."""
        with self._changed:
            return [event for event in self._events if event.type == kind and where(event.data)]

    def last(self, *kinds: str) -> Happening | None:
        """The newest event of any of these types."""
        with self._changed:
            return next((event for event in reversed(self._events) if event.type in kinds), None)

    def __len__(self) -> int:
        with self._changed:
            return len(self._events)

    def __iter__(self) -> Iterator[Happening]:
        with self._changed:
            return iter(list(self._events))

    def wait_for(self, fits: Callable[[Happening], bool], what: str, *, timeout: float) -> Happening:
        """The first event that fits, past or to come; raises TimedOut, naming `what`, after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                found = next(filter(fits, self._events[seen:]), None)
                if found is not None:
                    return found
                seen = len(self._events)
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise TimedOut(f"no {what} within {timeout:.0f} s")


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _comparison(data: Data) -> str:
    texts = [
        f"{c['metric']} {c['candidate']:.3f} against {c['champion']:.3f} "
        f"(difference {c['difference']:+.3f}, interval {c['low']:+.3f} to {c['high']:+.3f})"
        for c in data.get("comparisons") or []
    ]
    alone = ", ".join(f"{name} {value:.3f}" for name, value in data["metrics"]["candidate"].items())
    return f"version {data['candidate']} on {data['rows']:,} held-out rows: " + ("; ".join(texts[:1]) or alone)


def _gates(data: Data) -> str:
    return "; ".join(gate["detail"] for gate in data.get("gates") or [])


def _window(data: Data) -> str:
    of = f"{data['window']['start'][:7]}, version {data['version']}"
    drifted = [d["column"] for d in data.get("drift") or [] if d["drifted"]]
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in (data.get("metrics") or {}).items())
    share = data.get("drift_share")
    drift = f"drift in {_percent(share)} of the columns" if share is not None else "no drift figure"
    names = f" ({', '.join(drifted[:4])}{', ...' if len(drifted) > 4 else ''})" if drifted else ""
    counts = f"{of}: {data['predictions']:,} predictions, {data['truths']:,} truths"
    return f"{counts}; {metrics or 'no quality yet'}; {drift}{names}"


def _routes(data: Data) -> str:
    return "traffic: " + ", ".join(f"version {r['version']} {r['role']} {r['percent']} %" for r in data["routes"])


def _ingested(data: Data) -> str:
    return f"{data['dataset']} version {data['version']}: {data['part']['rows']:,} rows added, {data['rows']:,} in all"


def _trained(data: Data) -> str:
    done = f"{data['run']} done in {data['seconds']:.1f} s on {data['train_rows']:,} rows"
    if not (again := data.get("reproduction")):
        return done
    return f"{done}; version {again['version']} is {'reproduced' if again['reproduced'] else 'not reproduced'}"


def _moved(data: Data) -> str:
    before = f", was {data['previous']}" if data.get("previous") else ""
    return f"{data['alias']} is now version {data['version']}{before}"


def _advanced(data: Data) -> str:
    evidence = data["evidence"]
    seen = f"so far {evidence['requests']:,} requests, {evidence['errors']} errors"
    return f"version {data['version']} gets {data['percent']} % ({seen})"


def _degraded(data: Data) -> str:
    return f"{data['metric']} fell to {data['value']:.3f} from {data['reference']:.3f} (limit {data['limit']})"


def _unfair(data: Data) -> str:
    return f"fairness of {data['column']}: {data['measure']} {data['value']:.3f} (limit {data['limit']})"


def _drifted(data: Data) -> str:
    return f"drift: {_percent(data['share'])} of the columns moved (limit {_percent(data['limit'])})"


def _started(data: Data) -> str:
    told = f"{data['run']} trains on {data['dataset']['name']} version {data['dataset']['version']}"
    if data.get("attempt") is None:
        return told
    found = data.get("resumed_from")
    return f"{told}, attempt {data['attempt']} from {'step ' + str(found['step']) if found else 'the beginning'}"


SENTENCES: Mapping[str, Callable[[Data], str]] = {
    "model.declared": lambda d: f"{d['name']} is declared, revision {d['revision']}",
    "dataset.ingested": _ingested,
    "dataset.rejected": lambda d: f"{d['dataset']} refused a file: {d['reason']}",
    "training.queued": lambda d: f"{d['run']} queued ({d['reason']}); waits for {d['waits_for']}",
    "training.started": _started,
    "training.checkpointed": lambda d: f"{d['run']} has a checkpoint of step {d['checkpoint']['step']}",
    "training.completed": _trained,
    "training.failed": lambda d: f"{d['run']} failed ({d['kind']}): {d['reason']}",
    "version.registered": lambda d: f"version {d['version']} registered, digest {d['digest'][:12]}",
    "evaluation.completed": _comparison,
    "evaluation.failed": lambda d: f"version {d['candidate']} could not be evaluated: {d['reason']}",
    "version.approved": lambda d: f"version {d['version']} approved: {_gates(d)}",
    "version.rejected": lambda d: f"version {d['version']} rejected: {d['reason']}",
    "alias.moved": _moved,
    "rollout.started": lambda d: f"rollout of version {d['version']} ({d['strategy']})",
    "rollout.advanced": _advanced,
    "rollout.completed": lambda d: f"version {d['version']} serves everyone after {d['seconds']:.0f} s",
    "rollout.rolled_back": lambda d: f"version {d['version']} rolled back: {d['reason']}",
    "route.changed": _routes,
    "window.evaluated": _window,
    "drift.detected": _drifted,
    "performance.degraded": _degraded,
    "fairness.breached": _unfair,
    "alert.raised": lambda d: f"{d['severity']} alert: {d['message']}",
    "request.training": lambda d: f"training asked for: {d.get('reason', '')}",
    "request.refused": lambda d: f"request refused: {d['reason']}",
    "integrity.violated": lambda d: f"the audit log is broken at {d['where']}",
}


def sentence_of(kind: str, data: Data) -> str:
    """An event in words; empty for kinds that nobody tells, and for data that are not as they should be."""
    try:
        return SENTENCES[kind](data) if kind in SENTENCES else ""
    except (KeyError, TypeError):
        return ""
