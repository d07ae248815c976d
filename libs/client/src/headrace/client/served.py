"""What a served model takes and answers, as its replica tells it: rows and truths are read by it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from headrace.client.errors import HeadraceError
from headrace.contracts import KEY_COLUMN
from headrace.contracts.cells import BOOLEAN, INTEGER, NUMBER, STRING
from headrace.contracts.rows import kind_of

Document = dict[str, Any]
LABEL = "label"
_LABELS: Mapping[type, str] = {bool: BOOLEAN, int: INTEGER, float: NUMBER, str: STRING}


@dataclass(frozen=True)
class Served:
    """The columns that a model takes (`inputs`) and logs (`context`) with their datatypes, and its labels."""

    model: str
    inputs: Mapping[str, str]
    context: Mapping[str, str] = field(default_factory=dict)
    required: Collection[str] = ()
    """Inputs that are never missing."""
    labels: Sequence[Any] = ()
    """Of a classifier: its labels, typed."""
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Of inputs with several elements a row: the shape of a row."""
    answers: str = "FP64"
    """Datatype of the answer that a truth is compared with."""

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Self:
        """From `GET /v2/models/{model}`."""
        inputs, outputs = metadata["inputs"], metadata["outputs"]
        context = (metadata.get("parameters") or {}).get("context", ())
        label = next((each for each in outputs if each["name"] == LABEL), outputs[0])
        return cls(
            model=metadata["name"],
            inputs={each["name"]: each["datatype"] for each in inputs},
            context={each["name"]: each["datatype"] for each in context},
            required=frozenset(each["name"] for each in inputs if _told(each).get("nullable") is False),
            labels=_told(label).get("labels", ()),
            shapes={each["name"]: each["shape"][1:] for each in inputs if len(each["shape"]) > 1},
            answers=label["datatype"],
        )

    @property
    def datatypes(self) -> Mapping[str, str]:
        """Of every column that may be sent."""
        return {**self.context, **self.inputs}

    @property
    def kinds(self) -> Mapping[str, str]:
        """How a cell of each column is read: `boolean`, `integer`, `number` or `string`."""
        return {name: kind_of(datatype) for name, datatype in self.datatypes.items()}

    @property
    def truths(self) -> str:
        """How a cell with what really happened is read: as the labels are, or as the answers."""
        types = {type(label) for label in self.labels}
        return _LABELS[types.pop()] if len(types) == 1 else kind_of(self.answers)

    def check(
        self,
        names: Collection[str],
        keep: Collection[str] = (),
        *,
        key: str | None = None,
        ignore_unknown: bool = False,
    ) -> None:
        """Raise HeadraceError where rows with these columns cannot be asked about, saying what to do."""
        if missing := [name for name in self.inputs if name not in names]:
            raise HeadraceError(
                f"no column {_listed(missing)}: {self.model} takes {_listed(self.inputs)}, "
                f"and the rows have {_listed(names)}"
            )
        if absent := [name for name in keep if name not in names]:
            raise HeadraceError(f"no column {_listed(absent)} to keep; the rows have {_listed(names)}")
        if key is not None and key not in names:
            raise HeadraceError(f"no column {key!r} for the keys; the rows have {_listed(names)}")
        unknown = [name for name in names if name not in self.datatypes and name not in keep and name != key]
        if unknown and not ignore_unknown:
            raise HeadraceError(
                f"{self.model} knows no column {_listed(unknown)}: carry it beside the answers with "
                f"--keep {unknown[0]}, or leave it out with --ignore-unknown. It takes {_listed(self.datatypes)}"
            )

    def tensors(self, rows: Sequence[Mapping[str, Any]], key: str | None = None) -> list[Document]:
        """Rows as the inputs of a request (V2 protocol); context columns that the rows have go with them.

        The column `key` is sent as the caller's own key of each row.
        """
        present = {name for row in rows for name in row}
        sent = {name: kind for name, kind in self.datatypes.items() if name in self.inputs or name in present}
        tensors = [
            {
                "name": name,
                "datatype": kind,
                "shape": [len(rows), *self.shapes.get(name, ())],
                "data": [row.get(name) for row in rows],
            }
            for name, kind in sent.items()
        ]
        if key is None:
            return tensors
        keys = [None if (value := row.get(key)) in (None, "") else str(value) for row in rows]
        return [*tensors, {"name": KEY_COLUMN, "datatype": "BYTES", "shape": [len(rows)], "data": keys}]


def _told(tensor: Mapping[str, Any]) -> Mapping[str, Any]:
    return tensor.get("parameters") or {}


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(repr, names))
