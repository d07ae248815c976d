"""What must hold after every fault, checked in one place for all of them."""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from load import Load

from headrace.bus.deduplication import mark_of
from headrace.bus.messages import RawMessage
from headrace.contracts import load_topology
from headrace.contracts.services import SERVICES

TIMEOUT_S = 10.0
REFUSED = "headrace.request.refused.v1"
SAID_BY = {  # what one request of the load leads to, exactly once
    "headrace.request.declaration.v1": "headrace.model.declared.v1",
    "headrace.request.training.v1": "headrace.training.queued.v1",
    "headrace.request.rollout.v1": REFUSED,
    "headrace.request.cancel.v1": REFUSED,
}


@dataclass
class Findings:
    """What did not hold; empty lists are what everybody hopes for."""

    events: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = {"lost": self.lost, "doubled": self.doubled, "other": self.other}
        return "; ".join(f"{name} {len(each)}: {each[:5]}" for name, each in parts.items() if each) or "all held"

    @property
    def held(self) -> bool:
        """Whether everything held."""
        return not (self.lost or self.doubled or self.other)


def check(load: Load, *, poison: Collection[str] = (), reference: Any = None) -> Findings:
    """Everything that must hold when all is quiet; `poison` are the ids, or places, of what must be set aside."""
    found = Findings()
    streams = {stream: load.messages(stream) for stream in ("REQUESTS", "EVENTS")}
    found.events = sum(map(len, streams.values()))
    _acknowledged_is_there(load, streams["REQUESTS"], found)
    _everyone_has_heard(load, [m for messages in streams.values() for m in messages], poison, found)
    _one_effect_each(load, [m for messages in streams.values() for m in messages], found)
    _causes_are_known(streams, load, found)
    _parked_is_the_poison(load, poison, found)
    _audit_has_everything(load, found)
    for service in SERVICES:
        if left := load.rig.unsent(service):
            found.lost.append(f"{left} events wait in the outbox of {service}")
    if reference is not None and (state := load.state()) != reference:
        wrong = [name for name in reference if state[name] != reference[name]]
        found.other.append(f"the state differs from a run without faults in {', '.join(wrong)}")
    return found


def _acknowledged_is_there(load: Load, requests: list[RawMessage], found: Findings) -> None:
    there = {(m.stream, m.seq): _id(m) for m in requests}
    for request, place in load.acknowledged.items():
        if there.get(place) != request:
            found.lost.append(f"{request} was acknowledged at {place} and is not there")


def _everyone_has_heard(load: Load, messages: list[RawMessage], poison: Collection[str], found: Findings) -> None:
    hears = load_topology().hears
    for service in SERVICES:
        rows = load.rig.rows(service, "SELECT message_id FROM inbox WHERE done_at IS NOT NULL")
        done = {row[0] for row in rows}
        marks = {bytes(row[0]) for row in load.rig.rows(service, "SELECT mark FROM deduplication")}
        for message in messages:
            if service in hears.get(_kind(message), ()) and _id(message) not in poison:
                name = _id(message)
                if name not in done and mark_of(name) not in marks:
                    found.lost.append(f"{service} has not handled {name}")


def _one_effect_each(load: Load, events: list[RawMessage], found: Findings) -> None:
    """One event follows each request, under one id; one revision, one run, one line of history."""
    said: dict[tuple[str, str], set[str]] = {}
    for message in events:
        if cause := _field(message, "causationid"):
            said.setdefault((cause, _kind(message)), set()).add(_id(message))
    for event, envelope in load.requests:
        if follows := SAID_BY.get(event.TYPE):
            ids = said.get((envelope.id, follows), set())
            if not ids:
                found.lost.append(f"no {follows} after {envelope.id}")
            elif len(ids) > 1:
                found.doubled.append(f"{len(ids)} times {follows} after {envelope.id}")
    _rows(load, found)


def _rows(load: Load, found: Findings) -> None:
    state = load.state()
    wanted: Counter[str] = Counter()
    for event, _ in load.requests:
        if event.TYPE == "headrace.request.declaration.v1":
            wanted[getattr(event, "name").replace(load.trial, "trial")] += 1  # noqa: B009 (one type of many)
    _compare("revision", wanted, Counter(state["revisions"]), found)
    trainings = Counter(
        getattr(event, "reason").replace(load.trial, "trial")  # noqa: B009
        for event, _ in load.requests
        if event.TYPE == "headrace.request.training.v1"
    )
    _compare("run", trainings, Counter(reason for reason, _ in state["runs"]), found)
    _compare("line of history", trainings, Counter(detail for detail, _ in state["history"]), found)
    truths = 3 * sum(event.TYPE == "headrace.request.truth.v1" for event, _ in load.requests)
    _compare("truth", Counter(truths=truths), Counter(truths=len(state["truths"])), found)


def _compare(what: str, wanted: Counter[str], there: Counter[str], found: Findings) -> None:
    for name, missing in (wanted - there).items():
        found.lost.append(f"{missing} {what} of {name}")
    for name, many in (there - wanted).items():
        found.doubled.append(f"{many} {what} too many of {name}")


def _causes_are_known(streams: dict[str, list[RawMessage]], load: Load, found: Findings) -> None:
    """Every event's cause is an event that was recorded; audit knows all that ever were."""
    known = {row[0] for row in load.rig.rows("audit", "SELECT id FROM log_record")}
    for messages in streams.values():
        for message in messages:
            cause = _field(message, "causationid")
            if cause and cause not in known:
                found.other.append(f"{_id(message)} follows from {cause}, which nobody knows")


def _parked_is_the_poison(load: Load, poison: Collection[str], found: Findings) -> None:
    """What was refused with a reason and what is poison lie there, once each, and nothing else does."""
    named = (message.headers["Headrace-Message-Id"] for message in load.messages("PARKED"))
    dead_letters = Counter(
        name for name in named if name.startswith(f"operator:{load.trial}-") or name.endswith("/unread")
    )
    refused = {envelope.id for event, envelope in load.requests if SAID_BY.get(event.TYPE) == REFUSED}
    if missing := (set(poison) | refused) - set(dead_letters):
        found.other.append(f"not set aside: {sorted(missing)[:5]}")
    if healthy := set(dead_letters) - refused - set(poison):
        found.other.append(f"set aside though healthy: {sorted(healthy)[:5]}")
    found.doubled += [f"{many} times set aside: {each}" for each, many in dead_letters.items() if many > 1]


def _audit_has_everything(load: Load, found: Findings) -> None:
    for stream in ("EVENTS", "REQUESTS", "PARKED"):
        last = load.last(stream)
        places = _recorded(load, stream, last)
        if len(places) != len(set(places)):
            found.doubled.append(f"audit has messages of {stream} twice")
        if missing := set(range(1, last + 1)) - set(places):
            found.lost.append(f"audit misses {len(missing)} messages of {stream}, first {min(missing)}")
    checkpoints = load.rig.rows("audit", "SELECT count(*), max(position) FROM log_record")[0]
    if checkpoints[1] is not None and checkpoints[0] != checkpoints[1] + 1:
        found.other.append(f"audit's sequence has a gap: {checkpoints[0]} entries, the last is {checkpoints[1]}")


def _recorded(load: Load, stream: str, last: int) -> list[int]:
    """What audit has, once it has as much as there was: it says events of its own at any time, and hears them."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        places = [row[0] for row in load.rig.rows("audit", "SELECT seq FROM log_record WHERE stream = ?", stream)]
        if len(places) >= last or time.monotonic() > end:
            return places
        time.sleep(0.05)


def _id(message: RawMessage) -> str:
    return _field(message, "id") or f"{message.stream}-{message.seq}"


def _kind(message: RawMessage) -> str:
    return _field(message, "type")


def _field(message: RawMessage, name: str) -> str:
    try:
        return str(getattr(message.envelope(), name) or "")
    except Exception:  # poison is not readable; that is what it is
        return ""
