"""What a step is: it learns figures from a block of columns, and writes its transformation as nodes of a graph.

What the nodes make of the training rows is what the estimator learns from, so no step is written twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from headrace.contracts.preparation import StepInfo
from headrace.frameworks.preparation.nodes import Nodes, Value


@dataclass(frozen=True)
class About:
    """What a step may look at beside its columns."""

    target: np.ndarray
    """What is learned: the code of a label, or a number, for each row."""
    labels: int
    """How many labels there are; 0 where numbers are learned."""
    seed: int


@dataclass(frozen=True)
class Learned:
    """What a step has learned of a block of columns."""

    write: Callable[[Nodes, Value], Value]
    """Writes its nodes behind a matrix of these columns."""
    figures: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """What people are shown of it: for each figure one value a column."""
    made: Sequence[tuple[int, str]] | None = None
    """Of each column that it makes: from which one, and what that adds to its name; None: each column stays one."""
    training: np.ndarray | None = None
    """What the estimator learns from in place of what the nodes make of the training rows."""


Fit = Callable[[np.ndarray, Mapping[str, Any], About], Learned]
"""Learns from a block, [rows, columns], with all parameters; numbers are float32 or float64, text is object."""


@dataclass(frozen=True)
class Step:
    """One step: what declarations are judged by, and how it learns."""

    info: StepInfo
    fit: Fit
    gaps: Literal["keeps", "closes", "opens"] = "keeps"
    """What becomes of missing values: numbers behind it miss where they missed before, never, or here for the first."""
    keeps: bool = False
    """Whether a number that is not missing stays as it is."""
    codes: bool = False
    """Whether it makes whole numbers of texts that libraries may take for categories."""
    source: Literal["strings", "hashes", "words"] = "strings"
    """What it reads of a text column: the text, its hash, or its words."""
