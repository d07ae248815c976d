"""`prediction.logged` written by hand for speed says what the contracts would say."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from headrace.contracts import PredictionLogged, decode, encode, wrap
from headrace.inference.record import LARGEST, Prediction, encoded
from headrace.inference.tensors import BadInput

NOW = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)


def prediction(**changes: Any) -> Prediction:
    """One answered row."""
    told: dict[str, Any] = {
        "id": "p1",
        "model": "flights",
        "version": 2,
        "digest": "a" * 64,
        "route": "champion",
        "time": NOW,
        "received_at": NOW,
        "rows": 1,
        "inputs": {"x": [1.5], "name": [None]},
        "outputs": {"label": [1]},
        "caller": "key:demo",
        "latency_ms": 0.5,
        "replica": "r1",
        **changes,
    }
    return Prediction(**told)


def test_the_bytes_mean_what_the_contracts_would_write() -> None:
    """Envelope and data are equal to those of `wrap` and `encode`."""
    ours = prediction(request_id="7", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    ((event_id, payload),) = encoded(ours)
    event = PredictionLogged(
        prediction_id="p1", model="flights", version=2, digest="a" * 64, route="champion", time=NOW, received_at=NOW,
        rows=1, inputs={"x": [1.5], "name": [None]}, outputs={"label": [1]}, request_id="7", caller="key:demo",
        latency_ms=0.5, replica="r1",
    )  # fmt: skip
    theirs = wrap(
        event,
        source="headrace/inference",
        id="p1",
        time=NOW,
        correlationid="p1",
        traceparent=ours.traceparent,
        authid="key:demo",
    )

    assert event_id == "p1"
    assert decode(payload) == decode(encode(theirs))


def test_the_callers_own_time_is_the_event_time() -> None:
    """As it was given, whatever its offset."""
    ((_, payload),) = encoded(prediction(time="2013-03-01T06:00:00-05:00"))

    data = decode(payload).data
    assert isinstance(data, PredictionLogged)
    assert data.time == datetime(2013, 3, 1, 11, tzinfo=UTC)
    assert data.received_at == NOW


def test_missing_numbers_in_arrays_are_null() -> None:
    """NaN is no JSON; a missing value is null everywhere on the wire."""
    strided = np.array([[1.0, np.nan], [3.0, 4.0]])[:, 1]
    ((_, payload),) = encoded(prediction(rows=2, inputs={"x": strided}, outputs={"label": [1, 0]}))

    data = decode(payload).data
    assert isinstance(data, PredictionLogged)
    assert data.inputs == {"x": [None, 4.0]}


def test_a_request_too_big_for_one_message_is_split_and_loses_nothing() -> None:
    """Each part fits, says where its rows begin, and has an id of its own."""
    rows = 40_000
    values = [at + 0.123456789 for at in range(rows)]
    big = prediction(rows=rows, inputs={"x": values, "y": values, "z": values}, outputs={"label": [1] * rows})

    parts = list(encoded(big))

    read = [decode(payload).data for _, payload in parts]
    assert len(parts) > 1
    assert all(len(payload) <= LARGEST for _, payload in parts)
    assert len({event_id for event_id, _ in parts}) == len(parts)
    assert [value for part in read for value in part.inputs["x"]] == values  # type: ignore[attr-defined]
    starts = [part.first_row or 0 for part in read]  # type: ignore[attr-defined]
    assert starts == [sum(p.rows for p in read[:at]) for at in range(len(read))]  # type: ignore[attr-defined]


def test_a_shadow_has_an_event_of_its_own() -> None:
    """The same prediction id, another event id: both are kept."""
    ((champion, _),) = encoded(prediction())
    ((shadow, payload),) = encoded(prediction(route="shadow"))

    assert champion != shadow
    assert decode(payload).data.prediction_id == "p1"  # type: ignore[attr-defined]


def test_a_row_that_no_message_can_hold_is_refused() -> None:
    """It cannot be recorded, so it is not answered."""
    with pytest.raises(BadInput, match="row 0 takes 1,0"):
        list(encoded(prediction(inputs={"name": ["x" * 1_000_000]})))


def test_context_is_kept_beside_the_inputs_and_split_with_them() -> None:
    """In a field of its own, so that a column of the same name hides no feature; nothing where there is none."""
    rows = 40_000
    values = [at + 0.123456789 for at in range(rows)]
    groups = ["f", None] * (rows // 2)
    big = prediction(rows=rows, inputs={"x": values, "y": values}, outputs={"label": [1] * rows}, context={"x": groups})

    parts = [decode(payload).data for _, payload in encoded(big)]
    ((_, plain),) = encoded(prediction())

    assert len(parts) > 1
    assert [value for part in parts for value in part.context["x"]] == groups  # type: ignore[attr-defined]
    assert [value for part in parts for value in part.inputs["x"]] == values  # type: ignore[attr-defined]
    assert decode(plain).data.context is None  # type: ignore[attr-defined]
