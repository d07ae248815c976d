"""Labels of classifiers as people and programs write them, matched with those that a model knows."""

import json
from collections.abc import Sequence
from typing import Any

Label = int | float | str | bool
"""A label with the type that the training data gave it: 1 is no "1", and True is no 1."""

_MOST_NAMED = 10  # labels that a sentence shows


def match_label(wanted: Any, labels: Sequence[Label]) -> int | None:
    """The place of a label in `labels`: one of the same type, else of the same value, else of the same text.

    Whole numbers are compared exactly, also where they have more digits than a float holds. A truth value is no
    number; `"1"` is 1, as files without types have it.
    """
    for same in (_same_type, _same_value, _same_text):
        for place, label in enumerate(labels):
            if same(wanted, label):
                return place
    return None


def named_labels(labels: Sequence[Label]) -> str:
    """Labels as a sentence shows them."""
    shown = ", ".join(map(repr, labels[:_MOST_NAMED]))
    return shown if len(labels) <= _MOST_NAMED else f"{shown} and {len(labels) - _MOST_NAMED} more"


def same_label(label: object, text: str) -> bool:
    """Whether a declared label is the one that a column's text stands for: 1, 1.0, true and their texts."""
    written = str(label).lower() if isinstance(label, bool) else str(label)
    if written == text or (isinstance(label, bool) and text in ("01"[label], str(label))):
        return True
    number = None if isinstance(label, bool) else _number(text)
    return number is not None and _number(written) == number


def _number(text: str) -> int | float | None:
    """A number as data have it, whole ones exactly however many digits they have; None for what is none."""
    if "_" in text or not text.isascii():
        return None  # Python's own readers take both
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _same_type(wanted: Any, label: Label) -> bool:
    return type(wanted) is type(label) and bool(wanted == label)


def _same_value(wanted: Any, label: Label) -> bool:
    return not isinstance(wanted, bool) and not isinstance(label, bool) and bool(wanted == label)


def _same_text(wanted: Any, label: Label) -> bool:
    texts = {str(label), json.dumps(label)}
    return (wanted if isinstance(wanted, str) else json.dumps(wanted)) in texts
