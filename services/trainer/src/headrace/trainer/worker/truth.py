"""Truth and score of rows, as metrics take them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from headrace.runtimes import Framed, Model
from headrace.tasks import BadTruth, Outputs, Score, Target, target_of
from headrace.trainer.worker.framed import columns_of

__all__ = ["BadTruth", "Said", "answers_of", "ask", "beside", "columns_asked", "truth_of"]


@dataclass(frozen=True)
class Said:
    """Rows that judge a model, and its answers; a row is there as often as it was asked for."""

    rows: pd.DataFrame
    at: np.ndarray
    """The place of each among the rows of the dataset."""
    outputs: Outputs
    score: Score
    together: bool = False
    """Whether rows of one request tell of each other: some may have no answer then."""

    @property
    def answered(self) -> np.ndarray:
        """The mask of the rows that count."""
        return self.score.known if self.together else np.ones(len(self.at), dtype=bool)

    def those(self, chosen: np.ndarray) -> "Said":
        """Some of the rows alone, by a mask."""
        if chosen.all():
            return self
        outputs = {name: values[chosen] for name, values in self.outputs.items()}
        return replace(self, rows=self.rows[chosen], at=self.at[chosen], outputs=outputs, score=self.score.at(chosen))


def ask(model: Model, rows: pd.DataFrame, judged: np.ndarray, like: Model | None = None) -> Said:
    """What a model says of the rows of a mask.

    Whoever answers for rows that tell of each other is asked from several origins, and knows what was before each: the
    same ones as `like`, where that is given.
    """
    if isinstance(model, Framed):
        return _rolled(model, rows, judged, like or model)
    at = np.flatnonzero(judged)
    chosen = rows.iloc[at]
    outputs = answers_of(model, chosen)
    target = target_of(model.signature)
    return Said(chosen, at, outputs, _judgeable(target.judged(outputs, beside(target, chosen))))


def _rolled(model: Model, rows: pd.DataFrame, judged: np.ndarray, like: Model) -> Said:
    """Every question of a rolling origin; a row that was asked for several times is drawn as one when resampled."""
    found = list(_answered(model, columns_of(rows), judged, like))
    if not found:
        raise BadTruth("there is nothing before the rows that would judge the model, from which it could answer")
    at = np.concatenate([places for places, _ in found])
    outputs = {name: np.concatenate([each[name] for _, each in found]) for name in found[0][1]}
    score = replace(_judgeable(target_of(model.signature).score(outputs)), groups=at)
    if not score.known.any():
        raise BadTruth(f"the model can answer none of the {int(judged.sum())} rows that would judge it")
    return Said(rows.iloc[at], at, outputs, score, together=True)


def _answered(
    model: Model, columns: dict[str, np.ndarray], judged: np.ndarray, like: Model
) -> Iterator[tuple[np.ndarray, Outputs]]:
    assert isinstance(model, Framed)
    asker = like.framing if isinstance(like, Framed) else model.framing
    for question in asker.questions(columns, judged):
        answers = model.answer(model.framing.request(columns, question))
        yield question.asked, {name: values[-len(question.asked) :] for name, values in answers.items()}


def _judgeable(score: Score | None) -> Score:
    if score is None:
        raise BadTruth("the model gives nothing that metrics can judge")
    return score


def answers_of(model: Model, rows: pd.DataFrame) -> Outputs:
    """What a model says of rows, output by output."""
    names = columns_asked(model)
    if missing := [name for name in names if name not in rows.columns]:
        raise BadTruth(f"the rows have no column {', '.join(missing)}, which the model needs")
    columns = {name: _values(rows[name]) for name in names}
    return model.answer(target_of(model.signature).requested(model.signature.inputs, columns))


def columns_asked(model: Model) -> list[str]:
    """The columns of a dataset that a model's answers need."""
    return target_of(model.signature).asked_by(model.signature.inputs)


def beside(target: Target, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """The columns of rows that judging answers takes."""
    return {name: _values(rows[name]) for name in target.beside if name in rows.columns}


def truth_of(model: Model, target: pd.Series) -> np.ndarray:
    """The target as metrics take it."""
    if missing := int(target.isna().sum()):
        raise BadTruth(f"target {target.name!r} is missing in {missing} of {len(target)} held-out rows")
    try:
        return target_of(model.signature).encode(np.asarray(target.to_numpy()))
    except BadTruth as error:
        raise BadTruth(f"target {target.name!r} holds {error}") from error


def _values(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy())
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)
