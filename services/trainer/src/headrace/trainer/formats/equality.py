"""Whether what serves answers as the artifact's own library does, on rows of the test data."""

import numpy as np
import pandas as pd

from headrace.runtimes import Model
from headrace.tasks import NUMPY, Outputs
from headrace.trainer.formats.base import BadArtifact, Equality, GraphArtifact, Own
from headrace.trainer.formats.takeover import LABEL, Answers
from headrace.trainer.worker.truth import answers_of

TOLERANCE = 1e-4  # relative to the size of a number, of a probability absolute; real conversions differ by about 1e-7


def compared(artifact: GraphArtifact, answers: Answers, model: Model, rows: pd.DataFrame) -> Equality:
    """Ask both for the same rows; raises BadArtifact where the conversion changed the model.

    A model that takes matrices sees numbers as float32. For rows of such numbers both must answer the same; what the
    rounding itself changes is counted.
    """
    served = answers_of(model, rows)
    rounded = _rounded(rows) if artifact.inputs.datatypes is None else rows
    made_of = artifact.rounded or artifact.own
    same = _differences(expected(made_of, answers, rounded), served)
    if not (worst := float(np.max(same, initial=0.0))) <= TOLERANCE:
        raise BadArtifact(
            f"what would serve differs from the artifact's own answers by {worst:.2g}, over {TOLERANCE:g}, in "
            f"{int((same > TOLERANCE).sum())} of {len(rows)} rows; convert it to ONNX yourself, and import the graph"
        )
    _must_have_the_label(artifact, answers, rows, served)
    found = _differences(expected(artifact.own, answers, rows), served)
    return Equality(float(np.max(found, initial=0.0)), len(rows), int((found > TOLERANCE).sum()))


def expected(own: Own, answers: Answers, rows: pd.DataFrame) -> Outputs:
    """What a library says of rows, in the outputs of the task."""
    return answers.target.answer(answers.raw(own(rows)), NUMPY)


def _differences(right: Outputs, served: Outputs) -> np.ndarray:
    """Of each row the largest difference; what is not the same kind of number on both sides is infinitely far."""
    parts = [_apart(np.asarray(right[name]), np.asarray(served[name])) for name in right if name != LABEL]
    return np.asarray(np.max(parts, axis=0))


def _apart(own: np.ndarray, served: np.ndarray) -> np.ndarray:
    if own.shape != served.shape:
        return np.full(len(own), np.inf)
    apart = np.abs(own - served) / np.maximum(1.0, np.abs(own))
    apart = np.where(np.isnan(own) & np.isnan(served), 0.0, np.where(np.isnan(apart), np.inf, apart))
    return np.asarray(apart if apart.ndim == 1 else apart.max(axis=1))


def _must_have_the_label(artifact: GraphArtifact, answers: Answers, rows: pd.DataFrame, served: Outputs) -> None:
    """The most probable label is the artifact's own, or that one is kept as it was asked."""
    if artifact.own_label is None or answers.keeps_label or LABEL not in served:
        return
    typed = dict(zip(artifact.labels or answers.labels, answers.labels, strict=True))
    own = np.array([typed.get(each) for each in np.ravel(artifact.own_label(rows)).tolist()], dtype=object)
    right = expected(artifact.own, answers, rows)
    sure = ~answers.target.unsure(right) & (_differences(right, served) <= TOLERANCE)
    if other := int((sure & (own != np.asarray(served[LABEL], dtype=object))).sum()):
        raise BadArtifact(
            f"the artifact's own label is another one than the most probable in {other} of {len(rows)} rows, as with a "
            "threshold of its own; keep it with --output label=NAME, or export the model without it"
        )


def _rounded(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with numbers as float32 holds them; whole ones stay whole where they can."""
    changed = {}
    for name in rows.columns:
        column = rows[name]
        if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
            continue
        near = column.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32).astype(np.float64)
        changed[name] = (
            pd.Series(near, column.index).astype(column.dtype) if pd.api.types.is_integer_dtype(column) else near
        )
    return rows.assign(**changed)
