"""Judging by functions of a user's package: in a process of its own, confined as the code that trains is.

It runs when the model's files are fixed. Nothing that it is given reaches the code that trained, and nothing of it but
numbers comes back.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headrace.code.scoring import RESULT, TRUTH, file_of
from headrace.frameworks.code.running import Folder, run
from headrace.frameworks.code.watching import open_plain
from headrace.frameworks.errors import CodeFailed
from headrace.frameworks.own import OwnCode

MOST_DRAWS = 200  # calls of a function for each model; 95 % of them leave five on either side
DRAWING_S = 30.0  # in which draws may begin
_ENOUGH = 0.5  # of the draws must have a value, else there is no interval
_FEWEST = 50  # draws below which an interval says nothing
_READ = 64 << 20  # bytes of a result


@dataclass(frozen=True)
class Function:
    """A metric, and the function that computes it."""

    name: str
    entry: str
    resampled: bool = True


@dataclass(frozen=True)
class Verdicts:
    """What the functions say."""

    values: Sequence[Mapping[str, float]]
    """By model, the value of each metric."""
    drawn: Mapping[str, np.ndarray]
    """Of metrics that an interval is known of: [draws, models]."""


def score(
    code: OwnCode,
    functions: Sequence[Function],
    truth: np.ndarray,
    models: Sequence[Mapping[str, np.ndarray]],
    *,
    draws: int = 0,
    seed: int = 0,
) -> Verdicts:
    """The metrics of models on the same rows, each given by its outputs; raises CodeFailed.

    `draws` is how often rows are drawn, where there are two models and an interval of their difference is wanted.
    """
    folder = Folder(code.scratch / "scoring")
    told = [{"name": each.name, "entry": each.entry, "resampled": each.resampled} for each in functions]
    job = {"metrics": told, "models": len(models), "outputs": list(models[0]), "seed": seed}
    folder.make(code.package, {**job, "resamples": min(draws, MOST_DRAWS), "seconds": DRAWING_S})
    np.save(folder.data / f"{TRUTH}.npy", _plain(truth), allow_pickle=False)
    for at, outputs in enumerate(models):
        arrays = {f"output-{place}": _plain(values) for place, values in enumerate(outputs.values())}
        np.savez(folder.data / file_of(at), allow_pickle=False, **arrays)
    program = (str(code.python or sys.executable), "-m", "headrace.code.scoring")
    run(replace(code, entry=None, command=program), folder)
    return _verdicts(_result(folder.out / RESULT), functions, len(models))


def _plain(values: np.ndarray) -> np.ndarray:
    """Text as Unicode; numbers and truth values that come as objects as what they are."""
    if values.dtype != object:
        return values
    listed = values.ravel().tolist()
    if any(isinstance(each, str) for each in listed):
        return np.array(["" if each is None else str(each) for each in listed], dtype=np.str_).reshape(values.shape)
    return np.array([math.nan if each is None else each for each in listed]).reshape(values.shape)


def _result(path: Path) -> Mapping[str, Any]:
    """What the program says that came of it: its own words, so that nothing of their form is certain."""
    try:
        with open_plain(path) as file:
            found = json.loads(file.read(_READ))
    except (OSError, ValueError, RecursionError) as error:
        raise CodeFailed("answer", f"the functions that judge left no result: {error}") from error
    if not isinstance(found, dict):
        raise CodeFailed("answer", "the functions that judge left no result, but something else in its place")
    return found


def _verdicts(found: Mapping[str, Any], functions: Sequence[Function], models: int) -> Verdicts:
    listed = found.get("values")
    if not isinstance(listed, list) or len(listed) != models or not all(isinstance(each, dict) for each in listed):
        raise CodeFailed("answer", "the functions that judge left no value of each model")
    values = [{each.name: _finite(each, told.get(each.name)) for each in functions} for told in listed]
    drawn = found.get("drawn")
    named = {each.name: drawn.get(each.name) for each in functions if each.resampled} if isinstance(drawn, dict) else {}
    arrays = {name: _drawn(told, models) for name, told in named.items()}
    return Verdicts(values, {name: each for name, each in arrays.items() if each is not None})


def _finite(function: Function, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    text = "NaN" if isinstance(value, float) and math.isnan(value) else f"{value}"
    raise CodeFailed(
        "answer", f"metric {function.name} ({function.entry}) gives {text[:200]}, which is no finite number"
    )


def _drawn(told: Any, models: int) -> np.ndarray | None:
    """The draws that every model has a value of; None where they are too few for an interval."""
    if not isinstance(told, list) or len(told) < _FEWEST:
        return None
    known = [row for row in told if isinstance(row, list) and len(row) == models and all(map(_is_finite, row))]
    enough = len(known) >= max(_FEWEST, _ENOUGH * len(told))
    return np.array(known, dtype=np.float64) if enough else None


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
