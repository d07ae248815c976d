"""What a framework is: it fits a recipe, saves the fitted model as a directory, and loads it again."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from headrace.contracts import Column, Options, Preparation, Prepared, Signature
from headrace.contracts.labels import Label
from headrace.frameworks.own import OwnCode
from headrace.runtimes import Columns
from headrace.tasks import Target

if TYPE_CHECKING:  # pandas is for those who fit
    import pandas as pd

Progress = Callable[[int, int], None]
"""Told (step, of) while an estimator fits; called from the fitting thread, often, and must return quickly."""


@dataclass(frozen=True)
class EarlyStopping:
    """Stop fitting when rows that are not learned from no longer gain: a part of the rows that could be learned from.

    They are the newest ones by the column `time`, and where none is named some at random; never those of the holdout.
    """

    rounds: int
    """How many trees or iterations without a gain are waited for."""
    fraction: float
    time: str | None = None


@dataclass(frozen=True)
class OnTheWay:
    """Rows that judge a fit before it is done."""

    rows: "pd.DataFrame"
    after: Callable[[int], Container[int]]
    """Of so many trees in all, after which numbers of them the rows are asked for."""
    judge: Callable[[int, int, Target, Mapping[str, np.ndarray]], None]
    """Told trees, trees in all, what can be true, and the answers so far; what it raises ends the fit."""


@dataclass(frozen=True)
class Recipe:
    """What to fit: an estimator by import path for a task, its parameters, and which columns it may see."""

    estimator: str
    params: Mapping[str, Any]
    seed: int
    features: Sequence[Column]
    target: str
    task: str
    positive: Label | None = None
    """Of two labels the one that figures and `probability` are about; unset: the greater one."""
    context: Sequence[Column] = ()
    """Columns that requests may carry beside the features: told in the signature, never learned from."""
    weight: str | None = None
    """The column that says how much each row counts; no feature."""
    class_weight: Mapping[str, float] | Literal["balanced"] | None = None
    """How much the rows of each label count, by label as text."""
    monotone: Mapping[str, int] = field(default_factory=dict)
    """By feature: 1 where the answer may only rise with it, -1 where it may only fall, 0 where it may do both."""
    early_stopping: EarlyStopping | None = None
    options: Options = field(default_factory=dict)
    """What the task is told beside its name."""
    preparation: Preparation | None = None
    """What is declared of how columns are prepared; None: the usual of the estimator."""
    code: OwnCode | None = None
    """The package to run, where the framework runs a user's code."""
    on_the_way: OnTheWay | None = None
    """What judges the fit before it is done, where the framework can be asked by then; the others ignore it."""

    @property
    def names(self) -> list[str]:
        """The feature columns, in the order of the signature."""
        return [column.name for column in self.features]


@dataclass(frozen=True)
class Fitted:
    """A fitted scikit-learn pipeline (preparation, then estimator) with what is needed to prove its export."""

    recipe: Recipe
    pipeline: Any
    target: Target
    """What can be true; the pipeline learned its codes."""
    sample: "pd.DataFrame"
    """Real training rows, as requests carry them, on which the export is compared with the pipeline."""
    origins: Sequence[str | None]
    """Of each number that the estimator is given: the column whose own number it is; None where it is another one."""
    preparation: Sequence[Prepared]
    """How the columns were prepared, and what was learned of them."""
    splits: Sequence[tuple[int, float]] = ()
    """(number, threshold) of trees: rows beside them are where an export would differ first."""

    @property
    def estimator(self) -> Any:
        """The fitted estimator without its preparation."""
        return self.pipeline[-1]


@dataclass(frozen=True)
class About:
    """What a model directory tells of where it comes from."""

    run: str
    created: datetime


@dataclass(frozen=True)
class Saved:
    """What saving found out: the interface, and how far what serves is from the framework's own answer."""

    signature: Signature
    largest_difference: float
    runtime: str = "onnx"
    """What answers: a graph wherever that is exact, else the library itself."""
    remark: str | None = None
    """Why no graph answers, where none does."""
    preparation: Sequence[Prepared] = ()


class Predictor(Protocol):
    """A model that answers; the same for every framework and for ONNX."""

    @property
    def signature(self) -> Signature:
        """The columns that go in and the outputs that come out."""
        ...

    def predict(self, columns: Columns) -> dict[str, np.ndarray]:
        """The outputs that the signature names, one entry a row."""
        ...


class Framework(Protocol):
    """One model library."""

    @property
    def name(self) -> str:
        """The name in a declaration's `training.framework`."""
        ...

    def check(self, estimator: str, params: Mapping[str, Any]) -> None:
        """Raise BadEstimator where the estimator or a parameter could never be fitted."""
        ...

    def fit(self, frame: "pd.DataFrame", recipe: Recipe, progress: Progress) -> Fitted:
        """Fit the recipe on the frame's rows."""
        ...

    def save(self, fitted: Fitted, folder: Path, about: About) -> Saved:
        """Write the model directory; raise ExportRefused where nothing that can serve answers as the framework does."""
        ...

    def load(self, folder: Path) -> Predictor:
        """Read the framework's own format back, in any process, without running code from the folder."""
        ...
