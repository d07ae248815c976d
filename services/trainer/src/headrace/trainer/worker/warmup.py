"""Pay once, before there is a job, for what the first fit and export in a process cost: 2 s of imports and caches."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, LIBRARIES, About, Recipe
from headrace.runtimes import load
from headrace.tasks import TASKS


def warm_up() -> None:
    """Fit, save and load a toy with every framework that is installed."""
    number = Column(name="number", type="number", nullable=True)
    word = Column(name="word", type="string", nullable=False)
    rows = pd.DataFrame({"number": np.arange(40.0), "word": ["a", "b"] * 20})
    task = next(iter(TASKS.values()))
    rows["target"] = task.example(np.tile([-1.0, 1.0, 1.0, -1.0], 10))
    for name in (each for each in FRAMEWORKS if each in LIBRARIES):
        framework = FRAMEWORKS[name]
        toy = Recipe(LIBRARIES[name].usual_of(task.kinds), {}, 0, [number, word], "target", task.name)
        fitted = framework.fit(rows, toy, lambda step, of: None)
        with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
            framework.save(fitted, Path(folder), About("warm-up", datetime.now(UTC)))
            load(Path(folder))
