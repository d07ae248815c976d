"""PMML: a document, compiled to a graph where that is exact, else evaluated as it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.contracts import Column
from headrace.contracts.labels import Label
from headrace.pmml import BadPmml, Document
from headrace.pmml import load as load_document
from headrace.runtimes.pmml import Naming
from headrace.runtimes.pmml import save as save_document
from headrace.trainer.formats.base import (
    Artifact,
    BadArtifact,
    Equality,
    Given,
    Saved,
    Wanted,
    assigned,
    beginning,
    only_file,
)
from headrace.trainer.formats.takeover import labels_of, learned

_WHAT = "the PMML document"
_ROOT = re.compile(rb"<(\w+:)?PMML[\s>]")
_HEAD = 8192  # bytes in which the root begins: declarations and comments come before it
_MARKS = b"\xef\xbb\xbf\xfe\xff \t\r\n"  # byte order marks of UTF-8 and UTF-16, and white space
_FITS = {
    "BYTES": ("string",),
    "BOOL": ("boolean",),
    "INT64": ("integer", "boolean"),
    "FP64": ("number", "integer", "boolean"),
}
_PROBABILITIES = ("probability", "probabilities")


class Pmml:
    """Reads a document; what is not evaluated is refused with its line."""

    def found(self, folder: Path) -> Path | None:
        """One file of XML whose root is PMML."""
        only = only_file(folder)
        if only is None:
            return None
        head = beginning(only, _HEAD).replace(b"\0", b"").lstrip(_MARKS)  # UTF-16 has a zero beside each such letter
        return only if head.startswith(b"<") and _ROOT.search(head) else None

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> "PmmlArtifact":
        """The document, with the columns of its fields."""
        data = path.read_bytes()
        document = _loaded(data)
        _must_answer(document, wanted)
        fields = document.signature.inputs
        columns = assigned([tensor.name for tensor in fields], wanted, _WHAT)
        for tensor, column in zip(fields, columns, strict=True):
            _must_fit(tensor.name, tensor.datatype, column)
        return PmmlArtifact(data=data, document=document, fields=columns, estimator=document.kind, **_made_by(document))


@dataclass(frozen=True, kw_only=True)
class PmmlArtifact(Artifact):
    """A document that fits the declaration."""

    data: bytes
    document: Document
    fields: Sequence[Column]
    framework: str | None = "pmml"

    @property
    def columns(self) -> Sequence[Column]:
        """The column of each field."""
        return self.fields

    def save(self, folder: Path, wanted: Wanted, given: Given) -> Saved:
        """Write the directory; a graph that answers the rows otherwise than the document does not serve."""
        naming = Naming(self._columns(), self._labels(wanted, given))
        rows = {column.name: _listed(given.rows[column.name]) for column in self.fields}
        folder.mkdir()
        try:
            saved = save_document(self.data, folder, given.about, given.positive, naming, given.context, rows)
        except BadPmml as error:
            raise BadArtifact(f"{_WHAT} does not fit the data: {error}") from error
        compared = (
            Equality() if saved.largest_difference is None else Equality(saved.largest_difference, len(given.rows))
        )
        return Saved(compared, saved.remarks)

    def _columns(self) -> dict[str, str]:
        names = zip(self.document.signature.inputs, self.fields, strict=True)
        return {tensor.name: column.name for tensor, column in names if tensor.name != column.name}

    def _labels(self, wanted: Wanted, given: Given) -> Sequence[Label]:
        """What the data call the labels; raises BadArtifact where what is known of the target does not fit."""
        if not wanted.classifies:
            learned(np.array(given.known), wanted, given.positive)
            return ()
        own = sorted(self.document.signature.outputs[0].labels or ())
        found = labels_of(own, sorted(set(given.known)), given.labels, len(own), wanted)
        learned(np.array(found, dtype=object if isinstance(found[0], str) else None), wanted, given.positive)
        return [] if _same(own, found) else found


def _loaded(data: bytes) -> Document:
    try:
        return load_document(data)
    except BadPmml as error:
        raise BadArtifact(f"{_WHAT} is refused: {error}") from error


def _must_answer(document: Document, wanted: Wanted) -> None:
    """Raise BadArtifact where a document answers something else than is declared."""
    if wanted.outputs:
        raise BadArtifact(f"{_WHAT} says itself which of its outputs is its answer; leave out --output")
    gives, own = {tensor.name for tensor in document.signature.outputs}, document.signature.task
    if own != wanted.task:
        raise BadArtifact(f"{_WHAT}, a {document.kind}, is a model for {own}, and the declared task is {wanted.task}")
    if wanted.classifies and not gives & set(_PROBABILITIES):
        raise BadArtifact(
            f"{_WHAT}, a {document.kind}, gives labels without probabilities, by which versions are judged; export it "
            "with the distribution of each score"
        )


def _must_fit(field: str, datatype: str, column: Column) -> None:
    if column.type not in _FITS[datatype]:
        raise BadArtifact(
            f"the field {field!r} of {_WHAT} takes {datatype}, and column {column.name!r} holds the type {column.type}"
            "; give it another column with --columns, or the column another type in the dataset's contract"
        )


def _same(own: Sequence[Label], found: Sequence[Label]) -> bool:
    return [(type(each), each) for each in own] == [(type(each), each) for each in found]


def _listed(values: pd.Series) -> list[Any]:
    return list(values.astype(object).where(values.notna(), None))


def _made_by(document: Document) -> Mapping[str, str | None]:
    """The application that wrote it, where it says so."""
    header = document.root.first("Header")
    application = header.first("Application") if header else None
    told = [application.get(name) for name in ("name", "version")] if application else []
    return {"producer": " ".join(filter(None, told)) or None}


FORMAT = Pmml()
