"""Rows for a document: beside every number that it names, every text that it knows, unknown, missing and extreme.

On these a graph is compared with the document before it serves; beside thresholds it would differ first.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from headrace.pmml.columns import TEXT, TRUTH, WHOLE
from headrace.pmml.document import Document
from headrace.pmml.xml import Element, words

_FIELD = ("field", "name", "predictorName")
_INNER = ("Value", "Interval", "DiscretizeBin", "LinearNorm", "Array")
_VALUE = ("value", "orig", "leftMargin", "rightMargin")
EXTREME = (0.0, -1.0, 1e-300, 1e15, -1e15)
_ABSENT = 0.1
_WORDS = 20  # of other fields, which a text may be, too
_WHOLE, _LARGE = 1e9, 1e12
_MOST = 2000  # numbers named of one field that are drawn from: a forest has more


def rows_for(document: Document, count: int, seed: int = 1, extreme: bool = True) -> dict[str, list[Any]]:
    """One list for each input, as requests carry them; one value in ten is missing where it may be."""
    rng = np.random.default_rng(seed)
    literals = _literals(document)
    found = {}
    for tensor in document.signature.inputs:
        kind = document.dictionary[tensor.name].type
        named = literals[tensor.name] + ([word for word in document.words[:_WORDS] if word] if kind == TEXT else [])
        values = _values(rng, kind, named, extreme)
        picked = [values[at] for at in rng.integers(0, len(values), count)]
        absent = (rng.random(count) < _ABSENT) & (tensor.nullable is not False)
        found[tensor.name] = [None if gone else value for value, gone in zip(picked, absent, strict=True)]
    return found


def _values(rng: np.random.Generator, kind: str, literals: list[str], extreme: bool) -> list[Any]:
    """What a column is drawn from."""
    if kind == TEXT:
        return [*literals, *literals, *(["never heard of"] if extreme else ["a", "b"])]
    return [True, False] if kind == TRUTH else _numbers(rng, literals, kind, extreme)


def _numbers(rng: np.random.Generator, literals: list[str], kind: str, extreme: bool) -> list[Any]:
    named = np.unique([float(each) for each in literals] or [0.0])
    if len(named) > _MOST:
        named = rng.choice(named, _MOST, replace=False)
    around = np.concatenate([named, np.nextafter(named, np.inf), np.nextafter(named, -np.inf)])
    spread = max(1.0, float(np.ptp(named)))
    drawn = rng.normal(named.mean(), spread, 3 * len(around) + 20)
    values = np.concatenate([around, drawn, *([EXTREME] if extreme else [])])
    if kind == WHOLE:
        return [int(each) for each in np.round(values) if abs(each) < _WHOLE]
    return [float(each) for each in values]


def _literals(document: Document) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for element in _all(document.root):
        name = next((element.attributes[key] for key in _FIELD if key in element.attributes), None)
        inner = [child for child in element.children if child.tag in _INNER]
        for each in [element, *inner, *(deep for child in inner for deep in child.children)]:
            texts = [each.attributes[key] for key in _VALUE if key in each.attributes]
            if each.tag == "Array":
                texts = words(each.text, each.line)
            if name is not None:
                found[name] += texts
        if element.tag == "MapValues":
            _table(element, found)
    types = {name: field.type for name, field in document.dictionary.items()}
    return defaultdict(list, {name: [t for t in texts if _fits(t, types.get(name))] for name, texts in found.items()})


def _table(element: Element, found: dict[str, list[str]]) -> None:
    columns = {each.need("column"): each.need("field") for each in element.all("FieldColumnPair")}
    for cell in (cell for row in element.one("InlineTable").children for cell in row.children):
        if cell.tag in columns:
            found[columns[cell.tag]].append(cell.text)


def _fits(text: str, kind: str | None) -> bool:
    if kind == TEXT:
        return True
    try:
        return abs(float(text)) < _LARGE
    except ValueError:
        return False


def _all(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _all(child)
