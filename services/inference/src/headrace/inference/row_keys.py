"""The caller's own key of each row: the number of an order, say, by which truth is reported later.

One row names it as `parameters.key`; any number of rows as the input `headrace:key`, one value a row. No column of
anybody's data can have that name.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from headrace.contracts import KEY_COLUMN
from headrace.inference.interface import Rows
from headrace.inference.tensors import BadInput, Given, kind, shown

PARAMETER = "key"
LONGEST = 200  # characters
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # what no database or log keeps


def parted(given: Sequence[Given]) -> tuple[Sequence[Given], Given | None]:
    """The tensors of a request without the one that holds keys, and that one; raises BadInput where it comes twice."""
    found = [tensor for tensor in given if tensor.name == KEY_COLUMN]
    if not found:
        return given, None
    if len(found) > 1:
        raise BadInput(f"input {KEY_COLUMN!r} is given twice")
    return [tensor for tensor in given if tensor.name != KEY_COLUMN], found[0]


def keyed(rows: Rows, tensor: Given | None, parameter: Any) -> Rows:
    """The rows with their keys; raises BadInput that says how many are needed, and what is none."""
    if tensor is None and parameter is None:
        return rows
    if tensor is None:
        if rows.count != 1:
            raise BadInput(f"parameters.key is the key of one row, the inputs have {rows.count}; send {KEY_COLUMN!r}")
        return replace(rows, keys=[key_of(parameter, "parameters.key")])
    if parameter is not None:
        raise BadInput(f"parameters.key and the input {KEY_COLUMN!r} exclude each other")
    if tensor.shape not in ((rows.count,), (rows.count, 1)):
        raise BadInput(f"input {KEY_COLUMN!r}: shape {list(tensor.shape)}, but the inputs have {rows.count} rows")
    values = tensor.values.tolist() if isinstance(tensor.values, np.ndarray) else tensor.values
    keys = [
        None if each is None else key_of(each, f"input {KEY_COLUMN!r}: element {at}") for at, each in enumerate(values)
    ]
    return replace(rows, keys=keys)


def key_of(value: Any, place: str) -> str:
    """A key as text; whole numbers are written in digits."""
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise BadInput(f"{place} must be a string or a whole number, not {kind(value)}")
    if not 0 < len(value) <= LONGEST or _CONTROL.search(value):
        raise BadInput(
            f"{place} is {shown(value)}; a key has 1 to {LONGEST} characters, none of them a control character"
        )
    return value
