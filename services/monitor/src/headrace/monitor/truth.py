"""Reported truths: which are good for a model, and where each one belongs.

Pure: standard library, contracts and tasks only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headrace.contracts import ContractError, Label
from headrace.contracts.errors import shown
from headrace.contracts.names import row_of
from headrace.tasks import BadTruth, Target

__all__ = ["Answer", "BadTruth", "Known", "Sorted", "is_key", "listing", "place_of", "sort_truths"]

_KEY = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")  # what replicas take
_SHOWN = 10  # bad labels that an answer names


def place_of(prediction_id: str) -> tuple[str, int]:
    """A prediction's id and row: `id:row`, and the bare id for row 0. Raises BadTruth for what is no id."""
    try:
        prediction, row = row_of(prediction_id)
    except ContractError as error:
        raise BadTruth(str(error)) from error
    return prediction, row or 0


@dataclass(frozen=True)
class Answer:
    """One logged answer, as far as a truth needs it."""

    model: str
    digest: str
    first_row: int
    rows: int
    time: datetime

    def has(self, row: int) -> bool:
        """Whether the row is one of its own."""
        return self.first_row <= row < self.first_row + self.rows


@dataclass(frozen=True)
class Known:
    """What is known of a model when truths come."""

    model: str
    answers: Mapping[str, Sequence[Answer]]  # by prediction id, shadows apart, of any model
    targets: Mapping[str, Target]  # by digest, of the model's versions
    judged_until: datetime | None
    keys: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """The newest prediction, by id and row, of each of the caller's own keys that are named."""


@dataclass
class Sorted:
    """Truths by what becomes of them, as (prediction id, row) with the value as it was reported."""

    kept: dict[tuple[str, int], Any] = field(default_factory=dict)
    late: dict[tuple[str, int], datetime] = field(default_factory=dict)  # kept, with the answer's event time
    waiting: set[tuple[str, int]] = field(default_factory=set)  # kept: the answer is not logged here yet
    by_key: dict[str, Any] = field(default_factory=dict)  # kept apart: no prediction with this key is logged here yet
    unknown: list[str] = field(default_factory=list)  # not kept: no such row, or another model's
    bad: list[str] = field(default_factory=list)  # sentences

    @property
    def accepted(self) -> int:
        """Truths that count when their window is judged, as far as is known now."""
        return len(self.kept) - len(self.late) - len(self.waiting)


def sort_truths(labels: Iterable[Label], known: Known) -> Sorted:
    """Judge each truth by the answer that it belongs to; of several for one row the last counts."""
    found = Sorted()
    for at, label in enumerate(labels):
        try:
            _sort(label, known, found)
        except BadTruth as error:
            named = label.key if label.prediction_id is None else label.prediction_id
            found.bad.append(f"labels[{at}] ({shown(named)}): {error}")
    return found


def _sort(label: Label, known: Known, found: Sorted) -> None:
    place = _place(label, known)
    if place is None:
        _check(label.value, known, None)
        found.by_key[str(label.key)] = label.value
        return
    prediction, row = place
    answers = known.answers.get(prediction, ())
    owner = next((each for each in answers if each.model == known.model and each.has(row)), None)
    _check(label.value, known, owner)
    if answers and owner is None:
        found.unknown.append(label.prediction_id or str(label.key))
        return
    found.kept[place] = label.value
    if owner is None:
        found.waiting.add(place)
    elif known.judged_until is not None and owner.time < known.judged_until:
        found.late[place] = owner.time


def _place(label: Label, known: Known) -> tuple[str, int] | None:
    """The row that a truth names; None of a key that no prediction has yet. Raises BadTruth."""
    if (label.prediction_id is None) == (label.key is None):
        raise BadTruth("a truth names its row either by prediction_id or by key")
    if label.prediction_id is not None:
        return place_of(label.prediction_id)
    if not is_key(label.key):
        raise BadTruth(f"{shown(label.key)} is no key; one has 1 to 200 characters, none of them a control character")
    return known.keys.get(label.key or "")


def is_key(key: str | None) -> bool:
    """Whether a text can be the caller's own key of a row."""
    return key is not None and _KEY.fullmatch(key) is not None


def _check(value: Any, known: Known, owner: Answer | None) -> None:
    """By the version that answered; where that is not known, any of the model's versions may have."""
    targets = _targets(known, owner)
    for at, target in enumerate(targets, 1):
        try:
            target.read(value)
        except BadTruth:
            if at == len(targets):
                raise
        else:
            return


def _targets(known: Known, owner: Answer | None) -> list[Target]:
    own = known.targets.get(owner.digest) if owner else None
    return [own] if own else list(dict.fromkeys(known.targets.values()))


def listing(sentences: Sequence[str]) -> str:
    """Some sentences as one, the first of them shown."""
    more = len(sentences) - _SHOWN
    return "; ".join([*sentences[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])])
