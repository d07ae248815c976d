"""The two labels of a classifier: which there are, which of them is the positive one, and their codes 0 and 1.

Estimators learn the codes, so that every library, every graph and every figure mean the same class by 1, whatever
the labels are. Labels keep the type that the data gave them: 1 is no "1", and True is no 1.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.frameworks.errors import BadTrainingData

Label = int | float | str | bool

_MOST_NAMED = 10  # labels that an error names


class ForeignLabels(ValueError):
    """Values of a target that are none of the model's labels."""


@dataclass(frozen=True)
class Labels:
    """What a classifier tells apart; `probability` is that of the positive one."""

    negative: Label
    positive: Label

    @property
    def ordered(self) -> list[Label]:
        """By code: the negative one, then the positive one."""
        return [self.negative, self.positive]

    def array(self) -> np.ndarray:
        """By code, as numpy and ONNX know them: bool, int64, float64, or objects that are strings."""
        return np.array(self.ordered, dtype=object if isinstance(self.negative, str) else None)

    def codes(self, target: Any) -> np.ndarray:
        """1 for the positive label and 0 for the other, in [rows]; raises ForeignLabels for anything else."""
        if foreign := set(target.unique().tolist()) - set(self.ordered):
            raise ForeignLabels(f"{named(sorted(foreign, key=str))}; the model's labels are {named(self.ordered)}")
        return np.asarray(target == self.positive, dtype=np.int64)


def labels_of(target: Any, positive: Label | None) -> Labels:
    """The two labels of a target without missing values; the positive one is the greater unless one is named."""
    found = sorted(target.unique().tolist())
    if len(found) == 1:
        raise BadTrainingData(f"target {target.name!r} is {found[0]!s} in every row; two classes are needed")
    if len(found) > 2:
        raise BadTrainingData(_too_many(str(target.name), found))
    if positive is None:
        return Labels(*found)
    chosen = match(positive, found)
    if chosen is None:
        raise BadTrainingData(f"data.positive is {positive!r}, but target {target.name!r} holds {named(found)}")
    return Labels(negative=found[1 - chosen], positive=found[chosen])


def match(wanted: Any, labels: Sequence[Label]) -> int | None:
    """The code of a label as people write it: of the same type, else of the same value, else of the same text."""
    for same in (_same_type, _same_value, _same_text):
        for code, label in enumerate(labels):
            if same(wanted, label):
                return code
    return None


def named(labels: Sequence[Any]) -> str:
    """Labels as a sentence shows them."""
    shown = ", ".join(map(repr, labels[:_MOST_NAMED]))
    return shown if len(labels) <= _MOST_NAMED else f"{shown} and {len(labels) - _MOST_NAMED} more"


def _too_many(name: str, found: Sequence[Label]) -> str:
    if any(isinstance(value, float) and not value.is_integer() for value in found):
        return f"target {name!r} holds fractions; a classifier learns labels, declare task: regression"
    if len(found) > _MOST_NAMED and not isinstance(found[0], str):
        return f"target {name!r} has {len(found)} classes, all numbers; declare task: regression, or choose two classes"
    return f"target {name!r} has {len(found)} classes ({named(found)}); a classifier here tells two apart"


def _same_type(wanted: Any, label: Label) -> bool:
    return type(wanted) is type(label) and wanted == label


def _same_value(wanted: Any, label: Label) -> bool:
    return not isinstance(wanted, bool) and not isinstance(label, bool) and bool(wanted == label)


def _same_text(wanted: Any, label: Label) -> bool:
    texts = {str(label), json.dumps(label)}
    return (wanted if isinstance(wanted, str) else json.dumps(wanted)) in texts
