"""What libraries of trees share: a graph of one matrix, in which words are codes, as a graph of columns."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper

from headrace.contracts import Column
from headrace.trainer.formats.base import BadArtifact
from headrace.trainer.formats.surgery import Surgeon

Categories = Mapping[str, Sequence[str | int | float]]
"""Of a column of categories its values by code."""
UNKNOWN = -1.0  # the code of a value that is none of them: no set of a split holds it
ML = "ai.onnx.ml"
_ML_OPSET, _OPSET = 3, 15
_MATRIX = "features"


def as_codes(rows: pd.DataFrame, columns: Sequence[Column], categories: Categories, *, gap: float) -> np.ndarray:
    """The columns as a library takes them, float64; an unknown category is a `gap`."""
    return np.column_stack([_codes(rows[column.name], categories.get(column.name), gap) for column in columns])


def _codes(values: pd.Series, known: Sequence[str | int | float] | None, gap: float) -> np.ndarray:
    if known is None:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    places = {category: float(code) for code, category in enumerate(known)}
    return values.map(places).fillna(gap).to_numpy(dtype=np.float64)


def must_hold_numbers(columns: Sequence[Column], categories: Categories, what: str) -> None:
    """Raise BadArtifact where a text column is none of categories."""
    for column in columns:
        if column.type == "string" and column.name not in categories:
            raise BadArtifact(f"column {column.name!r} holds text, and {what} takes a number there")


def by_columns(model: onnx.ModelProto, columns: Sequence[Column], categories: Categories) -> onnx.ModelProto:
    """A graph whose one input is `features`, with an input for each column, and categories as codes within it."""
    _raise_opsets(model)
    if not categories:
        return model
    surgeon = Surgeon(model, "by_column_")
    del model.graph.input[:]
    parts = []
    for column in columns:
        kind = TensorProto.STRING if column.type == "string" else TensorProto.FLOAT
        model.graph.input.append(helper.make_tensor_value_info(column.name, kind, [None, 1]))
        known = categories.get(column.name)
        parts.append(column.name if known is None else surgeon.node("LabelEncoder", [column.name], ML, **_table(known)))
    surgeon.renamed(surgeon.node("Concat", parts, axis=1), _MATRIX)
    surgeon.before()
    return model


def _table(known: Sequence[str | int | float]) -> dict[str, object]:
    codes = {"values_floats": [float(code) for code in range(len(known))], "default_float": UNKNOWN}
    if all(isinstance(each, str) for each in known):
        return {"keys_strings": list(known), **codes}
    return {"keys_floats": [float(each) for each in known], **codes}


def _raise_opsets(model: onnx.ModelProto) -> None:
    """Operators of trees mean the same since the first version; tables of words came with the second."""
    least = {"": _OPSET, ML: _ML_OPSET}
    there = {each.domain: each for each in model.opset_import}
    for domain, version in least.items():
        if domain not in there:
            model.opset_import.append(helper.make_opsetid(domain, version))
        elif domain == ML:
            there[domain].version = max(version, there[domain].version)
