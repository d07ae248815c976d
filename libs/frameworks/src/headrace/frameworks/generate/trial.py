"""What the trainer can really run: an estimator is fitted and saved on a few made-up rows, as a run would do it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Column
from headrace.frameworks.base import About, Framework, Recipe
from headrace.frameworks.errors import BadEstimator, ExportRefused

ROWS = 120
CLASSES, QUANTITY = "late", "delay"
COLUMNS = (
    Column(name="wind", type="number", nullable=False),
    Column(name="hour", type="integer", nullable=False),
    Column(name="carrier", type="string", nullable=False),
)
KINDS_OF_ROWS = (3, 2, 1)  # with categories, with numbers alone, with one number: some estimators take only these
SAVED = "cannot be saved without pickle or exported so that it answers the same"


def why_not(framework: Framework, path: str, task: str, params: Mapping[str, Any]) -> str | None:
    """Why no run of this estimator could end well; None where one does."""
    reason = None
    for columns in KINDS_OF_ROWS:
        target = CLASSES if task == "classification" else QUANTITY
        reason = _trial(framework, Recipe(path, params, 0, COLUMNS[:columns], target))
        if reason is None or reason == SAVED:
            return reason
    return reason


def _trial(framework: Framework, recipe: Recipe) -> str | None:
    try:
        fitted = framework.fit(rows(), recipe, lambda step, of: None)
        with TemporaryDirectory() as folder:
            framework.save(fitted, Path(folder), About(run="trial", created=datetime(2026, 1, 1, tzinfo=UTC)))
    except BadEstimator as error:
        return str(error).removeprefix(f"{recipe.estimator} ").partition(" with these parameters")[0]
    except ExportRefused:
        return SAVED
    except Exception as error:  # whatever an estimator raises, it cannot be fitted
        return f"cannot be fitted on prepared columns ({type(error).__name__})"
    return None


def rows() -> pd.DataFrame:
    """Rows with a label and a quantity that can be learned from them."""
    chance = np.random.default_rng(0)
    wind, hour = chance.normal(size=ROWS), chance.integers(0, 5, ROWS)
    frame = pd.DataFrame({"wind": wind, "hour": hour, "carrier": chance.choice(["AA", "UA"], ROWS)})
    frame[CLASSES] = (wind + chance.normal(size=ROWS) * 0.5 > 0).astype(int)
    frame[QUANTITY] = wind * 3 + hour + chance.normal(size=ROWS) * 0.1 + 20
    return frame
