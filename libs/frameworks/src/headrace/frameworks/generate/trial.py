"""What the trainer can really run: an estimator is fitted and saved on a few made-up rows, as a run would do it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Column
from headrace.contracts.estimators import EstimatorKind
from headrace.frameworks.base import About, Framework, Recipe
from headrace.frameworks.errors import BadEstimator, ExportRefused
from headrace.frameworks.levels import Levels
from headrace.tasks import TASKS, Task

ROWS = 120
KEYS = 20  # different values of a column that tells rows apart
TARGET = "target"
COLUMNS = (
    Column(name="wind", type="number", nullable=False),
    Column(name="hour", type="integer", nullable=False),
    Column(name="carrier", type="string", nullable=False),
)
KINDS_OF_ROWS = (3, 2, 1)  # with categories, with numbers alone, with one number: some estimators take only these
SAVED = "cannot be saved without pickle or exported so that it answers the same"


def tried(framework: Framework, path: str, kind: EstimatorKind, params: Mapping[str, Any]) -> dict[str, str]:
    """The tasks of a kind of estimator that this one cannot be trained for, each with the reason."""
    found = {task.name: why_not(framework, path, task, params) for task in _learned(kind)}
    return {name: reason for name, reason in found.items() if reason}


def decided(path: str, kind: EstimatorKind, levels: Levels) -> dict[str, list[str]]:
    """The parameters of an estimator that a task sets, by the task: those with which it learns one quantile."""
    if path not in levels:
        return {}
    learning = [task for task in _learned(kind) if task.bare(task.example_options()).levels]
    return {task.name: sorted(levels[path](0.5)) for task in learning}


def fitting(kind: EstimatorKind) -> int:
    """How many tasks a kind of estimator fits."""
    return len(_learned(kind))


def _learned(kind: EstimatorKind) -> list[Task]:
    """The tasks of a kind of estimator; without those that are learned as another one of them."""
    return [task for task in TASKS.values() if kind in task.kinds and task.learned_as == task.name]


def why_not(framework: Framework, path: str, task: Task, params: Mapping[str, Any]) -> str | None:
    """Why no run of this estimator could end well; None where one does."""
    reason = None
    for columns in KINDS_OF_ROWS:
        recipe = Recipe(path, params, 0, COLUMNS[:columns], TARGET, task.name, options=task.example_options())
        reason = _trial(framework, recipe, task)
        if reason is None or reason == SAVED:
            return reason
    return reason


def _trial(framework: Framework, recipe: Recipe, task: Task) -> str | None:
    try:
        fitted = framework.fit(rows(task), recipe, lambda step, of: None)
        with TemporaryDirectory() as folder:
            framework.save(fitted, Path(folder), About(run="trial", created=datetime(2026, 1, 1, tzinfo=UTC)))
    except BadEstimator as error:
        return str(error).removeprefix(f"{recipe.estimator} ").partition(" with these parameters")[0]
    except ExportRefused:
        return SAVED
    except Exception as error:  # whatever an estimator raises, it cannot be fitted
        return f"cannot be fitted on prepared columns ({type(error).__name__})"
    return None


def rows(task: Task) -> pd.DataFrame:
    """Rows with a target that can be learned from them."""
    chance = np.random.default_rng(0)
    wind, hour = chance.normal(size=ROWS), chance.integers(0, 5, ROWS)
    frame = pd.DataFrame({"wind": wind, "hour": hour, "carrier": chance.choice(["AA", "UA"], ROWS)})
    frame[TARGET] = task.example(wind + chance.normal(size=ROWS) * 0.3)
    for key in task.keys(task.example_options()):
        frame[key] = np.arange(ROWS) % KEYS
    return frame
