"""A few rows with the framework's own answers, kept in the model directory: whoever loads it proves that it still
answers so, on another machine and with another version of a library.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headrace.runtimes.base import Columns, Model
from headrace.runtimes.errors import BadModel

FILE = "proof.json"
TOLERANCE = 1e-4  # relative to the size of a number, of a probability absolute; as at saving


def write_proof(folder: Path, rows: Mapping[str, Sequence[Any]], answers: Mapping[str, np.ndarray]) -> None:
    """Keep rows, JSON values by column, and what the framework says of them."""
    told = {"rows": rows, "answers": {name: values.tolist() for name, values in answers.items()}}
    (folder / FILE).write_text(json.dumps(told, allow_nan=False))


def check_proof(folder: Path, model: Model) -> None:
    """Raise BadModel where a model answers otherwise than its framework did; a directory without a proof passes."""
    if not (folder / FILE).exists():
        return
    try:
        found = json.loads((folder / FILE).read_text())
        rows, expected = dict(found["rows"]), dict(found["answers"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadModel(f"{folder.name}/{FILE} cannot be read: {error}") from error
    told = _answered(folder, model, rows)
    for name, values in expected.items():
        if name not in told or not same(np.asarray(told[name]), np.asarray(values)):
            raise BadModel(
                f"{folder.name} does not answer here as it did where it was saved: its {name} differs on the rows "
                f"of {FILE}; train it again with the libraries that are installed here"
            )


def same(told: np.ndarray, expected: np.ndarray) -> bool:
    """Whether answers are equal: numbers within the tolerance, anything else exactly."""
    if told.shape != expected.shape:
        return False
    if told.dtype.kind != "f":
        return bool(told.tolist() == expected.tolist())
    wanted = expected.astype(np.float64)
    return bool((np.abs(told - wanted) <= TOLERANCE * np.maximum(1.0, np.abs(wanted))).all())


def _answered(folder: Path, model: Model, rows: Columns) -> Mapping[str, np.ndarray]:
    try:
        return model.answer(rows)
    except Exception as error:  # the libraries' own errors have no common base
        raise BadModel(f"{folder.name} does not answer the rows of {FILE}: {error}") from error
