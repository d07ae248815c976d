"""The two labels of a classifier: which there are, which of them is the positive one, and their codes 0 and 1.

Estimators learn the codes, so that every library, every graph and every figure mean the same class by 1, whatever
the labels are. Labels keep the type that the data gave them: 1 is no "1", and True is no 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.contracts.labels import Label, match_label, named_labels
from headrace.frameworks.errors import BadTrainingData

__all__ = ["ForeignLabels", "Label", "Labels", "labels_of"]
_MOST_CLASSES = 10  # numbers that are taken for classes rather than for quantities


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
            raise ForeignLabels(
                f"{named_labels(sorted(foreign, key=str))}; the model's labels are {named_labels(self.ordered)}"
            )
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
    chosen = match_label(positive, found)
    if chosen is None:
        raise BadTrainingData(f"data.positive is {positive!r}, but target {target.name!r} holds {named_labels(found)}")
    return Labels(negative=found[1 - chosen], positive=found[chosen])


def _too_many(name: str, found: Sequence[Label]) -> str:
    if any(isinstance(value, float) and not value.is_integer() for value in found):
        return f"target {name!r} holds fractions; a classifier learns labels, declare task: regression"
    if len(found) > _MOST_CLASSES and not isinstance(found[0], str):
        return f"target {name!r} has {len(found)} classes, all numbers; declare task: regression, or choose two classes"
    return f"target {name!r} has {len(found)} classes ({named_labels(found)}); a classifier here tells two apart"
