"""The operations in which PMML is evaluated: numpy runs them, and a graph is built of the same calls.

Every value is a float64 column, one entry a row. NaN is PMML's missing value. A text is the number of its word in a
vocabulary; a truth value is 1 or 0. So all of PMML's three-valued logic is arithmetic, and is written once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Forest:
    """Binary trees in arrays, all nodes of all trees; each asks: is `columns[column] <= threshold`.

    Children of a tree's node are places in the same arrays. `column` is -1 at a leaf, and `threshold` is its number.
    """

    roots: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    missing_yes: np.ndarray
    """Whether NaN goes where `yes` goes."""


class Ops(Protocol[T]):
    """Operations on T: arrays, or the names of values in a graph. A matrix is [rows, columns]."""

    @property
    def words(self) -> Sequence[str]:
        """The vocabulary, by code."""
        ...

    def number(self, value: float) -> T:
        """A constant."""
        ...

    def row(self, values: np.ndarray) -> T:
        """A constant row, for every row of a matrix."""
        ...

    def code(self, text: str) -> float:
        """The number of a text in the vocabulary."""
        ...

    def plus(self, one: T, other: T) -> T:
        """The sum."""
        ...

    def minus(self, one: T, other: T) -> T:
        """The difference."""
        ...

    def times(self, one: T, other: T) -> T:
        """The product."""
        ...

    def divided(self, one: T, other: T) -> T:
        """The quotient."""
        ...

    def power(self, one: T, other: T) -> T:
        """One to the power of the other."""
        ...

    def function(self, name: str, values: T) -> T:
        """A function of one number, by numpy's name."""
        ...

    def single(self, values: T) -> T:
        """Rounded to what float32 holds."""
        ...

    def less(self, one: T, other: T) -> T:
        """Whether one is less than the other; a condition."""
        ...

    def at_most(self, one: T, other: T) -> T:
        """Whether one is not greater than the other; a condition."""
        ...

    def same(self, one: T, other: T) -> T:
        """Whether both are equal; a condition."""
        ...

    def both(self, one: T, other: T) -> T:
        """Whether two conditions hold."""
        ...

    def either(self, one: T, other: T) -> T:
        """Whether one of two conditions holds."""
        ...

    def negate(self, condition: T) -> T:
        """Whether a condition does not hold."""
        ...

    def known(self, values: T) -> T:
        """Whether values are not missing; a condition."""
        ...

    def where(self, condition: T, yes: T, no: T) -> T:
        """`yes` where the condition holds, else `no`."""
        ...

    def flag(self, condition: T) -> T:
        """A condition as 1 and 0."""
        ...

    def stack(self, columns: Sequence[T]) -> T:
        """Columns side by side as [rows, columns]; matrices as [rows, matrices, columns]."""
        ...

    def column(self, matrix: T, place: int) -> T:
        """One column of a matrix."""
        ...

    def deep(self, matrix: T, place: int) -> T:
        """Of [rows, matrices, columns] one column of each matrix."""
        ...

    def upright(self, column: T) -> T:
        """A column as [rows, 1], to be combined with a matrix."""
        ...

    def product(self, matrix: T, weights: np.ndarray) -> T:
        """The matrix product with constant weights."""
        ...

    def take(self, table: np.ndarray, places: T) -> T:
        """The entries, or rows, of a constant table at whole places that are all within it."""
        ...

    def total(self, matrix: T) -> T:
        """The sum along the second dimension."""
        ...

    def greatest(self, matrix: T) -> T:
        """The greatest of every row; missing where one is missing."""
        ...

    def first(self, matrix: T) -> T:
        """The place of the first of the greatest values of every row, none of them missing."""
        ...

    def ranked(self, matrix: T, count: int) -> T:
        """The places of the `count` greatest values of every row, the greatest first; equal ones in their order."""
        ...

    def sorted(self, matrix: T) -> T:
        """Every row in ascending order, none of it missing."""
        ...

    def leaves(self, columns: Sequence[T], forest: Forest) -> T:
        """The number of the leaf that a row reaches, for each tree, as [rows, trees]."""
        ...

    def each(self, reason: str, function: Callable[..., float], *columns: T) -> T:
        """Any function of numbers, row by row; `reason` says why a graph has no such operation."""
        ...

    def spelled(
        self, reason: str, function: Callable[..., str | float | None], *columns: T, texts: Sequence[bool]
    ) -> T:
        """Any function of texts and numbers, row by row: texts become words, None becomes missing."""
        ...

    def only_arrays(self, reason: str) -> None:
        """Say that what follows is exact on arrays alone."""
        ...
