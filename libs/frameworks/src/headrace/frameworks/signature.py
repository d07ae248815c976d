"""What a fitted model takes and gives, as tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from headrace.contracts import Column, Signature, Tensor
from headrace.contracts.signatures import labels_of
from headrace.frameworks.base import Recipe
from headrace.frameworks.labels import Labels

_DATATYPES = {"boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES"}


def signature_of(recipe: Recipe, labels: Labels | None, outputs: Mapping[str, np.ndarray]) -> Signature:
    """One input a feature with the column's own type, any number of rows; one output an answer, with its labels."""
    return Signature(
        inputs=[_input(feature) for feature in recipe.features],
        outputs=[
            Tensor(name=name, datatype=_datatype(values), shape=[-1], **_about(name, labels))
            for name, values in outputs.items()
        ],
        context=list(recipe.context) or None,
    )


def labels_in(signature: Signature) -> Labels | None:
    """The labels that a signature names; None for a regressor."""
    found = labels_of(signature)
    return Labels(*found) if found else None


def _input(feature: Column) -> Tensor:
    return Tensor(name=feature.name, datatype=_DATATYPES[feature.type], shape=[-1], nullable=feature.nullable)


def _about(output: str, labels: Labels | None) -> dict[str, Any]:
    """The labels that the answer is one of, and the one that a probability is of."""
    if labels is None:
        return {}
    return {"labels": labels.ordered} if output == "label" else {"label": labels.positive}


def _datatype(values: np.ndarray) -> str:
    return {"b": "BOOL", "i": "INT64", "f": "FP64"}.get(values.dtype.kind, "BYTES")
