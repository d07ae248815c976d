"""From logged answers to columns: what was asked, what was answered, and what really happened."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headrace.contracts import PredictionLogged
from headrace.monitor.tables import LoggedRow
from headrace.monitor.truth import Scale

Floats = NDArray[np.float64]
Truths = Mapping[tuple[str, int], Any]
Document = Mapping[str, Mapping[str, Sequence[Any]]]
PARTS = ("inputs", "context", "outputs")  # each a namespace of its own: a feature may be called `label`


def packed(event: PredictionLogged) -> bytes:
    """The rows of an answer as compressed JSON: about a tenth of the message."""
    document = {name: found for name in PARTS if (found := getattr(event, name, None))}
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)


def uneven(event: PredictionLogged) -> str | None:
    """Why the columns of an answer cannot be put side by side; None where they can."""
    for part in PARTS:
        for name, values in (getattr(event, part, None) or {}).items():
            if len(values) != event.rows:
                return f"{part}.{name} has {len(values)} values for {event.rows} rows"
    if event.keys is not None and len(event.keys) != event.rows:
        return f"keys has {len(event.keys)} values for {event.rows} rows"
    return None


@dataclass(frozen=True)
class Sample:
    """The answers of one version in a window, in [rows]; what a row lacks is missing.

    `truth` holds numbers, or for a classifier the places of the labels among the version's own; NaN where unknown.
    """

    inputs: pd.DataFrame
    context: pd.DataFrame
    outputs: pd.DataFrame
    truth: Floats
    scale: Scale
    unread: int = 0  # truths that came before the model was known, and are none of its own

    @property
    def truths(self) -> int:
        """Rows of which the truth is known."""
        return int(np.isfinite(self.truth).sum())

    @cached_property
    def labels(self) -> Floats | None:
        """What a classifier answered, as places of labels; None for other models."""
        if self.scale.labels is None or "label" not in self.outputs:
            return None
        return _places(self.outputs["label"].tolist(), self.scale)

    def score(self) -> pd.Series | None:
        """The one column of answers that drift looks at."""
        name = next((name for name in ("probability", "prediction", "label") if name in self.outputs), None)
        return None if name is None else self.outputs[name]


def sample_of(rows: Sequence[LoggedRow], truths: Truths, scale: Scale) -> Sample:
    """Unpack logged answers and join each row with its truth."""
    documents: list[Document] = [json.loads(zlib.decompress(row.data)) for row in rows]
    sizes = [row.rows for row in rows]
    inputs, context, outputs = (_side_by_side([each.get(part, {}) for each in documents], sizes) for part in PARTS)
    known = [truths.get((row.prediction_id, row.first_row + at)) for row in rows for at in range(row.rows)]
    truth = _places(known, scale)
    unread = sum(value is not None for value in known) - int(np.isfinite(truth).sum())
    return Sample(inputs, context, outputs, truth, scale, unread)


def _side_by_side(parts: Sequence[Mapping[str, Sequence[Any]]], sizes: Sequence[int]) -> pd.DataFrame:
    """One frame of all parts; made once, since a frame a part would be most of the work."""
    columns: dict[str, list[Any]] = {name: [] for part in parts for name in part}
    for part, size in zip(parts, sizes, strict=True):
        for name, values in columns.items():
            values.extend(part[name] if name in part else [None] * size)
    return pd.DataFrame(columns, index=range(sum(sizes)))


def _places(values: Sequence[Any], scale: Scale) -> Floats:
    """Values as the scale reads them; there are few different ones where they are labels."""
    if scale.labels is None:
        return np.array([np.nan if value is None else scale.place(value) for value in values], dtype=np.float64)
    seen: dict[tuple[type, Any], float] = {}
    return np.array([_place(value, scale, seen) for value in values], dtype=np.float64)


def _place(value: Any, scale: Scale, seen: dict[tuple[type, Any], float]) -> float:
    if value is None or isinstance(value, list | dict):
        return np.nan
    key = (type(value), value)
    if key not in seen:
        seen[key] = scale.place(value)
    return seen[key]
