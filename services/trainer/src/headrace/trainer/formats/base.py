"""What a format is: it recognizes an artifact, and reads it as something that can be saved as a model directory."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from headrace.contracts import Column, Options
from headrace.contracts.labels import Label

if TYPE_CHECKING:  # both are for workers, and heavy
    import onnx
    import pandas as pd

Own = Callable[["pd.DataFrame"], np.ndarray]
"""The raw answer of the artifact's own library for rows with the dataset's columns: [rows, labels] or [rows, 1]."""


class BadArtifact(ValueError):
    """What was imported cannot be served, or does not fit the data; the message says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """What the model is to do with which columns: as declared, and as who imports it says."""

    task: str
    target: str
    columns: Mapping[str, Column]
    """The columns of the dataset that the model may take, in the order of the declaration's features."""
    dataset: str
    order: Sequence[str] | None = None
    """The columns in the artifact's order, where who imports says so."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """For an output of the task the artifact's own name of it."""
    options: Options = field(default_factory=dict)
    """What the task is told beside its name."""

    @property
    def classifies(self) -> bool:
        """Whether the answers are labels."""
        from headrace.tasks import task_named

        return task_named(self.task).estimators == "classifier"

    @property
    def by_name(self) -> bool:
        """Whether the artifact itself must give the outputs of the task, under their names."""
        from headrace.tasks import task_named

        return task_named(self.task).bare(self.options).by_name


@dataclass(frozen=True)
class Inputs:
    """How columns go into a graph: in the matrices of `headrace.runtimes.layout`, or each in a tensor of its own."""

    columns: Sequence[Column]
    datatypes: Mapping[str, str] | None = None
    """Of tensors that come apart, the graph's own datatype of each; None where they lie in the matrices."""


@dataclass(frozen=True)
class Given:
    """What the data say while an artifact becomes a model directory, and what who imports it says of them."""

    known: Sequence[Label]
    """The values of the target."""
    rows: "pd.DataFrame"
    """Rows of the test data, on which what serves is compared with the artifact itself; one at least."""
    about: Mapping[str, str]
    """The `run`, and when it was `created`."""
    labels: Sequence[Label] | None = None
    """The labels in the artifact's order."""
    positive: Label | None = None
    context: Sequence[Column] = ()
    """Columns that requests may carry beside those that the artifact takes."""


@dataclass(frozen=True)
class Equality:
    """How far what serves is from the artifact's own library; nothing is compared where the artifact itself serves."""

    largest_difference: float | None = None
    rows: int = 0
    differing: int = 0
    """Rows on which they differ by more than rounding allows, because float32 moved a value over a threshold."""


@dataclass(frozen=True)
class Saved:
    """What came of saving an artifact."""

    equality: Equality
    remarks: Sequence[str] = ()
    """What who imports it should know of how it is served."""


@dataclass(frozen=True, kw_only=True)
class Artifact(ABC):
    """What a format has read."""

    framework: str | None = None
    estimator: str | None = None
    producer: str | None = None
    gives_tensors: ClassVar[bool] = False
    """Whether it gives tensors of any name, datatype and shape."""

    @property
    @abstractmethod
    def columns(self) -> Sequence[Column]:
        """The columns of the dataset that it takes, in its order."""

    @abstractmethod
    def save(self, folder: Path, wanted: Wanted, given: Given) -> Saved:
        """Write its model directory, and compare what serves with it; raises BadArtifact."""


@dataclass(frozen=True, kw_only=True)
class GraphArtifact(Artifact):
    """An artifact as a graph."""

    graph: "onnx.ModelProto"
    """Takes `inputs`, and computes `raw`; what it gives is decided by the task."""
    inputs: Inputs
    raw: str
    """The value in the graph that is its raw answer: probabilities of `labels`, that of the last one, or numbers."""
    own: Own
    rounded: Own | None = None
    """The same of a model whose thresholds float32 holds, from which the graph was made; None where it is `own`."""
    labels: Sequence[Label] | None = None
    """What the raw answer's columns stand for, where the artifact says so."""
    label: str | None = None
    """The value in the graph that is the artifact's own label, where it has one."""
    own_label: Own | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What the model directory has beside the graph."""
    flavors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The MLflow flavors of these files."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that the graph takes."""
        return self.inputs.columns

    def save(self, folder: Path, wanted: Wanted, given: Given) -> Saved:
        """Write a directory for the runtime `onnx`."""
        from headrace.trainer.formats.graphs import save_graph  # for workers, and heavy

        return save_graph(self, folder, wanted, given)


class Format(Protocol):
    """One kind of artifact."""

    def found(self, folder: Path) -> Path | None:
        """The file of such an artifact in a folder, by a look at its beginning; None where it is another one."""
        ...

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> Artifact:
        """The artifact; raises BadArtifact.

        `names` are its columns in order, where somebody beside the file knows them.
        """
        ...


def only_file(folder: Path) -> Path | None:
    """The one file of a folder, where there is nothing else."""
    there = list(folder.iterdir())
    return there[0] if len(there) == 1 and there[0].is_file() else None


def beginning(path: Path, size: int) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)


def assigned(names: Sequence[str], wanted: Wanted, what: str) -> list[Column]:
    """The columns for inputs that have names: as it was said, by their names, or in the order of the features.

    Names such as `Column_0` or `f0`, which libraries give to columns without names, say nothing.
    """
    if wanted.order is not None:
        return _taken(_as_many(wanted.order, len(names), what, wanted), what, wanted)
    if all(name in wanted.columns for name in names) and len(set(names)) == len(names):
        return [wanted.columns[name] for name in names]
    if all(_is_number(name) for name in names):
        return in_order(len(names), wanted, what)
    return _taken(names, what, wanted)


def in_order(count: int, wanted: Wanted, what: str) -> list[Column]:
    """The columns for inputs without names: as it was said, or in the order of the declaration's features."""
    order = list(wanted.columns) if wanted.order is None else wanted.order
    return _taken(_as_many(order, count, what, wanted), what, wanted)


def _as_many(names: Sequence[str], count: int, what: str, wanted: Wanted) -> Sequence[str]:
    if len(names) == count:
        return names
    said = "columns says" if wanted.order is not None else "the declaration has"
    raise BadArtifact(
        f"{what} takes {count} columns, and {said} {len(names)} ({', '.join(names)}); name those that it takes, in "
        "its order, with --columns"
    )


def _taken(names: Sequence[str], what: str, wanted: Wanted) -> list[Column]:
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise BadArtifact(f"{what} takes {', '.join(twice)} twice")
    if wanted.target in names:
        raise BadArtifact(f"{what} takes {wanted.target!r}, which is the target; a model cannot be told its answer")
    if missing := [name for name in names if name not in wanted.columns]:
        raise BadArtifact(
            f"{what} takes {', '.join(map(repr, missing))}, which is no feature of the declaration in dataset "
            f"{wanted.dataset}; its features are {', '.join(wanted.columns)}. Name the columns in the artifact's order "
            "with --columns, or change data.features, data.ignore or data.context"
        )
    return [wanted.columns[name] for name in names]


def _is_number(name: str) -> bool:
    """Whether a name is a place: `f0`, `x1`, `Column_2`, `2`."""
    return re.fullmatch(r"(f|x|X|v|V|Column|column|feature|input)?_?\d+", name) is not None
