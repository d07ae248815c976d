"""What a runtime is: it loads a model directory, and what it has loaded answers batches of named columns."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from headrace.contracts import Signature

if TYPE_CHECKING:  # it stands on this module
    from headrace.runtimes.forecast.framing import Framing

Columns = Mapping[str, Any]
"""One array or list per input of the signature, by name; None and NaN both stand for a missing value."""


class BadValue(ValueError):
    """A value that the artifact cannot hold; names the input, the row and the value."""

    def __init__(self, name: str, row: int, value: Any, why: str = "is too large for the model") -> None:
        super().__init__(f"input {name!r}: element {row} ({value}) {why}")


class Model(Protocol):
    """An artifact in memory. It answers in any number of threads at once."""

    @property
    def signature(self) -> Signature:
        """The inputs that it takes and the outputs that it gives, as tensors with names, datatypes and shapes."""
        ...

    @property
    def platform(self) -> str:
        """What answers, as the metadata of the Open Inference Protocol V2 name it."""
        ...

    @property
    def memory_bytes(self) -> int:
        """About how much memory it holds."""
        ...

    @property
    def matrix(self) -> np.dtype[Any] | None:
        """The type of one matrix of all inputs that `answer_matrix` takes; None where inputs must come apart."""
        ...

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name, one entry a row; inputs that the signature does not name are ignored.

        With `strict`, a number that is too large for the artifact raises BadValue; else it counts as missing.
        """
        ...

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """The same for rows that lie in one matrix already, its columns in the order of the signature.

        This is the way of a server that counts microseconds.
        """
        ...

    def close(self) -> None:
        """Give back what it holds; nobody asks it afterwards."""
        ...


@runtime_checkable
class OutOfProcess(Protocol):
    """What a model has as well that answers in processes of its own: `answer` then waits, and may raise Unavailable."""

    @property
    def slots(self) -> int:
        """How many batches it answers at a time; more wait."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it answers nobody now; None where it does, or soon will."""
        ...


@runtime_checkable
class Framed(Protocol):
    """What a model has as well whose answer to a row depends on the other rows of its request."""

    @property
    def framing(self) -> "Framing":
        """How it is asked about the rows of a dataset."""
        ...


class Runtime(Protocol):
    """One way in which artifacts answer."""

    @property
    def name(self) -> str:
        """The name in the model directory's description."""
        ...

    def load(self, folder: Path, signature: Signature) -> Model:
        """Load the artifact of a model directory; raise BadModel where it cannot be loaded, or is not as described."""
        ...
