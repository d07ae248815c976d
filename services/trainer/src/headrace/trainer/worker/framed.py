"""Tasks whose rows are shaped before an estimator learns them: what is fitted, how it is kept, and how it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Column
from headrace.frameworks import About, Fitted, Framework, Recipe, Saved
from headrace.runtimes import RUNTIMES
from headrace.runtimes.forecast import INNER, BadSeries, Forecast, Framing
from headrace.tasks import task_named

__all__ = ["BadSeries", "Shaped", "columns_of", "shaped"]

_EXAMPLE_ROWS = 3


@dataclass(frozen=True)
class Shaped:
    """The rows that an estimator learns, and the recipe by which it does."""

    rows: pd.DataFrame
    recipe: Recipe

    def save(self, framework: Framework, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write the model directory."""
        return framework.save(fitted, folder, about)


@dataclass(frozen=True)
class _Framed(Shaped):
    """The same of a task that makes features: its model is one inside another."""

    framing: Framing
    runtime: Forecast
    task: str
    context: Sequence[Column]
    example: Mapping[str, Sequence[Any]]

    def save(self, framework: Framework, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write the estimator's directory, and around it what makes its features."""
        inner = folder / INNER
        inner.mkdir()
        saved = framework.save(fitted, inner, about)
        signature = self.framing.signature(self.task, self.context)
        told = {"run": about.run, "created": about.created.isoformat()}
        self.runtime.write(self.framing, folder, signature, told, self.example)
        return replace(saved, signature=signature, runtime=self.runtime.name)


def shaped(learned: pd.DataFrame, recipe: Recipe) -> Shaped:
    """What an estimator learns of rows, by the task of a recipe; raises BadSeries where the rows are no series."""
    task = task_named(recipe.task)
    if task.framed_by is None:
        return Shaped(learned, recipe)
    runtime = RUNTIMES[task.framed_by]
    assert isinstance(runtime, Forecast)
    columns = columns_of(learned)
    framing = runtime.framing(recipe.options, recipe.features, recipe.target).settled(columns)
    at, made = framing.examples(columns)
    rows = learned.iloc[at].reset_index(drop=True).assign(**made)
    inner = replace(recipe, features=framing.learned, task=task.learned_as, options={}, context=())
    example = {name: _json(learned[name].head(_EXAMPLE_ROWS)) for name in (*framing.carried, framing.target)}
    return _Framed(rows, inner, framing, runtime, task.name, recipe.context, example)


def columns_of(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Rows as a framing takes them: times in UTC, numbers, and objects with None for what is missing."""
    return {str(name): _values(rows[name]) for name in rows}


def _values(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return np.asarray(column.to_numpy())
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)


def _json(values: pd.Series) -> list[Any]:
    return [
        each.isoformat() if isinstance(each, pd.Timestamp) else None if each != each else each
        for each in values.tolist()
    ]
