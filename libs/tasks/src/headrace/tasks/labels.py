"""Labels as tasks handle them: their codes, their type in arrays and tensors, and their text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from headrace.contracts import Signature
from headrace.contracts.labels import Label, match_label, named_labels

__all__ = ["FOREIGN", "Label", "codes", "datatype", "label_array", "labels_in", "match_label", "named_labels", "text"]
FOREIGN = -1  # the code of a value that is none of the labels
_DATATYPES: Mapping[type, str] = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}


def label_array(labels: Sequence[Label]) -> np.ndarray:
    """By code, as numpy and ONNX know them: bool, int64, float64, or objects that are strings."""
    return np.array(list(labels), dtype=object if isinstance(labels[0], str) else None)


def datatype(labels: Sequence[Label]) -> str:
    """The datatype of a tensor of these labels."""
    return _DATATYPES.get(type(labels[0]), "BYTES")


def codes(values: Iterable[Any], labels: Sequence[Label]) -> np.ndarray:
    """The place of each value of a typed column among the labels; FOREIGN for anything else."""
    places = {label: place for place, label in enumerate(labels)}
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return np.array([places.get(value, FOREIGN) for value in listed], dtype=np.int64)


def labels_in(signature: Signature, name: str = "label") -> Sequence[Label]:
    """The labels that an output names, by code; none where there is no such output, or it names none."""
    return next((tensor.labels for tensor in signature.outputs if tensor.name == name and tensor.labels), ())


def text(label: Label) -> str:
    """A label as a category: text as it is, everything else as JSON writes it."""
    return label if isinstance(label, str) else json.dumps(label)
