"""How columns lie in the inputs of an ONNX graph: together in two matrices, or each in a tensor of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from headrace.contracts import Signature
from headrace.runtimes.base import BadValue, Columns
from headrace.runtimes.datatypes import NUMPY

NUMBERS, STRINGS = "numbers", "strings"  # the inputs of a graph that takes matrices


@dataclass(frozen=True)
class Layout:
    """One matrix of numbers and one of strings: the columns of each, in the order of the graph."""

    numbers: tuple[str, ...]
    strings: tuple[str, ...]
    type: str = "float32"
    """Of the matrix of numbers; graphs that compare numbers as exactly as they come take float64."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every column."""
        return (*self.numbers, *self.strings)

    def one_matrix(self, names: Sequence[str]) -> np.dtype[Any] | None:
        """The type of the matrix of numbers, where it is all columns in this order; else None."""
        return np.dtype(self.type) if tuple(names) == self.numbers and not self.strings else None

    def feeds(self, columns: Columns, *, strict: bool = False) -> dict[str, np.ndarray]:
        """The graph's inputs from one array or list a column."""
        feeds = {}
        if self.numbers:
            feeds[NUMBERS] = self._matrix([columns[name] for name in self.numbers], strict)
        if self.strings:
            feeds[STRINGS] = np.array([_known(columns[name]) for name in self.strings], dtype=object).T
        return feeds

    def dumps(self) -> str:
        """As JSON, for the graph's metadata."""
        told = {"numbers": self.numbers, "strings": self.strings}
        return json.dumps(told if self.type == "float32" else {**told, "type": self.type})

    @classmethod
    def loads(cls, text: str) -> "Layout":
        """From the graph's metadata."""
        found = json.loads(text)
        return cls(tuple(found["numbers"]), tuple(found["strings"]), found.get("type", "float32"))

    def _matrix(self, columns: Sequence[Any], strict: bool) -> np.ndarray:
        with np.errstate(over="ignore"):
            matrix = np.array(columns, dtype=self.type)
        if strict and not isfinite(np.add.reduce(matrix, axis=None)) and np.isinf(matrix).any():
            column, row = (int(at[0]) for at in np.nonzero(np.isinf(matrix)))
            raise BadValue(self.numbers[column], row, columns[column][row])
        return matrix.T


@dataclass(frozen=True)
class Apart:
    """One tensor an input, by the signature's datatypes; `ranks` says whether a column is [rows] or [rows, 1]."""

    datatypes: Mapping[str, str]
    ranks: Mapping[str, int]

    @classmethod
    def of(cls, signature: Signature, ranks: Mapping[str, int]) -> "Apart":
        """By what the signature says, and the number of dimensions of each of the graph's inputs."""
        return cls({tensor.name: tensor.datatype for tensor in signature.inputs}, ranks)

    @property
    def names(self) -> tuple[str, ...]:
        """Every input of the graph."""
        return tuple(self.ranks)

    def one_matrix(self, names: Sequence[str]) -> np.dtype[Any] | None:
        """None: inputs come apart."""
        return None

    def feeds(self, columns: Columns, *, strict: bool = False) -> dict[str, np.ndarray]:
        """The graph's inputs from one array or list an input."""
        return {name: self._tensor(name, columns[name], strict) for name in self.ranks}

    def _tensor(self, name: str, values: Any, strict: bool) -> np.ndarray:
        kind = NUMPY.get(self.datatypes[name])
        if kind is None:
            array = np.array(_known(values), dtype=object)
        else:
            with np.errstate(over="ignore"):
                array = np.array(values, dtype=kind)
        if strict and array.dtype.kind == "f" and np.isinf(array).any():
            row = int(np.nonzero(np.isinf(array))[0][0])
            raise BadValue(name, row, values[row])
        return array.reshape(-1, 1) if self.ranks[name] == 2 and array.ndim == 1 else array


def _known(values: Any) -> list[str]:
    return [value if type(value) is str else _text(value) for value in values]


def _text(value: Any) -> str:
    """A missing value, None or NaN (the only one unequal to itself), is the empty string."""
    return "" if value is None or value != value else str(value)
