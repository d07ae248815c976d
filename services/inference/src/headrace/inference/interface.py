"""What one version takes: its signature, compiled once, so that a request is checked and laid out in microseconds.

A row comes as one tensor a column, or all rows as one matrix in the order of the signature. Where the runtime takes
one matrix of all inputs, the commonest request is laid out as one right away.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headrace.contracts import KEY_COLUMN, Column, Signature
from headrace.contracts import Tensor as Declared
from headrace.inference.tensors import MISSING, BadInput, Given, Values, shown
from headrace.runtimes.datatypes import NUMPY
from headrace.runtimes.values import TIME_FORMAT, no_time

_DATATYPES = {"boolean": "BOOL", "integer": "INT64", "number": "FP64"}
_KINDS = {"BOOL": "boolean", "BYTES": "string"}
_NUMBERS = frozenset({float, int})


@dataclass(frozen=True, slots=True)
class Field:
    """One column that the model takes."""

    name: str
    datatype: str
    kind: str
    """boolean, integer, number, string or timestamp"""
    nullable: bool
    shape: tuple[int, ...] = ()
    """Of a row, where that is a tensor with axes of its own."""

    @classmethod
    def of(cls, declared: Declared) -> "Field":
        """From the signature. A tensor that does not say is taken as nullable: the model imputes."""
        integer = "INT" in declared.datatype
        kind = _KINDS.get(declared.datatype, "integer" if integer else "number")
        kind = "timestamp" if declared.format == TIME_FORMAT else kind
        shape = tuple(declared.shape[1:])
        return cls(declared.name, declared.datatype, kind, declared.nullable is not False, shape)

    @classmethod
    def of_context(cls, column: Column) -> "Field":
        """A context column; it may always be missing. Times come as text."""
        datatype = _DATATYPES.get(column.type, "BYTES")
        kind = column.type if datatype != "BYTES" else "string"
        return cls(column.name, datatype, kind, nullable=True)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a request, checked."""

    count: int
    columns: Mapping[str, Values]
    matrix: np.ndarray | None = None
    """All inputs as the model takes them, where the request came as one matrix of them."""
    context: Mapping[str, Values] | None = None
    """Columns that are logged and never reach the model."""
    keys: Sequence[str | None] | None = None
    """The caller's own key of each row."""


_KEYS = Field(KEY_COLUMN, "BYTES", "string", nullable=True)


class Interface:
    """A compiled signature."""

    def __init__(self, signature: Signature, matrix: np.dtype[Any] | None, *, ignore_unknown: bool = False) -> None:
        """`matrix` is the type of one matrix of all inputs, in their order, where the model takes that."""
        self.signature = signature
        self.fields = {tensor.name: Field.of(tensor) for tensor in signature.inputs}
        self.context = {column.name: Field.of_context(column) for column in signature.context or ()}
        self.names = tuple(self.fields)
        self.ignore_unknown = ignore_unknown
        self.outputs = {tensor.name: tensor.datatype for tensor in signature.outputs}
        self.about = {tensor.name: _about(tensor) for tensor in signature.outputs}
        """What each output is about, for the metadata: which labels there are, of which one a probability is."""
        self.named = {each.name: self.about[each.name] for each in signature.outputs if _is_of_labels(each)}
        """What an answer says with its outputs: of which label a probability is, or each column of probabilities."""
        self.heads = {name: _head(name, kind, self.named.get(name)) for name, kind in self.outputs.items()}
        """What an output of an answer begins with."""
        self._matrix = matrix
        self._largest = 0.0 if matrix is None or matrix.kind != "f" else float(np.finfo(matrix).max)
        self._shaped = any(field.shape for field in self.fields.values())
        self._plain = self._largest > 0 and all(field.kind == "number" for field in self.fields.values())

    # rows

    def rows(self, given: Sequence[Given]) -> Rows:
        """Check the tensors of a request; raises BadInput naming the input and what would be right."""
        features, context = self._parted(given)
        if len(features) == 1 and not self._shaped and self._is_matrix(features[0]):
            rows = self._from_matrix(features[0])
        else:
            rows = self._from_columns({tensor.name: tensor for tensor in features})
        return self._with_context(rows, context) if context else rows

    def known(self, names: Iterable[str]) -> frozenset[str]:
        """Those of some names that are inputs or context; raises BadInput where others are not to be ignored."""
        beside = {*self.context, KEY_COLUMN}
        unknown = [name for name in names if name not in self.fields and name not in beside]
        if unknown and not self.ignore_unknown:
            self._refuse_names([*self.names, *unknown])
        return frozenset(names) - frozenset(unknown)

    def field(self, name: str) -> Field:
        """An input, a context column, or the callers' own keys."""
        return _KEYS if name == KEY_COLUMN else self.fields.get(name) or self.context[name]

    def one_row(self, data: list[Any]) -> Rows | None:
        """The shortest way for the commonest request, one row of plain numbers; None where it needs a closer look."""
        if not self._plain or len(data) != len(self.names):
            return None
        if not set(map(type, data)) <= _NUMBERS or not (min(data) > -self._largest and max(data) < self._largest):
            return None
        columns = dict(zip(self.names, [[value] for value in data], strict=True))
        return Rows(1, columns, np.array([data], dtype=self._matrix))

    def checked(self, rows: Rows) -> Rows:
        """Rows that were checked for another version, for this one; raises BadInput where the columns differ."""
        if rows.columns.keys() != self.fields.keys():
            raise BadInput(f"this version takes {_listed(self.names)}, the rows have {_listed(list(rows.columns))}")
        fits = rows.matrix is not None and rows.matrix.dtype == self._matrix and tuple(rows.columns) == self.names
        return Rows(rows.count, rows.columns, rows.matrix if fits else None, rows.context)

    def example(self) -> Rows:
        """A row that any version with this signature must be able to answer; warms it up."""
        values = {"string": "", "boolean": False, "integer": 0, "number": 0.0, "timestamp": "1970-01-01T00:00:00Z"}
        plain = {name: [values[field.kind]] for name, field in self.fields.items() if not field.shape}
        shaped = {name: _example(field, values[field.kind]) for name, field in self.fields.items() if field.shape}
        return Rows(1, {name: (plain | shaped)[name] for name in self.names})

    # one matrix

    def _is_matrix(self, tensor: Given) -> bool:
        if len(tensor.shape) != 2 or (tensor.name in self.fields and tensor.shape[1] == 1):
            return False
        if tensor.shape[1] != len(self.names):
            raise BadInput(
                f"input {tensor.name!r}: a matrix has one column for each of the {len(self.names)} features "
                f"({_listed(self.names)}), not {tensor.shape[1]}"
            )
        return True

    def _from_matrix(self, tensor: Given) -> Rows:
        rows, width = tensor.shape
        _check_count(tensor.name, rows)
        values = tensor.values
        columns = {name: values[at::width] for at, name in enumerate(self.names)}
        for name, column in columns.items():
            self._check(
                self.fields[name], Given(name, tensor.datatype, (rows,), column), place=f"{tensor.name!r}, column "
            )
        return Rows(rows, columns)

    # one tensor a column

    def _parted(self, given: Sequence[Given]) -> tuple[Sequence[Given], Sequence[Given]]:
        """What the model takes, and what is only logged."""
        _check_distinct(given)
        if not self.context and not self.ignore_unknown:
            return given, ()
        context = [tensor for tensor in given if tensor.name in self.context and tensor.name not in self.fields]
        rest = [tensor for tensor in given if tensor.name not in self.context or tensor.name in self.fields]
        if self.ignore_unknown and (len(rest) != 1 or rest[0].name in self.fields):
            rest = [tensor for tensor in rest if tensor.name in self.fields]
        return rest, context

    def _with_context(self, rows: Rows, context: Sequence[Given]) -> Rows:
        for tensor in context:
            if _count(tensor, rows.count) != rows.count:
                raise BadInput(f"input {tensor.name!r}: {tensor.shape[0]} rows, but the inputs have {rows.count}")
            self._check(self.context[tensor.name], tensor)
        return replace(rows, context={tensor.name: tensor.values for tensor in context})

    def _from_columns(self, given: dict[str, Given]) -> Rows:
        if given.keys() != self.fields.keys():
            self._refuse_names(given)
        count = -1
        columns: dict[str, Values] = {}
        for name, declared in self.fields.items():
            tensor = given[name]
            count = _count(tensor, count, declared.shape)
            self._check(declared, tensor)
            columns[name] = _as_rows(declared, tensor) if declared.shape else tensor.values
        return Rows(count, columns)

    def _refuse_names(self, given: Collection[str]) -> None:
        missing = [name for name in self.names if name not in given]
        extra = [name for name in given if name not in self.fields]
        faults = []
        if missing:
            faults.append(f"missing {'input' if len(missing) == 1 else 'inputs'} {_listed(missing)}")
        if extra:
            faults.append(f"unknown {'input' if len(extra) == 1 else 'inputs'} {_listed(extra)}")
        beside = f"; beside them {_listed(list(self.context))} may be sent" if self.context else ""
        matrix = "" if self._shaped else ", or one matrix of all"
        raise BadInput(f"{'; '.join(faults)}; the model takes {_listed(self.names)}{matrix}{beside}")

    # values

    def _check(self, field: Field, tensor: Given, place: str = "") -> None:
        if (field.datatype == "BYTES") != (tensor.datatype == "BYTES") and not _all_missing(tensor.values):
            raise BadInput(
                f"input {place}{field.name!r}: datatype is {tensor.datatype}; the column takes {field.datatype}"
            )
        if isinstance(tensor.values, np.ndarray):
            _check_array(field, tensor.values, place)
        else:
            _check_list(field, tensor.values, place)


def _head(output: str, datatype: str, named: Mapping[str, Any] | None) -> dict[str, Any]:
    head = {"name": output, "datatype": datatype}
    return {**head, "parameters": named} if named else head


def _about(output: Declared) -> dict[str, Any]:
    labels = {} if output.labels is None else {"labels": list(output.labels)}
    return labels if output.label is None else {**labels, "label": output.label}


def _is_of_labels(output: Declared) -> bool:
    """Whether numbers mean nothing without the label, or the labels, that they are about."""
    return output.label is not None or (output.labels is not None and len(output.shape) > 1)


def _all_missing(values: Values) -> bool:
    """Whether there is nothing to tell a datatype by: clients that derive it from the values then guess."""
    return isinstance(values, list) and values.count(None) == len(values)


def _check_list(field: Field, values: list[Any], place: str) -> None:
    kinds = set(map(type, values))
    if MISSING in kinds and not field.nullable:
        raise BadInput(_no_null(field, values.index(None), place))
    if field.kind == "integer" and float in kinds:
        _refuse_first(field, values, lambda v: type(v) is float and not v.is_integer(), "whole numbers", place)
    if field.kind == "timestamp" and (at := no_time(values)) is not None:
        raise BadInput(
            f"input {place}{field.name!r}: element {at} is {shown(values[at])}; the column takes times in ISO 8601, "
            "such as 2026-02-28T23:59:59Z, without an offset in UTC"
        )
    if field.kind == "boolean" and kinds - {bool, MISSING}:
        _refuse_first(field, values, lambda v: v is not None and v not in (0, 1), "true, false, 0 or 1", place)


def _check_array(field: Field, values: np.ndarray, place: str) -> None:
    if values.dtype.kind == "f":
        _check_floats(field, values, place)
    if field.kind == "boolean" and values.dtype.kind != "b":
        _check_truths(field, values, place)


def _check_truths(field: Field, values: np.ndarray, place: str) -> None:
    if not (np.isin(values, (0, 1)) | (values != values)).all():
        _refuse_first(field, values.tolist(), lambda v: v == v and v not in (0, 1), "true, false, 0 or 1", place)


def _check_floats(field: Field, values: np.ndarray, place: str) -> None:
    missing = np.isnan(values)
    if not field.nullable and missing.any():
        raise BadInput(_no_null(field, int(missing.argmax()), place))
    if field.kind == "integer" and not (missing | (values == np.round(values))).all():
        _refuse_first(field, values.tolist(), lambda v: not float(v).is_integer(), "whole numbers", place)


def _refuse_first(field: Field, values: list[Any], bad: Any, takes: str, place: str) -> None:
    for at, value in enumerate(values):
        if bad(value):
            raise BadInput(f"input {place}{field.name!r}: element {at} is {value!r}; the column takes {takes}")


def _no_null(field: Field, at: int, place: str) -> str:
    return f"input {place}{field.name!r}: element {at} is missing (null or NaN); the contract says it is never missing"


def _as_rows(field: Field, tensor: Given) -> np.ndarray:
    """Flat values as [rows, ...], with the model's datatype; raises BadInput where they do not fit it."""
    kind = NUMPY.get(field.datatype, np.dtype(object))
    try:
        with np.errstate(over="ignore"):
            return np.array(tensor.values, dtype=kind).reshape(tensor.shape)
    except (OverflowError, ValueError, TypeError) as error:
        raise BadInput(f"input {field.name!r}: its values are no {field.datatype}: {error}") from error


def _example(field: Field, value: Any) -> np.ndarray:
    return np.full((1, *field.shape), value, dtype=NUMPY.get(field.datatype, np.dtype(object)))


def _count(tensor: Given, expected: int, row: tuple[int, ...] = ()) -> int:
    shape = tensor.shape
    if row:
        if shape[1:] != row:
            raise BadInput(f"input {tensor.name!r}: shape {list(shape)}; the model takes {[-1, *row]}")
    elif len(shape) != 1 and not (len(shape) == 2 and shape[1] == 1):
        raise BadInput(f"input {tensor.name!r}: shape {list(shape)}; a column has shape [rows] or [rows, 1]")
    _check_count(tensor.name, shape[0])
    if expected not in (-1, shape[0]):
        raise BadInput(f"input {tensor.name!r}: {shape[0]} rows, but the inputs before it have {expected}")
    return shape[0]


def _check_count(name: str, rows: int) -> None:
    if rows < 1:
        raise BadInput(f"input {name!r}: no rows; send at least one")


def _check_distinct(given: Sequence[Given]) -> None:
    seen: set[str] = set()
    for tensor in given:
        if tensor.name in seen:
            raise BadInput(f"input {tensor.name!r} is given twice")
        seen.add(tensor.name)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
