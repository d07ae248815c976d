"""One function per fact heard: load, decide, save, emit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headrace.bus import NotYet, RawMessage, Refused, UnitOfWork
from headrace.bus.dead_letters import set_aside_once
from headrace.bus.upsert import put_row
from headrace.contracts import (
    AlertRaised,
    ContractError,
    Envelope,
    ModelDeclared,
    NewerVersion,
    PredictionLogged,
    RequestRefused,
    TruthReported,
    VersionRegistered,
)
from headrace.contracts.subjects import unattributed
from headrace.monitor import gauges
from headrace.monitor.deliveries import deliveries_of
from headrace.monitor.domain import event_time
from headrace.monitor.sample import packed, uneven
from headrace.monitor.tables import DeclaredRow, RegisteredRow, Repository, WindowRow
from headrace.monitor.timers import keep_schedule
from headrace.monitor.truth import Known, Sorted, is_key, listing, place_of, sort_truths
from headrace.tasks import target_of

SHADOW = "shadow"
EARLY = timedelta(seconds=1)  # an event that came before the one it needs


async def on_model_declared(event: ModelDeclared, work: UnitOfWork) -> None:
    """How a model is to be watched; an older revision that comes late changes nothing."""
    row = await Repository(work.session).declared(event.name)
    if row is not None and row.revision >= event.revision:
        return
    declaration = event.declaration.model_dump(mode="json", exclude_none=True)
    row = row or DeclaredRow(model=event.name, revision=0, declaration={})
    row.revision, row.declaration = event.revision, declaration
    work.session.add(row)
    await keep_schedule(work, event.name, event.declaration)


async def on_alert_raised(event: AlertRaised, work: UnitOfWork) -> None:
    """Whoever is to be told of it will be: what is to be sent commits with the event, and is sent by a loop."""
    row = await Repository(work.session).declared(event.model)
    if row is None:
        raise NotYet(f"model {event.model} is not declared here yet", EARLY)
    if work.cause is not None:
        work.session.add_all(deliveries_of(event, work.cause, row.parsed()))


async def on_version_registered(event: VersionRegistered, work: UnitOfWork) -> None:
    """What a version knows, and its reference, are what it is watched against."""
    registered = event.model_dump(mode="json", exclude_none=True)
    row = RegisteredRow(model=event.model, version=event.version, digest=event.digest, registered=registered)
    await put_row(work.session, row)


async def on_truth_reported(event: TruthReported, work: UnitOfWork) -> None:
    """What really happened; whoever reported it is told of the truths that belong to no answer."""
    found = await keep_truths(event, work)
    if found.unknown and work.cause is not None:
        work.emit(_refusal(found, work.cause, event.model))


async def keep_truths(event: TruthReported, work: UnitOfWork) -> Sorted:
    """Keep truths, and tell what becomes of them.

    Raises Refused where one is no label of the model (or no number): none is kept then, so that the whole request can
    be mended and sent again. Where no version of the model is known yet, any value waits, and is read when its window
    is judged.
    """
    repository = Repository(work.session)
    row = await repository.declared(event.model, lock=True)
    found = sort_truths(event.labels, await _known(repository, row, event))
    if found.bad:
        counts = f"{len(found.bad):,} of {len(event.labels):,}"
        raise Refused(f"no truth was kept, because {counts} cannot be used: {listing(found.bad)}")
    rows = [
        {"model": event.model, "prediction_id": prediction, "row": at, "value": value, "reported_at": work.now}
        for (prediction, at), value in found.kept.items()
    ]
    await repository.put_truths(rows)
    about = {"model": event.model, "reported_at": work.now}
    await repository.put_key_truths([{**about, "key": key, "value": value} for key, value in found.by_key.items()])
    if row is not None and found.late:
        await _note_late(repository, row, Counter(found.late.values()), "late_truths")
    return found


async def _known(repository: Repository, row: DeclaredRow | None, event: TruthReported) -> Known:
    targets = {each.digest: target_of(each.facts.signature) for each in await repository.versions(event.model)}
    keys = await repository.places(event.model, sorted({str(each.key) for each in event.labels if is_key(each.key)}))
    answers = await repository.answers(sorted(_ids(event) | {prediction for prediction, _ in keys.values()}))
    return Known(event.model, answers, targets, row.judged_until if row else None, keys)


def _ids(event: TruthReported) -> set[str]:
    """The predictions that are named; what is no id is told of when the truths are sorted."""
    found = set()
    for label in event.labels:
        if label.prediction_id is None:
            continue
        try:
            found.add(place_of(label.prediction_id)[0])
        except ValueError:
            continue
    return found


def _refusal(found: Sorted, cause: Envelope, model: str) -> RequestRefused:
    count = len(found.unknown)
    reason = (
        f"no answer of {model} has these rows, and their truths ({count:,}) were not kept: {listing(found.unknown)}; "
        "the other truths were"
    )
    return RequestRefused(
        about=cause.subject,
        request_id=cause.id,
        request_type=cause.type,
        subject=unattributed(cause.nats_subject),
        reason=reason,
        by="monitor",
    )


async def _note_late(repository: Repository, row: DeclaredRow, times: Mapping[datetime, int], what: str) -> None:
    """Count what came after its window was judged, with the window and with the model."""
    for time, count in times.items():
        window = await repository.window_at(row.model, time)
        for counted in (row, window) if window else (row,):
            _add(counted, what, count)
            repository.session.add(counted)
    gauges.show_late(row.model, row.late_predictions, row.late_truths)


def _add(row: DeclaredRow | WindowRow, what: str, count: int) -> None:
    setattr(row, what, getattr(row, what) + count)


@dataclass(frozen=True)
class Logged:
    """An answer with the event time that counts."""

    event: PredictionLogged
    time: datetime

    @property
    def key(self) -> tuple[str, int, str]:
        """What an answer is told apart by."""
        return self.event.prediction_id, self.event.first_row or 0, self.event.route

    def keyed(self) -> list[dict[str, Any]]:
        """Its rows that have a key of the caller's own; a shadow answers nobody."""
        if self.event.route == SHADOW or not self.event.keys:
            return []
        about = {"model": self.event.model, "prediction_id": self.event.prediction_id, "time": self.time}
        first = self.event.first_row or 0
        return [{**about, "key": key, "row": first + at} for at, key in enumerate(self.event.keys) if key is not None]

    def row(self) -> dict[str, Any]:
        """As it is kept."""
        prediction, first_row, route = self.key
        event = self.event
        return {
            "prediction_id": prediction,
            "first_row": first_row,
            "route": route,
            "model": event.model,
            "version": event.version,
            "digest": event.digest,
            "time": self.time,
            "rows": event.rows,
            "data": packed(event),
        }


async def on_predictions(messages: Sequence[RawMessage], work: UnitOfWork, *, ahead: timedelta) -> None:
    """A batch of logged answers, kept as they came; what cannot be read is set aside."""
    read = [await _read(message, work, ahead) for message in messages]
    found = [each for each in read if each is not None]
    repository = Repository(work.session)
    added = await repository.add_logged([each.row() for each in found])
    by_model: dict[str, list[Logged]] = {}
    for each in found:
        by_model.setdefault(each.event.model, []).append(each)
    for model, answers in sorted(by_model.items()):
        row = await repository.declared(model, lock=True) or DeclaredRow(model=model, revision=0, declaration={})
        _move_clock(row, max(each.time for each in answers), work)
        await _note_keys(repository, model, [each for each in answers if each.key in added])
        await _note_late(repository, row, _late(row, answers, added), "late_predictions")


async def _note_keys(repository: Repository, model: str, answers: Sequence[Logged]) -> None:
    """Note which prediction is the newest of each key; truths that came before the first one belong to it now."""
    rows = [row for each in sorted(answers, key=lambda each: each.time) for row in each.keyed()]
    if not rows:
        return
    await repository.put_keys(rows)
    newest = {row["key"]: row for row in rows}
    truths = await repository.take_key_truths(model, sorted(newest))
    named = ("prediction_id", "row")
    await repository.put_truths(
        [
            {"model": model, "value": each.value, "reported_at": each.reported_at}
            | {name: newest[each.key][name] for name in named}
            for each in truths
        ]
    )


def _move_clock(row: DeclaredRow, newest: datetime, work: UnitOfWork) -> None:
    if row.newest is None or newest > row.newest:
        row.newest, row.arrived, row.silent_since = newest, work.now, None
        work.session.add(row)


def _late(row: DeclaredRow, answers: Sequence[Logged], added: set[tuple[str, int, str]]) -> Mapping[datetime, int]:
    """Rows by event time of new answers whose window is judged already."""
    late: Counter[datetime] = Counter()
    for each in answers:
        judged = row.judged_until is not None and each.time < row.judged_until
        if judged and each.key in added and each.event.route != SHADOW:
            late[each.time] += each.event.rows
    return late


async def _read(message: RawMessage, work: UnitOfWork, ahead: timedelta) -> Logged | None:
    try:
        event = message.envelope().data
        return _dated(event, work.now, ahead) if isinstance(event, PredictionLogged) else None
    except NewerVersion:  # it waits until this service is upgraded
        raise
    except ContractError as error:
        await set_aside_once(work, message, str(error))
        return None


def _dated(event: PredictionLogged, now: datetime, ahead: timedelta) -> Logged:
    """An answer whose columns fit together, at the event time that counts; raises ContractError."""
    if problem := uneven(event):
        raise ContractError(problem)
    return Logged(event, event_time(event.time, min(event.received_at, now), ahead))
