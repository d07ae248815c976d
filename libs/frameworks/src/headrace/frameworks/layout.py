"""How columns lie in the two inputs of an ONNX graph: one float32 matrix, one string matrix."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Columns = Mapping[str, Any]
"""One array or list per column name; None and NaN both stand for a missing value."""


@dataclass(frozen=True)
class Layout:
    """The columns of each block, in the order of the graph."""

    numbers: tuple[str, ...]
    strings: tuple[str, ...]

    def feeds(self, columns: Columns) -> dict[str, np.ndarray]:
        """The graph's inputs from one array or list a column."""
        feeds = {}
        if self.numbers:
            feeds["numbers"] = np.array([columns[name] for name in self.numbers], dtype=np.float32).T
        if self.strings:
            feeds["strings"] = np.array([_known(columns[name]) for name in self.strings], dtype=object).T
        return feeds

    def dumps(self) -> str:
        """As JSON, for the graph's metadata."""
        return json.dumps({"numbers": self.numbers, "strings": self.strings})

    @classmethod
    def loads(cls, text: str) -> "Layout":
        """From the graph's metadata."""
        found = json.loads(text)
        return cls(numbers=tuple(found["numbers"]), strings=tuple(found["strings"]))


def _known(values: Any) -> list[str]:
    return [value if type(value) is str else _text(value) for value in values]


def _text(value: Any) -> str:
    """A missing value, None or NaN (the only one unequal to itself), is the empty string."""
    return "" if value is None or value != value else str(value)
