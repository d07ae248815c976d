"""The few operations that turn an estimator's raw answer into the outputs of a task.

A task writes its answer once, in these operations. numpy runs them for the framework's own model; an exporter turns
the same calls into nodes of an ONNX graph (`headrace.frameworks.export`), so that both cannot mean different things.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

from headrace.tasks.labels import Label, label_array

T = TypeVar("T")


class Ops(Protocol[T]):
    """Operations on T: arrays, or the names of values in a graph. A matrix is [rows, columns]."""

    def number(self, value: float) -> T:
        """A constant."""
        ...

    def double(self, values: T) -> T:
        """The same values as float64."""
        ...

    def column(self, matrix: T, place: int) -> T:
        """One column of a matrix."""
        ...

    def minus(self, one: T, other: T) -> T:
        """The difference; [rows, 1] and [rows, columns] are combined row by row."""
        ...

    def magnitude(self, values: T) -> T:
        """Absolute values."""
        ...

    def less(self, one: T, other: T) -> T:
        """Whether one is less than the other, as truth values."""
        ...

    def where(self, condition: T, yes: T, no: T) -> T:
        """`yes` where the condition holds, else `no`."""
        ...

    def greatest(self, matrix: T) -> T:
        """The greatest value of every row, as [rows, 1]."""
        ...

    def ascending(self, matrix: T, columns: int) -> T:
        """Every row of a matrix of so many columns in rising order."""
        ...

    def whole(self, condition: T) -> T:
        """Truth values as 0 and 1, int64."""
        ...

    def first(self, condition: T) -> T:
        """The place of the first true value of every row of a matrix, int64."""
        ...

    def pick(self, places: T, labels: Sequence[Label]) -> T:
        """The labels at some places, with their own type."""
        ...


class NumpyOps:
    """The operations on arrays."""

    def number(self, value: float) -> np.ndarray:
        """A constant."""
        return np.float64(value)  # type: ignore[return-value]

    def double(self, values: np.ndarray) -> np.ndarray:
        """The same values as float64."""
        return np.asarray(values, dtype=np.float64)

    def column(self, matrix: np.ndarray, place: int) -> np.ndarray:
        """One column of a matrix."""
        return np.asarray(matrix[:, place])

    def minus(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The difference."""
        return np.asarray(one - other)

    def magnitude(self, values: np.ndarray) -> np.ndarray:
        """Absolute values."""
        return np.asarray(np.abs(values))

    def less(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Whether one is less than the other."""
        return np.asarray(one < other)

    def where(self, condition: np.ndarray, yes: np.ndarray, no: np.ndarray) -> np.ndarray:
        """`yes` where the condition holds, else `no`."""
        return np.where(condition, yes, no)

    def greatest(self, matrix: np.ndarray) -> np.ndarray:
        """The greatest value of every row, as [rows, 1]."""
        return np.asarray(np.max(matrix, axis=1, keepdims=True))

    def ascending(self, matrix: np.ndarray, columns: int) -> np.ndarray:
        """Every row in rising order."""
        return np.sort(matrix, axis=1)

    def whole(self, condition: np.ndarray) -> np.ndarray:
        """Truth values as 0 and 1."""
        return condition.astype(np.int64)

    def first(self, condition: np.ndarray) -> np.ndarray:
        """The place of the first true value of every row."""
        return np.asarray(np.argmax(condition, axis=1))

    def pick(self, places: np.ndarray, labels: Sequence[Label]) -> np.ndarray:
        """The labels at some places."""
        return np.asarray(label_array(labels)[places])


NUMPY = NumpyOps()
