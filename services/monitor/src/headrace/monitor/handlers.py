"""One function per fact heard: load, decide, save, emit."""

from collections.abc import Sequence
from typing import Any

from headrace.bus import RawMessage, Work
from headrace.bus.parking import park_once
from headrace.contracts import ContractError, ModelDeclared, PredictionLogged, TrainingCompleted, TruthReported
from headrace.contracts.names import whole_number
from headrace.monitor.judging import packed
from headrace.monitor.tables import DeclaredRow, Records, TrainedRow


async def on_model_declared(event: ModelDeclared, work: Work) -> None:
    """How a model is to be watched; an older revision that comes late changes nothing."""
    row = await Records(work.session).declared(event.name)
    if row is not None and row.revision >= event.revision:
        return
    declaration = event.declaration.model_dump(mode="json", exclude_none=True)
    row = row or DeclaredRow(model=event.name, revision=0, declaration={})
    row.revision, row.declaration = event.revision, declaration
    work.session.add(row)


async def on_training_completed(event: TrainingCompleted, work: Work) -> None:
    """What a model learned from is what it is watched against."""
    digest = event.artifact.digest
    if await work.session.get(TrainedRow, digest) is None:
        completed = event.model_dump(mode="json", exclude_none=True)
        work.session.add(TrainedRow(digest=digest, model=event.model, run=event.run, completed=completed))


async def on_truth_reported(event: TruthReported, work: Work) -> None:
    """What really happened; it may come before the answer's log does."""
    await keep_truths(event, work)


async def keep_truths(event: TruthReported, work: Work) -> dict[str, int]:
    """Keep truths; returns how many were taken, and of how many the prediction is not known here yet."""
    records = Records(work.session)
    rows = {_place(label.prediction_id): label.value for label in event.labels}
    truths = [
        {"prediction_id": prediction, "row": row, "model": event.model, "value": value, "reported_at": work.now}
        for (prediction, row), value in rows.items()
    ]
    await records.put_truths(truths)
    known = await records.known_ids(sorted({prediction for prediction, _ in rows}))
    return {"accepted": len(rows), "unknown": sum(prediction not in known for prediction, _ in rows)}


async def on_predictions(messages: Sequence[RawMessage], work: Work) -> None:
    """A batch of logged answers, kept as they came; what cannot be read is parked."""
    events = [event for message in messages if (event := await _read(message, work)) is not None]
    records = Records(work.session)
    await records.add_logged([_logged(event) for event in events])
    newest: dict[str, PredictionLogged] = {}
    for event in events:
        if event.model not in newest or event.time > newest[event.model].time:
            newest[event.model] = event
    for model, event in newest.items():
        row = await records.declared(model) or DeclaredRow(model=model, revision=0, declaration={})
        if row.newest is None or event.time > row.newest:
            row.newest, row.arrived, row.silent_since = event.time, work.now, None
            work.session.add(row)


async def _read(message: RawMessage, work: Work) -> PredictionLogged | None:
    try:
        event = message.envelope().data
    except ContractError as error:
        await park_once(work, message, str(error))
        return None
    return event if isinstance(event, PredictionLogged) else None


def _logged(event: PredictionLogged) -> dict[str, Any]:
    return {
        "prediction_id": event.prediction_id,
        "first_row": event.first_row or 0,
        "route": event.route,
        "model": event.model,
        "version": event.version,
        "digest": event.digest,
        "time": event.time,
        "rows": event.rows,
        "data": packed(event),
    }


def _place(prediction_id: str) -> tuple[str, int]:
    """A prediction's id and row: `id:row`, and the bare id for row 0."""
    base, mark, told = prediction_id.rpartition(":")
    row = whole_number(told) if mark else None
    return (prediction_id, 0) if row is None else (base, row)
