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
from headrace.contracts.labels import Label
from headrace.monitor.tables import LoggedRow
from headrace.tasks import Score, Target, Watched

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

    `truth` is encoded as the version's task has it; NaN where it is unknown.
    """

    inputs: pd.DataFrame
    context: pd.DataFrame
    outputs: pd.DataFrame
    truth: Floats
    target: Target
    unread: int = 0  # truths that came before the model was known, and are none of its own

    @property
    def truths(self) -> int:
        """Rows of which the truth is known."""
        return int(np.isfinite(self.truth).sum())

    @cached_property
    def answers(self) -> Mapping[str, Any]:
        """The outputs, a list each."""
        return {str(name): self.outputs[name].tolist() for name in self.outputs}

    @cached_property
    def score(self) -> Score | None:
        """The answers as metrics take them, with the columns that came beside the features."""
        return self.target.judged(self.answers, self.beside)

    @property
    def beside(self) -> Mapping[str, Any]:
        """The columns beside the answers that judging them takes, as far as requests carried them, a list each."""
        frames = [(name, self.context if name in self.context else self.inputs) for name in self.target.beside]
        return {name: frame[name].tolist() for name, frame in frames if name in frame}

    @property
    def watched(self) -> Watched | None:
        """The one column of answers that drift looks at."""
        return self.target.watched(self.answers)

    @property
    def outcomes(self) -> Mapping[Label, Floats]:
        """Where each label of interest was the answer, as 1 and 0."""
        return self.target.outcomes(self.answers)


def sample_of(rows: Sequence[LoggedRow], truths: Truths, target: Target) -> Sample:
    """Unpack logged answers and join each row with its truth."""
    documents: list[Document] = [json.loads(zlib.decompress(row.data)) for row in rows]
    sizes = [row.rows for row in rows]
    asked = [{**each, "inputs": target.columns_in(each.get("inputs", {}))} for each in documents]
    inputs, context, outputs = (_side_by_side([each.get(part, {}) for each in asked], sizes) for part in PARTS)
    known = [truths.get((row.prediction_id, row.first_row + at)) for row in rows for at in range(row.rows)]
    truth = target.truths(known)
    unread = sum(value is not None for value in known) - int(np.isfinite(truth).sum())
    return Sample(inputs, context, outputs, truth, target, unread)


def _side_by_side(parts: Sequence[Mapping[str, Sequence[Any]]], sizes: Sequence[int]) -> pd.DataFrame:
    """One frame of all parts; made once, since a frame a part would be most of the work."""
    columns: dict[str, list[Any]] = {name: [] for part in parts for name in part}
    for part, size in zip(parts, sizes, strict=True):
        for name, values in columns.items():
            values.extend(part[name] if name in part else [None] * size)
    return pd.DataFrame(columns, index=range(sum(sizes)))
