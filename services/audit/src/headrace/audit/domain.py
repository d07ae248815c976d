"""What audit decides: when a checkpoint is due, what a gap means, and the chain behind a prediction. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from headrace.contracts import ContractError
from headrace.contracts.names import bare, row_of
from headrace.tlog import Entry, event_digest

FILES = 1000  # that a trace shows; a search for dataset.ingested of the dataset finds them all


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


def judge_gap(gap: Gap, *, recorded: int, stream_first: int | None, age: timedelta, allowed: timedelta) -> GapVerdict:
    """What a gap means: messages came late, the stream's retention took them, or someone removed them."""
    if recorded >= gap.last - gap.first + 1:
        return "filled"
    if stream_first is None or age < allowed:
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


Reference = tuple[str, str]
"""Kind and value: ("run", "r1"), ("version", "flights-delay/3"), ("dataset", "flights/2"), ..."""


@dataclass(frozen=True)
class Event:
    """A message as audit records it: its log entry, what it is searched by, and its bytes.

    What a message claims of itself has the names of CloudEvents, here as in the table and over HTTP.
    """

    entry: Entry
    key: str
    at: int
    """Microseconds since 1970, by the event's own clock, else the broker's."""
    body: bytes
    headers: bytes = b""
    """Canonical JSON."""
    correlationid: str | None = None
    causationid: str | None = None
    authid: str | None = None
    trace_id: str | None = None
    references: frozenset[Reference] = frozenset()
    index: int = -1
    """Its place in the log, once it has one."""
    altered: tuple[str, ...] = ()
    """What of it does not follow from its message, or is not in the tree; empty where all of it is proved."""

    @property
    def stream(self) -> str:
        """The stream that it lies in."""
        return self.entry.stream

    @property
    def seq(self) -> int:
        """Its number there."""
        return self.entry.seq

    @property
    def subject(self) -> str:
        """Where it was published."""
        return self.entry.subject

    @property
    def id(self) -> str:
        """Its id; one of its place where it has none."""
        return self.entry.id

    @property
    def type(self) -> str:
        """Its type, such as `headrace.alias.moved.v1`."""
        return self.entry.type

    @property
    def source(self) -> str:
        """Who said it."""
        return self.entry.source

    @property
    def time(self) -> str:
        """When it says that it was."""
        return self.entry.time

    @cached_property
    def sha256(self) -> str:
        """The digest of its bytes, whatever the log says of them."""
        return event_digest(self.body)

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What it says; nothing where that cannot be read."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        data = parsed.get("data", parsed) if isinstance(parsed, dict) else {}
        return data if isinstance(data, dict) else {}

    def is_a(self, fact: str) -> bool:
        """Whether its type is `headrace.<fact>.v<n>`."""
        return self.type.startswith(f"headrace.{fact}.v")


@dataclass
class Chain:
    """Everything behind a model version, and what is missing of it."""

    model: str
    version: int
    digest: str | None = None
    origin: str | None = None
    run: str | None = None
    """The run that made it; None where it was not trained here."""
    import_id: str | None = None
    """The import that brought it; None where it was not imported."""
    dataset: Mapping[str, Any] | None = None
    files: int = 0
    """Of the dataset version: each was a part of it."""
    sources: list[Mapping[str, Any]] = field(default_factory=list)
    """The newest of these files, oldest first."""
    events: dict[int, Event] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    revision: int | None = None
    ends: frozenset[int] = frozenset()
    """Events whose causes are not asked for."""

    def add(self, events: Iterable[Event], until: int | None = None) -> None:
        """Take the events that are on the way; `until` is when that happened which the chain leads to."""
        for event in events:
            if on_the_way(event, self) and (until is None or event.at <= until):
                self.events[event.index] = event

    def settle_routes(self) -> None:
        """Keep the first route that had the version, and the newest: between them only others came and went.

        The newest may be there because of another version; why it came is then not of this chain.
        """
        routes = sorted(index for index, event in self.events.items() if event.is_a("route.changed"))
        for index in routes[1:-1]:
            del self.events[index]
        self.ends = frozenset(routes[1:][-1:])

    def find(self, fact: str, where: Callable[[Mapping[str, Any]], bool], called: str) -> Event | None:
        """The event of a fact for which `where` holds; notes it as missing where there is none."""
        found = next((e for e in self.events.values() if e.is_a(fact) and where(e.data)), None)
        if found is None:
            self.missing.append(f"{fact} of {called}")
        return found

    def causes_unknown(self) -> set[str]:
        """Ids of causes that are named by an event here and are not here themselves."""
        known = {event.id for event in self.events.values()}
        return {e.causationid for at, e in self.events.items() if e.causationid and at not in self.ends} - known

    def ordered(self) -> list[Event]:
        """The events in the log's order."""
        return [self.events[index] for index in sorted(self.events)]


def on_the_way(event: Event, chain: Chain) -> bool:
    """Whether an event is part of how the chain's version came to be and to serve.

    What concerns another version, run or dataset is not, though it may name this one (its rival in an evaluation, its
    successor in a route). Windows, drift and alerts are about a version, not before it; where one caused a training
    run, it is found as a cause, and so are requests.
    """
    return next((rule(event.data, chain) for start, rule in RULES.items() if event.type.startswith(start)), False)


def _of_version(data: Mapping[str, Any], chain: Chain) -> bool:
    return _names(data, chain)


def _of_candidate(data: Mapping[str, Any], chain: Chain) -> bool:
    candidate = data.get("candidate")
    number = candidate.get("version") if isinstance(candidate, Mapping) else candidate
    return data.get("model") == chain.model and number == chain.version


def _of_run(data: Mapping[str, Any], chain: Chain) -> bool:
    return chain.run is not None and data.get("run") == chain.run


def _of_import(data: Mapping[str, Any], chain: Chain) -> bool:
    return chain.import_id is not None and data.get("import_id") == chain.import_id


def _of_dataset(data: Mapping[str, Any], chain: Chain) -> bool:
    """The dataset version that the model version is judged on, or an older one of it: its files came with these."""
    learned = chain.dataset or {}
    version, newest = data.get("version"), learned.get("version")
    older = isinstance(version, int) and isinstance(newest, int) and version <= newest
    return older and data.get("dataset") == learned.get("name")


def _of_route(data: Mapping[str, Any], chain: Chain) -> bool:
    return data.get("model") == chain.model and chain.version in _routed(data)


def _of_declaration(data: Mapping[str, Any], chain: Chain) -> bool:
    return data.get("name") == chain.model and data.get("revision") == chain.revision


Rule = Callable[[Mapping[str, Any], Chain], bool]
RULES: Mapping[str, Rule] = {
    "headrace.dataset.ingested.": _of_dataset,
    "headrace.training.queued.": _of_run,
    "headrace.training.started.": _of_run,
    "headrace.training.completed.": _of_run,
    "headrace.import.queued.": _of_import,
    "headrace.import.completed.": _of_import,
    "headrace.version.": _of_version,
    "headrace.evaluation.requested.": _of_candidate,
    "headrace.evaluation.completed.": _of_candidate,
    "headrace.approval.": _of_version,
    "headrace.alias.": _of_version,
    "headrace.rollout.": _of_version,
    "headrace.route.": _of_route,
    "headrace.model.declared.": _of_declaration,
}


def registered(chain: Chain, digest: str | None) -> Event | None:
    """The event that registered the chain's version; notes where the prediction's digest is another one."""
    called = f"{chain.model}/{chain.version}"
    event = chain.find("version.registered", lambda d: _names(d, chain), called)
    if event is None:
        return None
    lineage = event.data["lineage"]
    chain.digest, chain.origin, chain.dataset = event.data["digest"], event.data["origin"], event.data["dataset"]
    chain.run = lineage.get("run")
    imported = lineage.get("imported")
    chain.import_id = imported.get("import_id") if isinstance(imported, Mapping) else None
    chain.revision = event.data.get("declared_revision")
    if digest is not None and digest != chain.digest:
        chain.missing.append(f"version.registered of {called} with digest {digest}: it has {chain.digest}")
    return event


def require_steps(chain: Chain) -> None:
    """Note each step that a version took for certain, and that is not in the record."""
    called = f"{chain.model}/{chain.version}"
    if chain.run is not None:
        chain.find("training.completed", lambda d: d.get("run") == chain.run, f"run {chain.run}")
    if chain.import_id is not None:
        chain.find("import.completed", lambda d: _of_import(d, chain), f"import {chain.import_id}")
    chain.find("version.approved", lambda d: _names(d, chain), called)
    chain.find("alias.moved", lambda d: _names(d, chain), called)
    chain.find("route.changed", lambda d: chain.version in _routed(d), called)


def _names(data: Mapping[str, Any], chain: Chain) -> bool:
    return data.get("model") == chain.model and data.get("version") == chain.version


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _routed(data: Mapping[str, Any]) -> Sequence[int]:
    return [route.get("version", 0) for route in _mappings(data.get("routes"))]


def row_meant(prediction_id: str) -> tuple[str, int | None]:
    """A request's id and the row that is meant, None for all of it; -1, which no answer has, where it is no id."""
    try:
        return row_of(prediction_id)
    except ContractError:
        return bare(prediction_id), -1


def answer_with(prediction_id: str, logged: Sequence[Event]) -> Event | None:
    """The logged answer, or the part of it, that holds the row; the caller's, not a shadow's. Raises NoSuchRow."""
    _, row = row_meant(prediction_id)
    answers = [event for event in logged if event.data.get("route") != "shadow"] or list(logged)
    if not answers or row is None:
        return answers[0] if answers else None
    for event in answers:
        first = event.data.get("first_row") or 0
        if first <= row < first + event.data.get("rows", 1):
            return event
    rows = max((event.data.get("first_row") or 0) + event.data.get("rows", 1) for event in answers)
    raise NoSuchRow(f"{prediction_id!r}: the answer has {rows} rows, 0 to {rows - 1}")


class NoSuchRow(ValueError):
    """A prediction is recorded, but not the row of it that was asked for."""


def is_truth_of(event: Event, model: str, prediction_id: str) -> bool:
    """Whether an event reports a truth of this prediction, or of this row where one is meant, to the model it is of."""
    if not event.is_a("request.truth") or event.key != model:
        return False
    request, row = row_meant(prediction_id)
    told = [row_meant(str(label.get("prediction_id"))) for label in _mappings(event.data.get("labels"))]
    return any(said == request and (row is None or (at or 0) == row) for said, at in told)


def learned_from(chain: Chain) -> range:
    """The versions that brought the newest parts of the chain's dataset version; notes where it is not recorded."""
    assert chain.dataset is not None
    name, version = chain.dataset["name"], chain.dataset["version"]
    event = chain.find("dataset.ingested", lambda d: _is_of(d, name, version), f"{name}/{version}")
    if event is None:
        return range(0)
    chain.files = event.data["parts"]
    return range(version - chain.files + 1, version + 1)[-FILES:]


def tell_files(chain: Chain, versions: range) -> None:
    """The files that these versions brought; notes each version that is not recorded."""
    name = (chain.dataset or {}).get("name")
    known = {event.data.get("version"): event for event in chain.events.values() if event.is_a("dataset.ingested")}
    for version in versions:
        if (event := known.get(version)) is None:
            chain.missing.append(f"dataset.ingested of {name}/{version}")
        else:
            part = event.data["part"]
            chain.sources.append(part["source"] | _named(part))


def _is_of(data: Mapping[str, Any], dataset: str, version: int) -> bool:
    return (data.get("dataset"), data.get("version")) == (dataset, version)


def _named(part: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: part.get(name) for name in ("source_name", "rows", "ingested_at")}
    return {name: value for name, value in names.items() if value is not None}
