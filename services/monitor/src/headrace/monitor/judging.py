"""From logged answers and truths to the figures of a window."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from headrace.contracts import ColumnDrift, Declaration, FairnessResult, PredictionLogged, TrainingCompleted
from headrace.monitor.drift import PREDICTION, drift_of, share
from headrace.monitor.fairness import fairness_of
from headrace.monitor.quality import quality_of
from headrace.monitor.tables import LoggedRow

OUTPUTS = ("label", "probability", "prediction")
Truths = Mapping[tuple[str, int], Any]


def packed(event: PredictionLogged) -> bytes:
    """The rows of an answer as compressed JSON: about a tenth of the message."""
    document = {"inputs": event.inputs, "outputs": event.outputs}
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)


@dataclass(frozen=True)
class Sample:
    """The answers of one version in a window: inputs, outputs prefixed by nothing, and the truth where known."""

    inputs: pd.DataFrame
    judged: pd.DataFrame

    @property
    def truths(self) -> int:
        """Rows of which the truth is known."""
        return int(self.judged["truth"].notna().sum())


def sample_of(rows: Sequence[LoggedRow], truths: Truths) -> Sample:
    """Unpack logged answers and join each row with its truth."""
    documents = [json.loads(zlib.decompress(row.data)) for row in rows]
    inputs = pd.concat([pd.DataFrame(document["inputs"]) for document in documents], ignore_index=True)
    outputs = pd.concat([pd.DataFrame(document["outputs"]) for document in documents], ignore_index=True)
    known = [truths.get((row.prediction_id, row.first_row + at)) for row in rows for at in range(row.rows)]
    return Sample(inputs, outputs.assign(truth=pd.Series(known, dtype=object).astype(float, errors="ignore")))


@dataclass(frozen=True)
class Measured:
    """What a sample shows of its version."""

    drift: list[ColumnDrift]
    drift_share: float | None
    metrics: dict[str, float]
    fairness: list[FairnessResult]


def measure(
    sample: Sample,
    declared: Declaration,
    trained: TrainingCompleted | None,
    reference: pd.DataFrame | None,
    threads: int,
) -> Measured:
    """Drift against the reference, quality against the truth, fairness over the declared groups."""
    drift = _drift(sample, declared, trained, reference, threads)
    policy = declared.monitoring.fairness
    rows = sample.inputs.assign(**{name: sample.judged[name] for name in OUTPUTS if name in sample.judged})
    return Measured(
        drift=drift,
        drift_share=share(drift),
        metrics=quality_of(sample.judged, declared.evaluation.metrics, declared.monitoring.minimum),
        fairness=fairness_of(rows, declared.data.groups, policy) if policy else [],
    )


def _drift(
    sample: Sample,
    declared: Declaration,
    trained: TrainingCompleted | None,
    reference: pd.DataFrame | None,
    threads: int,
) -> list[ColumnDrift]:
    if trained is None or reference is None or len(sample.inputs) < declared.monitoring.minimum:
        return []
    said = next((name for name in ("probability", "prediction", "label") if name in sample.judged), None)
    current = _typed(sample.inputs, reference)
    if said is not None:
        current = current.assign(**{PREDICTION: sample.judged[said]})
    columns = [*(column.name for column in trained.features), PREDICTION]
    return drift_of(reference, current, columns, declared.monitoring.drift, threads=threads)


def _typed(inputs: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """JSON's columns with the reference's types: a column of gaps and whole numbers is numeric all the same."""
    typed = {
        name: pd.to_numeric(inputs[name], errors="coerce")
        for name in inputs.columns
        if name in reference and pd.api.types.is_numeric_dtype(reference[name]) and not _is_bool(reference, name)
    }
    return inputs.assign(**typed)


def _is_bool(frame: pd.DataFrame, name: str) -> bool:
    return bool(pd.api.types.is_bool_dtype(frame[name]))
