"""`prediction.logged` as bytes, without building models for it: the answer waits for this.

A test compares it, byte for meaning, with what `headrace.contracts` makes of the same values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson

from headrace.contracts import PredictionLogged, dataschema, subject_of
from headrace.inference.tensors import BadInput

SOURCE = "headrace/inference"
LARGEST = 900_000  # bytes of a message; the broker takes 1 MiB with its headers
_TYPE = PredictionLogged.TYPE
_SCHEMA = dataschema(PredictionLogged.TYPE)


@dataclass(slots=True)
class Prediction:
    """What is to be remembered of one answer."""

    id: str
    model: str
    version: int
    digest: str
    route: str
    time: datetime | str
    received_at: datetime
    rows: int
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    caller: str
    latency_ms: float
    replica: str
    request_id: str | None = None
    traceparent: str | None = None
    first_row: int = 0
    context: Mapping[str, Any] | None = None
    keys: Sequence[str | None] | None = None

    def part(self, start: int, stop: int) -> "Prediction":
        """The rows from `start` to `stop`."""
        return Prediction(
            self.id, self.model, self.version, self.digest, self.route, self.time, self.received_at, stop - start,
            {name: values[start:stop] for name, values in self.inputs.items()},
            {name: values[start:stop] for name, values in self.outputs.items()},
            self.caller, self.latency_ms, self.replica, self.request_id, self.traceparent, self.first_row + start,
            {name: values[start:stop] for name, values in (self.context or {}).items()},
            self.keys and self.keys[start:stop],
        )  # fmt: skip


@cache
def subject(model: str) -> str:
    """Where predictions of a model are published."""
    return subject_of(PredictionLogged, model)


def encoded(prediction: Prediction) -> Iterator[tuple[str, bytes]]:
    """The event's id and bytes; several where the rows are too many for one message. Raises BadInput where one is."""
    event_id = prediction.id if prediction.route != "shadow" else f"{prediction.id}.shadow"
    if prediction.first_row:
        event_id = f"{event_id}.{prediction.first_row}"
    payload = _payload(event_id, prediction)
    if len(payload) <= LARGEST:
        yield event_id, payload
        return
    if prediction.rows == 1:
        at = prediction.first_row
        raise BadInput(f"row {at} takes {len(payload):,} bytes in the record; at most {LARGEST:,} can be kept")
    half = prediction.rows // 2
    yield from encoded(prediction.part(0, half))
    yield from encoded(prediction.part(half, prediction.rows))


def _payload(event_id: str, p: Prediction) -> bytes:
    data = {
        "prediction_id": p.id,
        "model": p.model,
        "version": p.version,
        "digest": p.digest,
        "route": p.route,
        "time": p.time,
        "received_at": p.received_at,
        "rows": p.rows,
        "inputs": p.inputs,
        "outputs": p.outputs,
        "caller": p.caller,
        "latency_ms": p.latency_ms,
        "replica": p.replica,
    }
    if p.context:
        data["context"] = p.context
    if p.keys:
        data["keys"] = p.keys
    if p.request_id is not None:
        data["request_id"] = p.request_id
    if p.first_row:
        data["first_row"] = p.first_row
    head = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": _TYPE,
        "subject": p.model,
        "time": p.received_at,
        "dataschema": _SCHEMA,
        "datacontenttype": "application/json",
        "correlationid": p.id,
        "authid": p.caller,
    }
    if p.traceparent is not None:
        head["traceparent"] = p.traceparent
    head["data"] = data
    return orjson.dumps(head, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(values: Any) -> Any:
    """Arrays as lists: NaN becomes null on the wire, as missing values are everywhere."""
    return values.tolist()
