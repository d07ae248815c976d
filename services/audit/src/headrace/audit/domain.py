"""What audit decides: when a checkpoint is due, what a gap means, and the chain behind a prediction. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal


def checkpoint_due(unpublished: int, age: timedelta, *, every_entries: int, every: timedelta) -> bool:
    """Whether to publish a checkpoint: after so many entries, or so long after the first of them."""
    return unpublished >= every_entries or (unpublished > 0 and age >= every)


@dataclass(frozen=True)
class Gap:
    """Sequence numbers `first` to `last` of a stream that did not come."""

    stream: str
    first: int
    last: int

    @property
    def where(self) -> str:
        """The place as an event names it."""
        return f"{self.stream} {self.first}" + (f"..{self.last}" if self.last > self.first else "")


GapVerdict = Literal["open", "filled", "expired", "reported"]


def judge_gap(gap: Gap, *, recorded: int, stream_first: int | None, age: timedelta, patience: timedelta) -> GapVerdict:
    """What a gap means: messages came late, the stream's retention took them, or someone removed them."""
    if recorded >= gap.last - gap.first + 1:
        return "filled"
    if stream_first is None or age < patience:
        return "open"
    return "expired" if stream_first > gap.last else "reported"


def gaps_between(stream: str, last: int, seqs: Iterable[int]) -> list[Gap]:
    """Holes in a stream's numbers, `last` being the highest recorded so far."""
    found = []
    for seq in sorted(seqs):
        if seq > last + 1:
            found.append(Gap(stream, last + 1, seq - 1))
        last = max(last, seq)
    return found


@dataclass(frozen=True)
class Event:
    """A recorded event as a trace shows it."""

    index: int
    id: str
    type: str
    subject: str
    key: str
    time: str
    authid: str | None
    source: str
    correlationid: str | None
    causationid: str | None
    trace_id: str | None
    stream: str
    seq: int
    sha256: str
    at: int = field(repr=False)  # microseconds since 1970
    data: Mapping[str, Any] = field(repr=False)

    def is_a(self, fact: str) -> bool:
        """Whether its type is `headrace.<fact>.v<n>`."""
        return self.type.startswith(f"headrace.{fact}.v")


# What is on the way from a file to a prediction. Windows, drift and alerts are about a version, not before it;
# where one caused a training run, it is found as a cause.
ON_THE_WAY = (
    "dataset.",
    "training.queued",
    "training.started",
    "training.completed",
    "version.",
    "evaluation.requested",
    "evaluation.completed",
    "approval.",
    "alias.",
    "rollout.",
    "route.",
    "model.declared",
    "request.",
)


@dataclass
class Chain:
    """Everything behind a model version, and what is missing of it."""

    model: str
    version: int
    digest: str | None = None
    run: str | None = None
    dataset: Mapping[str, Any] | None = None
    sources: list[Mapping[str, Any]] = field(default_factory=list)
    events: dict[int, Event] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, events: Iterable[Event], until: int | None = None) -> None:
        """Take the events that are on the way; `until` is when that happened which the chain leads to."""
        for event in events:
            fact = event.type.removeprefix("headrace.")
            if fact.startswith(ON_THE_WAY) and (until is None or event.at <= until):
                self.events[event.index] = event

    def find(self, fact: str, where: Callable[[Mapping[str, Any]], bool], called: str) -> Event | None:
        """The event of a fact for which `where` holds; notes it as missing where there is none."""
        found = next((e for e in self.events.values() if e.is_a(fact) and where(e.data)), None)
        if found is None:
            self.missing.append(f"{fact} of {called}")
        return found

    def causes_unknown(self) -> set[str]:
        """Ids of causes that are named by an event here and are not here themselves."""
        known = {event.id for event in self.events.values()}
        return {e.causationid for e in self.events.values() if e.causationid} - known

    def ordered(self) -> list[Event]:
        """The events in the log's order."""
        return [self.events[index] for index in sorted(self.events)]


def registered(chain: Chain, digest: str | None) -> Event | None:
    """The event that registered the chain's version; notes where the prediction's digest is another one."""
    called = f"{chain.model}/{chain.version}"
    event = chain.find("version.registered", lambda d: _names(d, chain), called)
    if event is None:
        return None
    artifact = event.data["artifact"]
    chain.digest, chain.run, chain.dataset = artifact["digest"], event.data["run"], event.data["dataset"]
    if digest is not None and digest != chain.digest:
        chain.missing.append(f"version.registered of {called} with digest {digest}: it has {chain.digest}")
    return event


def require_steps(chain: Chain) -> None:
    """Note each step that a version took for certain, and that is not in the record."""
    called = f"{chain.model}/{chain.version}"
    chain.find("training.completed", lambda d: d.get("run") == chain.run, f"run {chain.run}")
    chain.find("version.approved", lambda d: _names(d, chain), called)
    chain.find("alias.moved", lambda d: _names(d, chain), called)
    chain.find("route.changed", lambda d: chain.version in _routed(d), called)


def _names(data: Mapping[str, Any], chain: Chain) -> bool:
    return data.get("model") == chain.model and data.get("version") == chain.version


def _routed(data: Mapping[str, Any]) -> Sequence[int]:
    return [route["version"] for route in data.get("routes", [])]


def dataset_sources(chain: Chain) -> list[str]:
    """Digests of the files that the chain's dataset version consists of; notes where it is not recorded."""
    assert chain.dataset is not None
    name, version = chain.dataset["name"], chain.dataset["version"]
    event = chain.find(
        "dataset.ingested", lambda d: (d.get("dataset"), d.get("version")) == (name, version), f"{name}/{version}"
    )
    if event is None:
        return []
    chain.sources = [part["source"] | _named(part) for part in event.data["parts"]]
    return [source["sha256"] for source in chain.sources]


def _named(part: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: part.get(name) for name in ("source_name", "rows", "ingested_at")}
    return {name: value for name, value in names.items() if value is not None}
