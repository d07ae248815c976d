"""MLflow's scoring protocol: its requests as V2 documents, its answers from our outputs.

`dataframe_split | dataframe_records | instances | inputs` as JSON, or CSV with a header.
"""

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from headrace.contracts import KEY_COLUMN
from headrace.contracts.rows import columns_of
from headrace.inference.interface import Field, Interface
from headrace.inference.protocol import json_of
from headrace.inference.tensors import BadInput, kind, shown

Columns = dict[str, list[Any]]


def document_of(body: bytes, content_type: bytes, interface: Interface) -> dict[str, Any]:
    """The request as a V2 document, one input a column."""
    read = _csv if content_type.partition(b";")[0].strip().lower() == b"text/csv" else _json
    columns = read(body, interface)
    if not columns or not all(len(values) for values in columns.values()):
        raise BadInput("no rows; send at least one")
    known = interface.known(columns)
    return {"inputs": [_input(interface.field(name), values) for name, values in columns.items() if name in known]}


def answer(outputs: Mapping[str, np.ndarray], interface: Interface) -> dict[str, Any]:
    """Plain values of a single output, records of several; and of which label a probability is."""
    if len(outputs) == 1:
        (values,) = outputs.values()
        return {"predictions": values.tolist()}
    columns = [values.tolist() for values in outputs.values()]
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
    return {"predictions": rows, **({"parameters": interface.named} if interface.named else {})}


def _input(field: Field, values: list[Any]) -> dict[str, Any]:
    if field.name == KEY_COLUMN:  # an order's number may be a number there
        values = [str(each) if type(each) is int else each for each in values]
    return {"name": field.name, "shape": [len(values), *field.shape], "datatype": field.datatype, "data": values}


def _json(body: bytes, interface: Interface) -> Columns:
    document = json_of(body)
    given = [name for name in _FORMS if type(document) is dict and name in document]
    if len(given) != 1:
        raise BadInput(f"the body must be an object with exactly one of {', '.join(_FORMS)}")
    return _FORMS[given[0]](document[given[0]], interface)


def _split(value: Any, interface: Interface) -> Columns:
    if type(value) is not dict or type(value.get("data")) is not list:
        raise BadInput("dataframe_split must be {columns, data}")
    names = value.get("columns")
    if names is None:
        names = list(interface.names)
    if type(names) is not list or not all(type(name) in (str, int) for name in names):
        raise BadInput(f"dataframe_split.columns must be an array of names, not {shown(names)}")
    return _of_rows("dataframe_split.data", [str(name) for name in names], value["data"])


def _records(value: Any, interface: Interface) -> Columns:
    if type(value) is not list or not all(type(row) is dict for row in value):
        raise BadInput("dataframe_records must be an array of objects")
    names = dict.fromkeys(name for row in value for name in row)
    for at, row in enumerate(value):
        if len(row) != len(names):
            missing = ", ".join(repr(name) for name in names if name not in row)
            raise BadInput(f"row {at} has no {missing}; a missing value is null")
    return {name: [row[name] for row in value] for name in names}


def _instances(value: Any, interface: Interface) -> Columns:
    if type(value) is list and value and type(value[0]) is dict:
        return _records(value, interface)
    if type(value) is not list:
        raise BadInput(f"instances must be an array of rows, not {kind(value)}")
    return _of_rows("instances", list(interface.names), value)


def _inputs(value: Any, interface: Interface) -> Columns:
    if type(value) is not dict:
        return _instances(value, interface)
    for name, values in value.items():
        if type(values) is not list:
            raise BadInput(f"inputs.{name} must be an array with one value a row, not {kind(values)}")
    return dict(value)


def _of_rows(place: str, names: Sequence[str], rows: Sequence[Any]) -> Columns:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise BadInput(f"column {twice[0]!r} is given twice")
    for at, row in enumerate(rows):
        if type(row) is not list or len(row) != len(names):
            found = f"{len(row)} values" if type(row) is list else kind(row)
            raise BadInput(f"{place}[{at}] has {found}; a row has {len(names)}: {', '.join(names)}")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _csv(body: bytes, interface: Interface) -> Columns:
    kinds = {field.name: field.kind for field in (*interface.context.values(), *interface.fields.values())}
    try:
        return columns_of(io.StringIO(body.decode("utf-8-sig"), newline=""), kinds)
    except (UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"the body is no CSV in UTF-8 that this model takes: {error}") from None


_FORMS: Mapping[str, Callable[[Any, Interface], Columns]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}
