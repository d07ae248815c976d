"""Ranking: a score that puts the rows of a group in order, such as the documents that answer a query."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

from headrace.contracts import KnownColumn, Option, Options, Signature, Tensor
from headrace.tasks.base import NO_OPTIONS, Outputs, Score, Target, Task, Trivial, Watched, numbers
from headrace.tasks.binary import value_shown
from headrace.tasks.errors import BadTarget, BadTruth
from headrace.tasks.labels import Label
from headrace.tasks.ops import Ops

T = TypeVar("T")
NAME = "ranking"
SCORE = "score"  # the output, and the kind of score
QUERY = "query"
MOST = 30  # the greatest grade: a gain of 2^30 beside which no other counts, and the last one that LightGBM knows
_GRADE = re.compile(r"(0|[1-9][0-9]?)(\.0+)?")
_WORDS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class RankingTarget(Target):
    """Grades of relevance, whole numbers from 0 on, of rows that belong to the groups of a column."""

    task: ClassVar[str] = NAME
    grouped_by: str | None = None

    @property
    def options(self) -> Options:
        """The column of the groups."""
        return NO_OPTIONS if self.grouped_by is None else {QUERY: self.grouped_by}

    def outputs(self) -> list[Tensor]:
        """The score: of two rows of a group the one with the greater score comes first."""
        return [Tensor(name=SCORE, datatype="FP64", shape=[-1])]

    def answer(self, raw: T, ops: Ops[T]) -> dict[str, T]:
        """The estimator's own number."""
        return {SCORE: ops.double(ops.column(raw, 0))}

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The grades themselves."""
        try:
            found = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise BadTruth(f"what is no grade: {error}") from error
        if wrong := sorted(set(found[~_are_grades(found)].tolist())):
            raise BadTruth(f"{wrong[0]:g}, which is no grade; grades are whole numbers from 0 to {MOST}")
        return found

    def read(self, value: Any) -> float:
        """A whole number from 0 on, or the text of one; a truth value is 1 or 0."""
        if isinstance(value, str):
            found = _WORDS.get(value.lower(), float(value) if _GRADE.fullmatch(value) else -1.0)
        else:
            found = float(value) if isinstance(value, int | float) and abs(value) <= MOST else -1.0
        if not _are_grades(np.array([found]))[0]:
            raise BadTruth(f"{value_shown(value)} is no grade; grades are whole numbers from 0 to {MOST}")
        return found

    def score(self, outputs: Outputs) -> Score | None:
        """The score of each row."""
        return Score(SCORE, numbers(outputs[SCORE])) if SCORE in outputs else None

    def trivial(self, known: np.ndarray, rows: int, last: float | None) -> list[Trivial]:
        """Every row alike, which is a random order."""
        return [Trivial(np.zeros(rows), "the same score, 0, for every row: a random order")]

    def watched(self, outputs: Outputs) -> Watched | None:
        """The score."""
        return Watched("numeric", numbers(outputs[SCORE])) if SCORE in outputs else None


class Ranking(Task):
    """An order of the rows of each group."""

    name = NAME
    about = "the order of the rows of each group"
    estimators = "regressor"
    specialists = ("ranker",)
    scores = frozenset({SCORE})
    usual = ("ndcg", "ndcg_at_10", "map")
    decisive = ("ndcg", 0.995)
    pipeline_tag = "tabular-regression"
    guessed = False
    options = (
        Option(
            name=QUERY,
            about="the column whose rows of one value are put in order among themselves",
            rule={"type": "string"},
            required=True,
            names="key",
            example="query",
        ),
    )

    def grouped_by(self, options: Options) -> str | None:
        """The column of the groups."""
        return options.get(QUERY)

    def takes(self, column: KnownColumn) -> bool:
        """Only where it is asked for."""
        return False

    def doubt(self, column: KnownColumn) -> str | None:
        """It was asked for."""
        return None

    def target_problem(self, column: KnownColumn) -> str | None:
        """Text, and more different values than there are grades."""
        grades = f"a ranking learns grades, whole numbers from 0 to {MOST}"
        if column.type == "string":
            return f"{column.name!r} holds text; {grades}"
        if column.more_than(MOST + 1):
            count = column.distinct or "more different values than are counted"
            return f"{column.name!r} holds {count} different values; {grades}"
        return None

    def positive_problem(self, positive: Label, column: KnownColumn | None) -> str | None:
        """There are no labels."""
        return "is for binary; a ranking has no labels"

    def learn(
        self, values: np.ndarray, name: str, positive: Label | None, options: Options = NO_OPTIONS
    ) -> RankingTarget:
        """Grades, two different ones at least."""
        if values.dtype.kind not in "biuf" or not _are_grades(values.astype(np.float64)).all():
            raise BadTarget(f"target {name!r} holds what is no grade; grades are whole numbers from 0 to {MOST}")
        if len(np.unique(values)) == 1:
            raise BadTarget(f"target {name!r} is {values[0]!s} in every row; two grades are needed")
        return self.bare(options)

    def of(self, signature: Signature) -> RankingTarget:
        """By the column that the signature names."""
        return self.bare(signature.task_options or NO_OPTIONS)

    def bare(self, options: Options = NO_OPTIONS) -> RankingTarget:
        """By the column alone."""
        return RankingTarget(grouped_by=options.get(QUERY))

    def example(self, signal: np.ndarray) -> np.ndarray:
        """Four grades, by the height of the signal."""
        return np.clip(np.round(signal + 1.5), 0, 3).astype(np.int64)


def _are_grades(values: np.ndarray) -> np.ndarray:
    return np.asarray((values >= 0) & (values <= MOST) & (np.floor(values) == values))
