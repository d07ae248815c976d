"""How columns lie in the inputs of an ONNX graph: together in a few matrices, or each in a tensor of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from headrace.contracts import Signature
from headrace.runtimes.base import BadValue, Columns
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.values import hashed, infinite_as_missing, micros, no_time, texts, words

NUMBERS, STRINGS, TIMES, HASHES = "numbers", "strings", "times", "hashes"  # the inputs of a graph that takes matrices


def words_input(place: int) -> str:
    """The input of a graph that takes the words of one text column."""
    return f"words_{place}"


@dataclass(frozen=True)
class Layout:
    """The columns of each matrix, in the order of the graph; every column is in one of them."""

    numbers: tuple[str, ...] = ()
    """What is missing is NaN."""
    strings: tuple[str, ...] = ()
    """Text; what is missing is empty."""
    type: str = "float32"
    """Of the matrix of numbers; graphs that compare numbers as exactly as they come take float64."""
    times: tuple[str, ...] = ()
    """int64, microseconds since 1970 in UTC; what is missing is the smallest number."""
    hashes: tuple[str, ...] = ()
    """int64, the CRC-32 of the text in UTF-8; -1 where it is missing."""
    words: tuple[str, ...] = ()
    """Text, a matrix for each column with the words of every row."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every column."""
        return (*self.numbers, *self.strings, *self.times, *self.hashes, *self.words)

    def one_matrix(self, names: Sequence[str]) -> np.dtype[Any] | None:
        """The type of the matrix of numbers, where it is all columns in this order; else None."""
        return np.dtype(self.type) if tuple(names) == self.numbers == self.names else None

    def feeds(self, columns: Columns, *, strict: bool = False) -> dict[str, np.ndarray]:
        """The graph's inputs from one array or list a column."""
        feeds = {}
        if self.numbers:
            feeds[NUMBERS] = self._matrix([columns[name] for name in self.numbers], strict)
        if self.strings:
            feeds[STRINGS] = np.array([texts(columns[name]) for name in self.strings], dtype=object).T
        if self.times:
            feeds[TIMES] = np.array([_times(name, columns[name], strict) for name in self.times]).T
        if self.hashes:
            feeds[HASHES] = np.array([hashed(columns[name]) for name in self.hashes]).T
        return feeds | {words_input(at): words(columns[name]) for at, name in enumerate(self.words)}

    def dumps(self) -> str:
        """As JSON, for the graph's metadata."""
        told = {name: columns for name, columns in asdict(self).items() if columns or name in (NUMBERS, STRINGS)}
        return json.dumps(told if self.type != "float32" else {k: v for k, v in told.items() if k != "type"})

    @classmethod
    def loads(cls, text: str) -> "Layout":
        """From the graph's metadata."""
        found = json.loads(text)
        kind = found.pop("type", "float32")
        return cls(**{name: tuple(columns) for name, columns in found.items()}, type=kind)

    def _matrix(self, columns: Sequence[Any], strict: bool) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = np.array(columns, dtype=self.type)
            total = np.add.reduce(matrix, axis=None)
        if not isfinite(total) and np.isinf(matrix).any():
            if strict:
                column, row = (int(at[0]) for at in np.nonzero(np.isinf(matrix)))
                raise BadValue(self.numbers[column], row, columns[column][row])
            if self.type == "float32":  # graphs of our own frameworks, which learned so
                infinite_as_missing(matrix)
        return matrix.T


def _texts(values: Any) -> np.ndarray:
    """Text, one or several elements a row."""
    given = np.asarray(values, dtype=object)
    return np.array(texts(given.ravel()), dtype=object).reshape(given.shape)


def _times(name: str, values: Any, strict: bool) -> np.ndarray:
    if strict and (at := no_time(values)) is not None:
        raise BadValue(name, at, values[at], "is no time in ISO 8601")
    return micros(values)


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
            array = _texts(values)
        else:
            with np.errstate(over="ignore"):
                array = np.array(values, dtype=kind)
        if strict and array.dtype.kind == "f" and np.isinf(array).any():
            row = int(np.nonzero(np.isinf(array))[0][0])
            raise BadValue(name, row, values[row])
        return array.reshape(-1, 1) if self.ranks[name] == 2 and array.ndim == 1 else array
