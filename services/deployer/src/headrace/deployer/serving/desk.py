"""Where a request becomes an answer: choose the version, check the rows, run it, remember it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Any, Literal

import numpy as np
import structlog

from headrace.deployer.serving import protocol, record
from headrace.deployer.serving.errors import Failed, NotLoaded, Unknown, Unloggable
from headrace.deployer.serving.journal import Journal, JournalFull
from headrace.deployer.serving.protocol import Ask
from headrace.deployer.serving.record import Prediction
from headrace.deployer.serving.tensors import BadInput
from headrace.deployer.serving.versions import Slot, Table

log = structlog.get_logger()

Policy = Literal["require", "best-effort"]
# Ids must not collide; nobody gains by guessing one. A generator of our own saves a system call a prediction.
_random = Random(SystemRandom().getrandbits(256)).getrandbits


@dataclass(slots=True)
class Request:
    """What a caller asks of one model."""

    table: Table
    document: Mapping[str, Any]
    caller: str
    started: float
    """perf_counter at its arrival"""
    version: int | None = None
    traceparent: str | None = None
    raw: memoryview | None = None


@dataclass(slots=True)
class Answer:
    """The body to send, and what is to be counted and kept before it is sent."""

    prediction_id: str
    slot: Slot
    ask: Ask
    outputs: Mapping[str, np.ndarray]
    body: bytes
    json_length: int | None
    seconds: float
    records: Sequence[tuple[str, bytes]]
    failed: Sequence[Slot] = ()
    """Slots on trial that failed; the champion answered for them."""


@dataclass(slots=True)
class Lost:
    """Predictions that were answered but could not be kept, which only the policy best-effort allows."""

    count: int = 0


@dataclass(slots=True)
class Desk:
    """Answers requests. `answer` may run in any thread; `keep` and `shadow` belong to the loop's."""

    replica: str
    journal: Journal
    policy: Policy = "require"
    lost: Lost = field(default_factory=Lost)
    time_ahead: float = 300.0
    """Seconds that a request's event time may lie ahead of its arrival."""

    def answer(self, request: Request) -> Answer:
        """Everything up to the body; raises BadInput, Unknown, NotLoaded, Failed."""
        prediction_id = new_id()
        slot = _slot(request, prediction_id)
        ask, outputs, slot, failed = _run(request, slot, time.time() + self.time_ahead)
        seconds = time.perf_counter() - request.started
        about = {"prediction_id": prediction_id, "model_digest": slot.loaded.digest, "route": slot.role}
        body, json_length = protocol.answer(ask, outputs, slot.loaded.interface, slot.head, about)
        answer = Answer(prediction_id, slot, ask, outputs, body, json_length, seconds, (), failed)
        answer.records = list(record.encoded(self._prediction(request, answer, slot, outputs, seconds)))
        return answer

    def keep(self, request: Request, answer: Answer) -> None:
        """Count the answer and write down the prediction, before the answer leaves; raises Unloggable."""
        try:
            self._append(request.table.model, answer.records)
        except JournalFull as full:
            self._cannot_keep(full)
        answer.slot.stats.answered(answer.seconds, answer.ask.rows.count)
        for slot in answer.failed:
            slot.stats.failed()

    def shadow(self, request: Request, answer: Answer) -> None:
        """Ask the shadows the same, and remember what they say; the caller has its answer already."""
        for slot in request.table.shadows:
            started = time.perf_counter()
            try:
                outputs = slot.loaded.answer(slot.loaded.interface.checked(answer.ask.rows))
            except Exception as error:
                slot.stats.failed()
                log.warning("shadow_failed", model=request.table.model, version=slot.loaded.version, error=str(error))
                continue
            seconds = time.perf_counter() - started
            prediction = self._prediction(request, answer, slot, outputs, seconds)
            try:
                self._append(request.table.model, list(record.encoded(prediction)))
            except JournalFull:
                self.lost.count += 1
            slot.stats.answered(seconds, answer.ask.rows.count)

    @property
    def open(self) -> bool:
        """Whether answers can be given under the policy."""
        return self.policy == "best-effort" or self.journal.room

    def _prediction(
        self, request: Request, answer: Answer, slot: Slot, outputs: Mapping[str, np.ndarray], seconds: float
    ) -> Prediction:
        received = datetime.fromtimestamp(time.time() - (time.perf_counter() - request.started), UTC)
        return Prediction(
            id=answer.prediction_id,
            model=request.table.model,
            version=slot.loaded.version,
            digest=slot.loaded.digest,
            route=slot.role,
            time=answer.ask.time or received,
            received_at=received,
            rows=answer.ask.rows.count,
            inputs=answer.ask.rows.columns,
            outputs={name: values.tolist() for name, values in outputs.items()},
            caller=request.caller,
            latency_ms=round(seconds * 1000, 3),
            replica=self.replica,
            request_id=answer.ask.id,
            traceparent=request.traceparent,
            context=answer.ask.rows.context,
        )

    def _append(self, model: str, records: Sequence[tuple[str, bytes]]) -> None:
        subject = record.subject(model)
        for event_id, payload in records:
            self.journal.append(subject, event_id, payload)

    def _cannot_keep(self, full: JournalFull) -> None:
        if self.policy == "require":
            raise Unloggable(f"the prediction cannot be recorded ({full}); try again when the broker is back") from full
        self.lost.count += 1


def new_id() -> str:
    """An id that sorts by time: 48 bits of milliseconds, 80 random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{_random(80):020x}"


def _slot(request: Request, prediction_id: str) -> Slot:
    table = request.table
    if request.version is not None:
        if slot := table.version(request.version):
            return slot
        known = ", ".join(str(slot.loaded.version) for slot in table.slots)
        raise Unknown(f"model {table.model!r} has no version {request.version} here; loaded: {known}")
    if table.only is not None:
        return table.only
    if not any(slot.percent for slot in table.slots):
        raise NotLoaded(f"model {table.model!r}: no version that answers is loaded yet")
    parameters = protocol.parameters_of(request.document)
    return table.choose(str(parameters.get("routing_key", prediction_id)))


def _run(request: Request, slot: Slot, latest: float) -> tuple[Ask, Mapping[str, np.ndarray], Slot, Sequence[Slot]]:
    ask = protocol.parse(request.document, slot.loaded.interface, request.raw, latest=latest)
    try:
        return ask, slot.loaded.answer(ask.rows), slot, ()
    except BadInput:
        raise
    except Exception as error:
        log.warning("version_failed", model=request.table.model, version=slot.loaded.version, error=str(error))
        return _instead(request, slot, error)


def _instead(
    request: Request, slot: Slot, error: Exception
) -> tuple[Ask, Mapping[str, np.ndarray], Slot, Sequence[Slot]]:
    """The champion answers for a version on trial that failed; the failure counts against that version."""
    champion = next((s for s in request.table.slots if s.role == "champion"), None)
    if slot.role == "champion" or champion is None or request.version is not None:
        slot.stats.failed()
        raise Failed(f"version {slot.loaded.version} of model {request.table.model!r} failed: {error}") from error
    ask = protocol.parse(request.document, champion.loaded.interface, request.raw)
    try:
        return ask, champion.loaded.answer(ask.rows), champion, (slot,)
    except Exception as second:
        raise Failed(f"versions {slot.loaded.version} and {champion.loaded.version} failed: {second}") from second
