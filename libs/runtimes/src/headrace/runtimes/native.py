"""What the runtimes of model libraries share: where no ONNX graph is exact, the library's own model answers.

Such a directory has three parts: `preparation.onnx` makes one matrix of the rows, the library's own file answers for
it, and `outputs.onnx` makes the outputs of the task of that answer. So preparation and outputs are what they are for a
whole graph, whatever the library.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from headrace.contracts import Signature, Tensor
from headrace.runtimes.base import Columns
from headrace.runtimes.errors import BadModel
from headrace.runtimes.onnx import OnnxModel

PREPARATION, OUTPUTS = "preparation.onnx", "outputs.onnx"
PREPARED, RAW = "prepared", "raw"
"""The one output of the first graph, float32 in [rows, columns]; the one input of the second, float64 in [rows, n]."""

Answering = Callable[[np.ndarray], np.ndarray]
"""From the prepared matrix to probabilities by code, or one column of numbers; asked by any number of threads."""


class NativeModel:
    """A library's model between two graphs."""

    def __init__(
        self, platform: str, signature: Signature, before: OnnxModel, own: Answering, after: OnnxModel
    ) -> None:
        self.platform = platform
        self.signature = signature
        self.matrix = before.matrix
        self.memory_bytes = 0
        self._before, self._own, self._after = before, own, after

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs by name, one entry a row."""
        return self._answered(self._before.answer(columns, strict=strict))

    def answer_matrix(self, matrix: np.ndarray) -> Mapping[str, np.ndarray]:
        """The same for rows that lie in one matrix already."""
        return self._answered(self._before.answer_matrix(matrix))

    def close(self) -> None:
        """Give back both graphs and the library's model."""
        self._before.close()
        self._after.close()
        del self._own

    def _answered(self, prepared: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return self._after.answer({RAW: as_matrix(self._own(prepared[PREPARED]))})


class Native(ABC):
    """Loads a directory of these three parts."""

    name: ClassVar[str]
    """The name in the model directory's description, and of the extra that brings the library."""
    platform: ClassVar[str]
    file: ClassVar[str]
    """The library's own file."""

    @abstractmethod
    def read(self, path: Path, signature: Signature) -> Answering:
        """The library's model; raises ImportError where the library is not installed, anything for a damaged file."""

    def load(self, folder: Path, signature: Signature) -> NativeModel:
        """Load all three parts; raises BadModel."""
        before = _graph(folder / PREPARATION, _between(signature, signature.inputs, [_tensor(PREPARED, "FP32")]))
        after = _graph(folder / OUTPUTS, _between(signature, [_tensor(RAW, "FP64")], signature.outputs))
        model = NativeModel(self.platform, signature, before, self._read(folder, signature), after)
        model.memory_bytes = sum((folder / name).stat().st_size for name in (PREPARATION, OUTPUTS, self.file))
        return model

    def _read(self, folder: Path, signature: Signature) -> Answering:
        try:
            return self.read(folder / self.file, signature)
        except ImportError as error:
            raise BadModel(
                f"{folder.name} is answered by {self.name}, which is not installed here ({error}); "
                f"install headrace-runtimes[{self.name}]"
            ) from error
        except Exception as error:  # the libraries' own errors have no common base
            raise BadModel(f"{folder.name}/{self.file} cannot be loaded: {error}") from error


def as_matrix(raw: np.ndarray) -> np.ndarray:
    """A library's answer as the second graph takes it."""
    found = np.asarray(raw, dtype=np.float64)
    return found[:, None] if found.ndim == 1 else found


def both_classes(probability: np.ndarray) -> np.ndarray:
    """Of two classes, where a library gives the second one's probability alone."""
    return np.column_stack([1 - probability, probability]) if probability.ndim == 1 else probability


def classifies(signature: Signature) -> bool:
    """Whether the outputs are labels."""
    return any(tensor.labels for tensor in signature.outputs)


def _graph(path: Path, signature: Signature) -> OnnxModel:
    try:
        return OnnxModel(path.read_bytes(), signature)
    except (OSError, KeyError, ValueError) as error:
        raise BadModel(f"{path.parent.name}/{path.name} is no graph of this model: {error}") from error


def _between(signature: Signature, inputs: list[Tensor], outputs: list[Tensor]) -> Signature:
    return Signature(task=signature.task, inputs=inputs, outputs=outputs)


def _tensor(name: str, datatype: str) -> Tensor:
    return Tensor(name=name, datatype=datatype, shape=[-1, -1])
