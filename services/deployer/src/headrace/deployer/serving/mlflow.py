"""MLflow's scoring protocol: its requests as V2 documents, its answers from our outputs.

`dataframe_split | dataframe_records | instances | inputs` as JSON, or CSV with a header.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from headrace.deployer.serving.interface import Field, Interface
from headrace.deployer.serving.tensors import BadInput, kind

Columns = dict[str, list[Any]]


def document_of(body: bytes, content_type: bytes, interface: Interface) -> dict[str, Any]:
    """The request as a V2 document, one input a column."""
    read = _csv if content_type.startswith(b"text/csv") else _json
    columns = read(body, interface)
    if not columns or not all(len(values) for values in columns.values()):
        raise BadInput("no rows; send at least one")
    return {"inputs": [_input(name, values, interface.fields.get(name)) for name, values in columns.items()]}


def answer(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Plain values of a single output, records of several."""
    if len(outputs) == 1:
        (values,) = outputs.values()
        return {"predictions": values.tolist()}
    columns = [values.tolist() for values in outputs.values()]
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]}


def _input(name: str, values: list[Any], field: Field | None) -> dict[str, Any]:
    datatype = field.datatype if field else "BYTES"
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def _json(body: bytes, interface: Interface) -> Columns:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is not JSON: {error}") from None
    given = [name for name in _FORMS if type(document) is dict and name in document]
    if len(given) != 1:
        raise BadInput(f"the body must be an object with exactly one of {', '.join(_FORMS)}")
    return _FORMS[given[0]](document[given[0]], interface)


def _split(value: Any, interface: Interface) -> Columns:
    if type(value) is not dict or type(value.get("data")) is not list:
        raise BadInput("dataframe_split must be {columns, data}")
    names = value.get("columns") or list(interface.names)
    return _of_rows("dataframe_split.data", names, value["data"])


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
    for at, row in enumerate(rows):
        if type(row) is not list or len(row) != len(names):
            found = f"{len(row)} values" if type(row) is list else kind(row)
            raise BadInput(f"{place}[{at}] has {found}; a row has {len(names)}: {', '.join(map(str, names))}")
    return {str(name): [row[at] for row in rows] for at, name in enumerate(names)}


def _csv(body: bytes, interface: Interface) -> Columns:
    try:
        rows = list(csv.reader(io.StringIO(body.decode("utf-8"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"the body is no CSV in UTF-8: {error}") from None
    if not rows:
        raise BadInput("the CSV is empty; its first line names the columns")
    columns = _of_rows("line", rows[0], rows[1:])
    return {name: _typed(name, values, interface.fields.get(name)) for name, values in columns.items()}


def _typed(name: str, values: list[str], field: Field | None) -> list[Any]:
    if field is None or field.kind == "string":
        return [value or None for value in values]
    read: Callable[[str], Any] = _boolean if field.kind == "boolean" else float
    try:
        return [read(value) if value else None for value in values]
    except ValueError as error:
        raise BadInput(f"column {name!r}: {error}; it takes {field.datatype}") from None


def _boolean(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is neither true nor false")
    return known[text.lower()]


_FORMS: Mapping[str, Callable[[Any, Interface], Columns]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}
