"""What an author should look at, though the run has its model: kept with the run, and told in `training.completed`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from headrace.contracts import Column, Preparation
from headrace.contracts.columns import many_values
from headrace.contracts.preparation import declared_chain, with_many_values
from headrace.tasks import METRICS, NUMPY, Score, Target, task_named, value
from headrace.trainer.worker.truth import beside

_ROWS = 5_000  # looked at, which tells 0.99 from 0.98
_LEAVES = 64  # of a tree of one feature: enough to follow a curve, too few to learn rows by heart


@dataclass(frozen=True)
class Known:
    """Rows and what is true of them, as metrics take it."""

    rows: pd.DataFrame
    truth: np.ndarray


def advice(
    features: Sequence[Column], prepared: Preparation | None, learned: Known, held: Known, target: Target
) -> Iterator[str]:
    """Sentences about features that alone decide the target, and texts that are hardly categories."""
    for column in features:
        as_categories = with_many_values(declared_chain(prepared, column.name, column.type))
        if column.type == "string" and as_categories:
            text = many_values(column.name, int(learned.rows[column.name].nunique()), len(learned.rows))
            yield from [f"feature {text}"] if text else []
    yield from _decisive(features, _some(learned), _some(held), target)


def _decisive(features: Sequence[Column], learned: Known, held: Known, target: Target) -> Iterator[str]:
    decisive = task_named(target.task).decisive
    if decisive is None or len(learned.rows) < 2 * _LEAVES or len(np.unique(learned.truth)) < 2:
        return
    metric, decides = decisive
    for column in features:
        score = value(metric, held.truth, _said(column.name, learned, held, target))
        if METRICS[metric].improvement(score, decides) >= 0:
            yield (
                f"feature {column.name} alone decides the target almost always ({metric} {score:.3f} on held-out "
                "rows): is it known before the answer is? If not, put it into data.ignore"
            )


def _said(name: str, learned: Known, held: Known, target: Target) -> Score:
    """What a small tree of one feature says of rows that it was not fitted on, as metrics take it."""
    answers = target.answer(_raw(*_coded(name, learned, held), learned.truth, target), NUMPY)
    score = target.judged(answers, beside(target, held.rows))
    return Score("nothing", np.full(len(held.truth), np.nan)) if score is None else score


def _raw(seen: np.ndarray, asked: np.ndarray, truth: np.ndarray, target: Target) -> np.ndarray:
    """The answer of the tree: the probability of each label, or one column of numbers."""
    settings = {"max_leaf_nodes": _LEAVES, "min_samples_leaf": 2, "random_state": 0}
    if not target.labels:
        said = np.asarray(DecisionTreeRegressor(**settings).fit(seen, truth).predict(asked))
        return np.repeat(said[:, None], target.width, axis=1)
    tree = DecisionTreeClassifier(**settings).fit(seen, truth)
    said = np.zeros((len(asked), len(target.labels)))
    said[:, tree.classes_.astype(int)] = tree.predict_proba(asked)
    return said


def _coded(name: str, learned: Known, held: Known) -> tuple[np.ndarray, np.ndarray]:
    """The column as numbers; words by how high the target is where they stand."""
    seen, asked = learned.rows[name], held.rows[name]
    if not pd.api.types.is_numeric_dtype(seen):
        height = pd.Series(learned.truth).groupby(seen.to_numpy(dtype=object)).mean()
        seen, asked = seen.map(height), asked.map(height)
    return _matrix(seen), _matrix(asked)


def _some(known: Known) -> Known:
    at = np.linspace(0, len(known.rows) - 1, min(_ROWS, len(known.rows))).astype(int)
    return Known(known.rows.iloc[at], known.truth[at])


def _matrix(column: pd.Series) -> np.ndarray:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))[:, None]
