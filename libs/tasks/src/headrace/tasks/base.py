"""What a task is, and what it knows of one model: how truth is encoded, and how answers are read."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import Kind, KnownColumn, MetricInfo, Option, Options, Signature, Tensor
from headrace.contracts.errors import Place
from headrace.contracts.estimators import EstimatorKind
from headrace.contracts.options import filled_options, option_columns
from headrace.tasks.errors import BadTruth
from headrace.tasks.labels import Label
from headrace.tasks.ops import Ops
from headrace.tasks.score import APART, Score, group_codes

T = TypeVar("T")
ROUNDING = 1e-4  # a forest of 100 trees sums to 1.0000007 in float32; what an export may differ by at most
Outputs = Mapping[str, Any]
"""One array or list for each output, one entry a row; None and NaN both stand for a missing value."""
NO_OPTIONS: Options = MappingProxyType({})
"""What a task is told that has no options."""


@dataclass(frozen=True)
class Trivial:
    """An answer that needs no model, for some rows."""

    score: np.ndarray
    """The values of a score, as the model's own have them."""
    words: str
    """What it is, with its value."""


@dataclass(frozen=True)
class Watched:
    """The one column of answers that drift looks at."""

    kind: Kind
    values: np.ndarray
    """[rows]: numbers, or texts that name categories; NaN or None where there is no answer."""


class Target(ABC):
    """What can be true for one model: its labels, or numbers. Made by a task, of data or of a signature."""

    task: ClassVar[str]
    """The task's name."""
    labels: tuple[Label, ...] = ()
    """By code, where answers are labels."""
    positive: Label | None = None
    """Of two labels the one that figures and `probability` are about."""
    exact: frozenset[str] = frozenset()
    """Outputs that an exported model must give exactly as the fitted one does; others may differ as float32 does."""

    levels: tuple[float, ...] = ()
    """Quantiles, each of which an estimator of its own learns; none where one estimator learns the target."""
    by_name: bool = False
    """Whether its models give all outputs under their names, since there is no raw answer that they follow from."""
    judged_by: str | None = None
    """What computes its metrics, in words, where that is code of a user; nobody but the trainer runs it."""
    grouped_by: str | None = None
    """The column whose rows of one value are judged together; it comes beside the features, and is a key."""

    def inputs(self) -> list[Tensor]:
        """The input tensors, where they are declared; none where each feature is one."""
        return []

    def asked_by(self, inputs: Sequence[Tensor]) -> list[str]:
        """The columns of a dataset that a request for its rows is made of."""
        return [tensor.name for tensor in inputs]

    def requested(self, inputs: Sequence[Tensor], columns: Mapping[str, Any]) -> dict[str, Any]:
        """A request for rows of a dataset, of these columns."""
        return {tensor.name: columns[tensor.name] for tensor in inputs}

    def columns_in(self, request: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        """The columns of a dataset that a logged request holds, which drift looks at; a list each."""
        return request

    @property
    def options(self) -> Options:
        """What the task was told for this model; the signature tells it on."""
        return NO_OPTIONS

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns beside the answers that judging them takes."""
        return () if self.grouped_by is None else (self.grouped_by,)

    @property
    def width(self) -> int:
        """The columns of an estimator's raw answer."""
        return len(self.labels) or len(self.levels) or 1

    # what the model gives

    @abstractmethod
    def outputs(self) -> list[Tensor]:
        """The output tensors."""

    @abstractmethod
    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """The outputs, of an estimator's raw answer: a matrix of probabilities by code, or a column for each level."""

    def unsure(self, outputs: Outputs) -> np.ndarray:
        """The rows whose exact outputs float32 cannot tell apart from others."""
        return np.zeros(len(next(iter(outputs.values()))), dtype=bool)

    # truth

    @abstractmethod
    def encode(self, values: np.ndarray) -> np.ndarray:
        """The truth of typed rows as metrics take it, in [rows], float64; raises BadTruth."""

    @abstractmethod
    def read(self, value: Any) -> float:
        """One reported truth, encoded; raises BadTruth that says what would be one."""

    def truths(self, values: Iterable[Any]) -> np.ndarray:
        """Reported values, encoded; NaN for what is missing, or no truth of this model."""
        seen: dict[tuple[type, Any], float] = {}
        return np.array([self._truth(value, seen) for value in values], dtype=np.float64)

    def _truth(self, value: Any, seen: dict[tuple[type, Any], float]) -> float:
        if value is None or isinstance(value, list | dict):
            return math.nan
        key = (type(value), value)
        if key not in seen:
            try:
                seen[key] = self.read(value)
            except BadTruth:
                seen[key] = math.nan
        return seen[key]

    def tells(self, truth: np.ndarray) -> bool:
        """Whether these rows can say anything of the model's quality."""
        return len(truth) > 0

    def remarks(self, truth: np.ndarray) -> Iterator[str]:
        """What the author should know of the rows that judge the model."""
        yield from ()

    # answers

    @abstractmethod
    def score(self, outputs: Outputs) -> Score | None:
        """Answers as metrics take them, without groups; None where the outputs have none."""

    def judged(self, outputs: Outputs, beside: Mapping[str, Any]) -> Score | None:
        """The same with the groups; `beside` has the columns of `Target.beside`, as far as they are known."""
        score = self.score(outputs)
        if score is None or self.grouped_by is None:
            return score
        named = beside.get(self.grouped_by)
        groups = np.full(len(score.values), APART) if named is None else group_codes(named)
        return replace(score, groups=groups)

    def aligned(self, other: "Target", score: np.ndarray) -> np.ndarray:
        """The score of another model in the terms of this one; raises BadTruth where they cannot be compared."""
        if type(other) is not type(self):
            raise BadTruth(f"it answers as {other.task}, not as {self.task}")
        return score

    @abstractmethod
    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """The answers that need no model, of truth that could be learned; `last` is the newest one, ordered by time."""

    def trivial_beside(self, outputs: Outputs) -> list[Trivial]:
        """The answers that need no model and come with the model's own, a value a row."""
        return []

    @abstractmethod
    def watched(self, outputs: Outputs) -> Watched | None:
        """What drift looks at; None where the outputs do not have it."""

    def outcomes(self, outputs: Outputs) -> Mapping[Label, np.ndarray]:
        """What fairness looks at: for each label of interest 1 where it was the answer and 0 where not, in [rows]."""
        return {}


class Task(ABC):
    """What a model predicts; the same for every model of the task."""

    name: ClassVar[str]
    about: ClassVar[str]
    """What is predicted, in a few words."""
    estimators: ClassVar[EstimatorKind]
    """The kind of estimator that fits it; every framework has one of it."""
    specialists: ClassVar[Sequence[EstimatorKind]] = ()
    """Kinds that are made for it: where a framework has one of them, that is its usual one."""
    scores: ClassVar[frozenset[str]]
    """The kinds of score that its models give; metrics that judge one of them are its metrics."""
    usual: ClassVar[Sequence[str]]
    """The metrics that are computed where none are declared; the first one is that of the default gates."""
    decisive: ClassVar[tuple[str, float] | None]
    """A metric and the value from which on one feature alone is suspiciously good; None where nobody can tell."""
    trivial: ClassVar[bool] = True
    """Whether there are answers that need no model."""
    own_metrics: ClassVar[bool] = False
    """Whether its metrics are functions that a declaration brings."""
    pipeline_tag: ClassVar[str]
    """The name of the task on model cards, in Hugging Face's words."""
    options: ClassVar[Sequence[Option]] = ()
    """What a declaration can tell it beside its name, in `task_options`."""
    framed_by: ClassVar[str | None] = None
    """The runtime that shapes rows for its estimator, and answers; None where rows are learned as they are."""
    guessed: ClassVar[bool] = True
    """Whether it may be meant where a declaration names neither it nor its options."""

    @property
    def kinds(self) -> tuple[EstimatorKind, ...]:
        """Every kind of estimator that fits it, the usual ones first."""
        return (*self.specialists, self.estimators)

    @property
    def learned_as(self) -> str:
        """The task that its estimator learns: itself, but where its rows are shaped first."""
        return self.name

    # declarations

    @abstractmethod
    def takes(self, column: KnownColumn) -> bool:
        """Whether a target calls for this task where none is declared."""

    @abstractmethod
    def doubt(self, column: KnownColumn) -> str | None:
        """Why the task was taken, and when another one is right, where `takes` may be wrong."""

    @abstractmethod
    def target_problem(self, column: KnownColumn) -> str | None:
        """Why a column cannot be the target."""

    @abstractmethod
    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """Why a label cannot be declared as the positive one."""

    def metrics_in(self, options: Mapping[str, Any]) -> Sequence[MetricInfo]:
        """The metrics that options declare, in their order; of a document that was not checked those that are whole."""
        return ()

    def metrics_package(self, options: Options) -> str | None:
        """The package that has these functions, where options name one."""
        return None

    def option_problems(self, options: Options) -> Iterator[tuple[Place | str, str]]:
        """What is wrong with good values of options that do not go together: the option's name or place, and why."""
        yield from ()

    def grouped_by(self, options: Options) -> str | None:
        """The column whose rows of one value are held out, judged and resampled together; None where none are."""
        return None

    def keys(self, options: Options) -> list[str]:
        """The columns that tell rows apart: a request carries them beside the features, and no model learns them."""
        return [column for _, column in option_columns(options, self, "key")]

    def surprises(self, column: KnownColumn) -> Iterator[str]:
        """What is legal in a target, but may surprise."""
        yield from ()

    # models

    @abstractmethod
    def learn(self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS) -> Target:
        """The target of a model that learns these values, none of them missing; raises BadTarget."""

    @abstractmethod
    def of(self, signature: Signature) -> Target:
        """The target of a model with this signature."""

    @abstractmethod
    def bare(self, options: Options = NO_OPTIONS) -> Target:
        """The target of a model of which nothing but the task and what it is told is known."""

    @abstractmethod
    def example(self, signal: np.ndarray) -> np.ndarray:
        """A target that can be learned from a standard normal signal: for trials and tests."""

    def example_options(self) -> Options:
        """Options for such a target, filled in; a key that they name is a column whose rows are few for each value."""
        return filled_options({each.name: each.example for each in self.options if each.required}, self)


def numbers(values: Any) -> np.ndarray:
    """A column of an answer as float64; NaN for what is no number."""
    found = np.asarray(values)
    if found.dtype.kind in "iuf":
        return found.astype(np.float64)
    return np.array([_number(value) for value in found.tolist()], dtype=np.float64)


def matrix(values: Any, width: int) -> np.ndarray:
    """A column of rows of numbers as [rows, width]; a row of NaN where it is none."""
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == width:
        return values.astype(np.float64)
    rows = [
        row if isinstance(row, list | tuple | np.ndarray) and len(row) == width else [None] * width for row in values
    ]
    return np.array([[_number(value) for value in row] for row in rows], dtype=np.float64).reshape(len(rows), width)


def probabilities(values: np.ndarray) -> np.ndarray:
    """The same between 0 and 1; NaN for what is no probability, rounding of float32 sums apart."""
    inside = np.clip(values, 0.0, 1.0)
    return np.where(np.abs(values - inside) <= ROUNDING, inside, np.nan)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
