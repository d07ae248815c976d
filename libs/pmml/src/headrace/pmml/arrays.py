"""The operations of PMML on numpy arrays."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headrace.pmml.ops import Forest


class ArrayOps:
    """Runs operations on batches of so many rows, with a vocabulary of its own. See headrace.pmml.ops.Ops."""

    def __init__(self, rows: int, words: Sequence[str] = ()) -> None:
        self.rows = rows
        self.words = list(words)
        self._codes = {word: code for code, word in enumerate(words)}

    def number(self, value: float) -> np.ndarray:
        """A constant."""
        return np.asarray(value, dtype=np.float64)

    def row(self, values: np.ndarray) -> np.ndarray:
        """A constant row."""
        return values[None].astype(np.float64)

    def code(self, text: str) -> float:
        """The number of a word, new or known."""
        if text not in self._codes:
            self._codes[text] = len(self.words)
            self.words.append(text)
        return float(self._codes[text])

    def encoded(self, values: Any) -> np.ndarray:
        """A column of texts as the numbers of its words; None, NaN and the empty text are missing."""
        return np.array([self._encoded(value) for value in values], dtype=np.float64)

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        """The texts again; the empty text for what is missing."""
        texts = ["" if code != code else self.words[int(code)] for code in self.full(codes).tolist()]
        return np.array(texts, dtype=object)

    def full(self, values: np.ndarray) -> np.ndarray:
        """One entry for every row, of constants too."""
        return np.broadcast_to(values, (self.rows,))

    def plus(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The sum."""
        return np.asarray(one + other)

    def minus(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The difference."""
        return np.asarray(one - other)

    def times(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The product."""
        return np.asarray(one * other)

    def divided(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The quotient."""
        return np.asarray(one / other)

    def power(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """One to the power of the other."""
        return np.asarray(np.power(one, other))

    def function(self, name: str, values: np.ndarray) -> np.ndarray:
        """A function by numpy's name."""
        return np.asarray(getattr(np, name)(values))

    def single(self, values: np.ndarray) -> np.ndarray:
        """Rounded to float32."""
        return np.asarray(values, dtype=np.float32).astype(np.float64)

    def less(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Whether one is less."""
        return np.asarray(one < other)

    def at_most(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Whether one is not greater."""
        return np.asarray(one <= other)

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Whether both are equal."""
        return np.asarray(one == other)

    def both(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """And."""
        return np.asarray(one & other)

    def either(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Or."""
        return np.asarray(one | other)

    def negate(self, condition: np.ndarray) -> np.ndarray:
        """Not."""
        return np.asarray(~condition)

    def known(self, values: np.ndarray) -> np.ndarray:
        """Whether values are not NaN."""
        return np.asarray(~np.isnan(values))

    def where(self, condition: np.ndarray, yes: np.ndarray, no: np.ndarray) -> np.ndarray:
        """`yes` where the condition holds, else `no`."""
        return np.where(condition, yes, no)

    def flag(self, condition: np.ndarray) -> np.ndarray:
        """1 and 0."""
        return np.asarray(condition, dtype=np.float64)

    def stack(self, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Side by side."""
        inner = max((each.shape[1:] for each in columns), key=len)
        return np.stack([np.broadcast_to(each, (self.rows, *inner)) for each in columns], axis=1)

    def column(self, matrix: np.ndarray, place: int) -> np.ndarray:
        """One column."""
        return np.asarray(matrix[:, place])

    def deep(self, matrix: np.ndarray, place: int) -> np.ndarray:
        """One column of each matrix."""
        return np.asarray(matrix[:, :, place])

    def upright(self, column: np.ndarray) -> np.ndarray:
        """[rows, 1]."""
        return self.full(column)[:, None]

    def product(self, matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The matrix product, each row by itself: a row's answer must not depend on its neighbours."""
        return np.asarray(matrix @ weights)

    def take(self, table: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Entries of a table."""
        return np.asarray(table[np.asarray(places).astype(np.int64)])

    def total(self, matrix: np.ndarray) -> np.ndarray:
        """The sum of every row."""
        return np.asarray(matrix.sum(axis=1))

    def greatest(self, matrix: np.ndarray) -> np.ndarray:
        """The greatest of every row."""
        return np.asarray(matrix.max(axis=1))

    def first(self, matrix: np.ndarray) -> np.ndarray:
        """The place of the greatest."""
        return np.asarray(matrix.argmax(axis=1).astype(np.float64))

    def ranked(self, matrix: np.ndarray, count: int) -> np.ndarray:
        """The places of the greatest."""
        return np.asarray(np.argsort(-matrix, axis=1, kind="stable")[:, :count].astype(np.float64))

    def sorted(self, matrix: np.ndarray) -> np.ndarray:
        """In ascending order."""
        return np.asarray(np.sort(matrix, axis=1))

    def leaves(self, columns: Sequence[np.ndarray], forest: Forest) -> np.ndarray:
        """All rows step down all trees together, until none moves."""
        matrix = self.stack(columns) if columns else np.zeros((self.rows, 0))
        at = np.tile(forest.roots, (self.rows, 1))
        rows, trees = np.nonzero(forest.column[at] >= 0)
        while len(rows):
            node = at[rows, trees]
            value = matrix[rows, forest.column[node]]
            yes = np.where(np.isnan(value), forest.missing_yes[node], value <= forest.threshold[node])
            following = np.where(yes, forest.yes[node], forest.no[node])
            at[rows, trees] = following
            moving = forest.column[following] >= 0
            rows, trees = rows[moving], trees[moving]
        return np.asarray(forest.threshold[at])

    def each(self, reason: str, function: Callable[..., float], *columns: np.ndarray) -> np.ndarray:
        """Row by row; missing where an argument is missing."""
        rows = zip(*(self.full(column).tolist() for column in columns), strict=True)
        return np.array([math.nan if any(v != v for v in row) else function(*row) for row in rows], dtype=np.float64)

    def spelled(
        self, reason: str, function: Callable[..., str | float | None], *columns: np.ndarray, texts: Sequence[bool]
    ) -> np.ndarray:
        """Row by row; missing where an argument is missing."""
        known = [self.full(column).tolist() for column in columns]
        rows = zip(*known, strict=True)
        return np.array([self._spelled(function, row, texts) for row in rows], dtype=np.float64)

    def only_arrays(self, reason: str) -> None:
        """These are arrays."""

    def _encoded(self, value: Any) -> float:
        if value is None or value != value or value == "":
            return math.nan
        return self.code(value if type(value) is str else str(value))

    def _spelled(
        self, function: Callable[..., str | float | None], row: Sequence[float], texts: Sequence[bool]
    ) -> float:
        if any(value != value for value in row):
            return math.nan
        found = function(*(self.words[int(v)] if text else v for v, text in zip(row, texts, strict=True)))
        if found is None:
            return math.nan
        return self.code(found) if isinstance(found, str) else float(found)
