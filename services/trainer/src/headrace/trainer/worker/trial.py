"""One trial of a search: a part of the rows that may be learned from is learned, the rest of them judges it.

The holdout is cut off first, as for the training itself, and nothing here sees its rows.
"""

import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headrace.code.scratch import scratch
from headrace.contracts import Signature
from headrace.frameworks import FRAMEWORKS, About, Fitted, OnTheWay, Recipe
from headrace.frameworks.errors import BadTrainingData
from headrace.frameworks.fitting import PipelinePredictor
from headrace.frameworks.inner import watched_rows
from headrace.objects import SyncObjectStore
from headrace.runtimes import Columns, load
from headrace.tasks import Outputs, Target, measured, task_named
from headrace.trainer.worker.content import mixed
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.framed import Shaped, shaped
from headrace.trainer.worker.holdout import NoHoldout, at_random, by_time, groups_of, identity_of
from headrace.trainer.worker.jobs import SearchJob, Tell, TrainJob, Tried
from headrace.trainer.worker.reading import read_rows
from headrace.trainer.worker.training import ANY, columns_of, divide, known_by, recipe_of, stopping
from headrace.trainer.worker.truth import ask, beside, truth_of

WHOLE = 81
"""A whole fit, in the unit by which trials are compared on the way: judged at a ninth, at a third, and at the end."""
RUNGS = (9, 27)
_INNER = np.uint64(0xA24BAED4963EE407)  # apart from the draw of the holdout, of which these rows are the rest
Reached = Callable[[int, int, float], None]
"""Told how far a fit is, in parts of WHOLE, after how many trees, and the metric by then; may end it by raising."""


@dataclass(frozen=True)
class Ground:
    """The rows that may be learned from, and which of them judge trials."""

    rows: pd.DataFrame
    judging: np.ndarray


def ground(job: SearchJob, store: SyncObjectStore, tell: Tell) -> Ground:
    """Read the rows once for all trials of a worker, without those of the holdout."""
    train = job.train
    rows = read_rows(store, train.data, columns_of(train), train.target, tell, {ANY: train.columns, **known_by(train)})
    held, _ = divide(train, rows)
    learned = rows.frame[~held].reset_index(drop=True)
    return Ground(learned, judging_rows(train, learned, rows.identity[ANY][~held], job.fraction))


def judging_rows(job: TrainJob, rows: pd.DataFrame, identity: np.ndarray, fraction: float) -> np.ndarray:
    """The mask of rows that judge trials: those that early stopping watches, else chosen as the holdout is."""
    watch = stopping(job)
    if watch is not None and task_named(job.task).framed_by is None:
        return watched_rows(rows, watch, job.seed)
    try:
        if job.by == "time":
            return by_time(rows[job.time], fraction, groups_of(rows, job.grouped_by))[0]
        return at_random(mixed(identity_of(rows, identity, job.grouped_by) ^ _INNER), fraction)
    except NoHoldout as error:
        raise BadTrainingData(f"no rows that may be learned from can be set aside to judge trials: {error}") from error


def try_out(
    job: SearchJob, number: int, params: Mapping[str, Any], known: Callable[[], Ground], reached: Reached
) -> Tried:
    """Play one trial; whatever it raises is its failure, and nobody else's."""
    began = time.monotonic()
    told: dict[str, Any] = {"number": number, "params": dict(params)}
    try:
        value = _value(_of(job, params), job, known(), reached)
        told |= {"state": "completed", "value": value}
    except Exception as error:  # an end from outside (a stop on the way) is none
        failure = failure_of(error)
        told |= {"state": "failed", "because": failure.because, "reason": failure.reason}
    return Tried(**told, seconds=time.monotonic() - began)


def _of(job: SearchJob, params: Mapping[str, Any]) -> TrainJob:
    return job.train.model_copy(update={"params": {**job.train.params, **params}})


def _value(train: TrainJob, job: SearchJob, known: Ground, reached: Reached) -> float:
    """The metric of one fit on the rows that judge it."""
    framework = FRAMEWORKS[train.framework]
    framework.check(train.estimator, train.params)
    own_watch = train.early_stopping is not None and task_named(train.task).framed_by is None
    learned = known.rows if own_watch else known.rows[~known.judging]
    found = shaped(learned, _watching(recipe_of(train), job, known, reached))
    fitted = framework.fit(found.rows, found.recipe, lambda step, of: None)
    if task_named(train.task).framed_by is None:
        return _judged(_Fitted(fitted), job, known)
    with scratch("headrace-trial-") as folder:
        return _judged(_saved(found, fitted, train, folder), job, known)


def _saved(found: Shaped, fitted: Fitted, train: TrainJob, folder: Path) -> Any:
    """A model that makes features of the past answers as it is served alone."""
    found.save(FRAMEWORKS[train.framework], fitted, folder, About(train.run, train.created))
    return load(folder)


def _judged(model: Any, job: SearchJob, known: Ground) -> float:
    said = ask(model, known.rows, known.judging)
    said = said.those(said.answered)
    values = measured([job.metric], truth_of(model, said.rows[job.train.target]), said.score)
    return _finite(job.metric, values, len(said.at))


def _watching(recipe: Recipe, job: SearchJob, known: Ground, reached: Reached) -> Recipe:
    """With what is asked of the fit on its way, where trials may be stopped early."""
    if not job.stop_early or task_named(job.train.task).framed_by is not None:
        return recipe
    rows = known.rows[known.judging]
    return replace(recipe, on_the_way=OnTheWay(rows, _rungs, partial(_on_the_way, job, rows, reached)))


def _rungs(of: int) -> Container[int]:
    return {ceil(of * part / WHOLE): part for part in RUNGS}


def _on_the_way(
    job: SearchJob, rows: pd.DataFrame, reached: Reached, done: int, of: int, target: Target, outputs: Outputs
) -> None:
    score = target.judged(outputs, beside(target, rows))
    if score is None:
        return
    truth = target.encode(np.asarray(rows[job.train.target].to_numpy()))
    values = measured([job.metric], truth, score)
    part = next(part for part in RUNGS if ceil(of * part / WHOLE) == done)
    reached(part, done, _finite(job.metric, values, len(rows)))


def _finite(metric: str, values: Mapping[str, float], rows: int) -> float:
    value = values.get(metric)
    if value is None or not np.isfinite(value):
        raise BadTrainingData(f"metric {metric} has no value on the {rows} rows that judge trials")
    return float(value)


class _Fitted:
    """What was fitted, as judging asks it: nothing is exported for a trial."""

    def __init__(self, fitted: Fitted) -> None:
        self._predictor = PipelinePredictor.of(fitted)

    @property
    def signature(self) -> Signature:
        """The interface that the model would have."""
        return self._predictor.signature

    def answer(self, columns: Columns, *, strict: bool = False) -> Mapping[str, np.ndarray]:
        """The outputs of the task, one entry a row."""
        return self._predictor.predict(columns)
