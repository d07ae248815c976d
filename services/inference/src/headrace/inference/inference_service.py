"""Where a request becomes an answer: choose the version, check the rows, run it, remember it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random, SystemRandom
from typing import Any, Literal

import numpy as np
import structlog

from headrace.inference import protocol, record
from headrace.inference.errors import Busy, Failed, NotLoaded, Unknown, Unloggable
from headrace.inference.pools import Pool
from headrace.inference.protocol import Ask
from headrace.inference.record import Prediction
from headrace.inference.route_table import RoutedVersion, RouteTable
from headrace.inference.tensors import BadInput
from headrace.inference.wal import WriteAheadLog, WriteAheadLogFull
from headrace.runtimes import Unavailable

log = structlog.get_logger()

Policy = Literal["require", "best-effort"]
# Ids must not collide; nobody gains by guessing one. A generator of our own saves a system call a prediction.
_random = Random(SystemRandom().getrandbits(256)).getrandbits


@dataclass(slots=True)
class Request:
    """What a caller asks of one model."""

    table: RouteTable
    document: Mapping[str, Any]
    caller: str
    started: float
    """perf_counter at its arrival"""
    version: int | None = None
    traceparent: str | None = None
    raw: memoryview | None = None
    prediction_id: str = ""
    routed: RoutedVersion | None = None
    """Who is to answer, where that was chosen before."""

    def choose(self) -> RoutedVersion:
        """Who is to answer, by the id that the prediction will have; raises Unknown, NotLoaded, BadInput."""
        self.prediction_id = new_id()
        self.routed = _slot(self, self.prediction_id)
        return self.routed


@dataclass(slots=True)
class Answer:
    """The body to send, and what is to be counted and kept before it is sent."""

    prediction_id: str
    routed: RoutedVersion
    ask: Ask
    outputs: Mapping[str, np.ndarray]
    body: bytes
    json_length: int | None
    seconds: float
    records: Sequence[tuple[str, bytes]]
    failed: Sequence[RoutedVersion] = ()
    """Slots on trial that failed; the champion answered for them."""


@dataclass(frozen=True, slots=True)
class _Shadowed:
    """What a shadow said, and in how many seconds."""

    outputs: Mapping[str, np.ndarray]
    seconds: float


@dataclass(slots=True)
class Lost:
    """Predictions that were answered but could not be kept, which only the policy best-effort allows."""

    count: int = 0


@dataclass(slots=True)
class InferenceService:
    """Answers requests. `answer` may run in any thread; `keep` and `shadow` belong to the loop's."""

    replica: str
    wal: WriteAheadLog
    policy: Policy = "require"
    lost: Lost = field(default_factory=Lost)
    time_ahead: float = 300.0
    """Seconds that a request's event time may lie ahead of its arrival."""
    _asking: set[asyncio.Task[None]] = field(default_factory=set)  # shadows that answer in processes

    def answer(self, request: Request) -> Answer:
        """Everything up to the body; raises BadInput, Unknown, NotLoaded, Failed."""
        routed = request.routed or request.choose()
        prediction_id = request.prediction_id
        ask, outputs, routed, failed = _run(request, routed, time.time() + self.time_ahead)
        seconds = time.perf_counter() - request.started
        about = {"prediction_id": prediction_id, "model_digest": routed.loaded.digest, "route": routed.role}
        body, json_length = protocol.answer(ask, outputs, routed.loaded.interface, routed.head, about)
        answer = Answer(prediction_id, routed, ask, outputs, body, json_length, seconds, (), failed)
        answer.records = list(record.encoded(self._prediction(request, answer, routed, outputs, seconds)))
        return answer

    def keep(self, request: Request, answer: Answer) -> None:
        """Count the answer and write down the prediction, before the answer leaves; raises Unloggable."""
        try:
            self._append(request.table.model, answer.records)
        except WriteAheadLogFull as full:
            self._cannot_keep(full)
        answer.routed.stats.answered(answer.seconds, answer.ask.rows.count)
        for routed in answer.failed:
            routed.stats.failed()

    def shadow(self, request: Request, answer: Answer) -> None:
        """Ask the shadows the same, and remember what they say; the caller has its answer already."""
        for routed in request.table.shadows:
            if (pool := routed.loaded.pool) is None:
                self._compare(request, answer, routed, self._shadow_of(answer, routed))
            else:
                self._asking.add(task := asyncio.create_task(self._shadow_apart(request, answer, routed, pool)))
                task.add_done_callback(self._asking.discard)

    async def _shadow_apart(self, request: Request, answer: Answer, routed: RoutedVersion, pool: Pool) -> None:
        try:
            told = await pool.run(partial(self._shadow_of, answer, routed))
        except Busy as busy:
            told = busy
        self._compare(request, answer, routed, told)

    def _shadow_of(self, answer: Answer, routed: RoutedVersion) -> "_Shadowed | Exception":
        """What a shadow says, in whatever thread it is asked."""
        started = time.perf_counter()
        try:
            outputs = routed.loaded.answer(routed.loaded.interface.checked(answer.ask.rows))
        except Exception as error:
            return error
        return _Shadowed(outputs, time.perf_counter() - started)

    def _compare(self, request: Request, answer: Answer, routed: RoutedVersion, told: "_Shadowed | Exception") -> None:
        if isinstance(told, Exception):
            routed.stats.failed()
            log.warning("shadow_failed", model=request.table.model, version=routed.loaded.version, error=str(told))
            return
        if answer.routed.role == "champion":
            routed.stats.compared(answer.outputs, told.outputs)
        prediction = self._prediction(request, answer, routed, told.outputs, told.seconds)
        try:
            self._append(request.table.model, list(record.encoded(prediction)))
        except WriteAheadLogFull:
            self.lost.count += 1
        routed.stats.answered(told.seconds, answer.ask.rows.count)

    @property
    def open(self) -> bool:
        """Whether answers can be given under the policy."""
        return self.policy == "best-effort" or self.wal.room

    def _prediction(
        self, request: Request, answer: Answer, routed: RoutedVersion, outputs: Mapping[str, np.ndarray], seconds: float
    ) -> Prediction:
        received = datetime.fromtimestamp(time.time() - (time.perf_counter() - request.started), UTC)
        return Prediction(
            id=answer.prediction_id,
            model=request.table.model,
            version=routed.loaded.version,
            digest=routed.loaded.digest,
            route=routed.role,
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
            keys=answer.ask.rows.keys,
        )

    def _append(self, model: str, records: Sequence[tuple[str, bytes]]) -> None:
        subject = record.subject(model)
        for event_id, payload in records:
            self.wal.append(subject, event_id, payload)

    def _cannot_keep(self, full: WriteAheadLogFull) -> None:
        if self.policy == "require":
            raise Unloggable(f"the prediction cannot be recorded ({full}); try again when the broker is back") from full
        self.lost.count += 1


def new_id() -> str:
    """An id that sorts by time: 48 bits of milliseconds, 80 random ones."""
    return f"{time.time_ns() // 1_000_000:012x}{_random(80):020x}"


def _slot(request: Request, prediction_id: str) -> RoutedVersion:
    table = request.table
    if request.version is not None:
        if routed := table.version(request.version):
            return routed
        known = ", ".join(str(routed.loaded.version) for routed in table.routed_versions)
        raise Unknown(f"model {table.model!r} has no version {request.version} here; loaded: {known}")
    if table.only is not None:
        return table.only
    if not any(routed.percent for routed in table.routed_versions):
        raise NotLoaded(f"model {table.model!r}: no version that answers is loaded yet")
    parameters = protocol.parameters_of(request.document)
    return table.choose(str(parameters.get("routing_key", prediction_id)))


def _run(
    request: Request, routed: RoutedVersion, latest: float
) -> tuple[Ask, Mapping[str, np.ndarray], RoutedVersion, Sequence[RoutedVersion]]:
    ask = protocol.parse(request.document, routed.loaded.interface, request.raw, latest=latest)
    try:
        return ask, routed.loaded.answer(ask.rows), routed, ()
    except BadInput:
        raise
    except Exception as error:
        log.warning("version_failed", model=request.table.model, version=routed.loaded.version, error=str(error))
        return _instead(request, routed, error)


def _instead(
    request: Request, routed: RoutedVersion, error: Exception
) -> tuple[Ask, Mapping[str, np.ndarray], RoutedVersion, Sequence[RoutedVersion]]:
    """The champion answers for a version on trial that failed; the failure counts against that version."""
    champion = next((s for s in request.table.routed_versions if s.role == "champion"), None)
    if routed.role == "champion" or champion is None or request.version is not None:
        routed.stats.failed()
        raise _failure(f"version {routed.loaded.version} of model {request.table.model!r}", error) from error
    ask = protocol.parse(request.document, champion.loaded.interface, request.raw)
    try:
        return ask, champion.loaded.answer(ask.rows), champion, (routed,)
    except Exception as second:
        raise _failure(f"versions {routed.loaded.version} and {champion.loaded.version}", second) from second


def _failure(who: str, error: Exception) -> Exception:
    """A process that was lost may answer the next request; a model that fails on these rows will again."""
    if isinstance(error, Unavailable):
        return NotLoaded(f"{who} cannot answer now: {error}")
    return Failed(f"{who} failed: {error}")
