"""One trial: which rows it learns, which judge it, and how it ends."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column, EarlyStopping
from headrace.frameworks.errors import BadTrainingData
from headrace.testkit.s3 import S3
from headrace.trainer.worker.content import contents, identities
from headrace.trainer.worker.holdout import at_random
from headrace.trainer.worker.jobs import Data, SearchJob, TrainJob
from headrace.trainer.worker.reading import read_rows
from headrace.trainer.worker.training import ANY, columns_of, divide, known_by
from headrace.trainer.worker.trial import RUNGS, WHOLE, Ground, ground, judging_rows, try_out

from .conftest import COLUMNS, flights, ingested
from .test_transitions import a_job

FEATURES = [Column(name="wind", type="number", nullable=True), Column(name="carrier", type="string", nullable=False)]


class Halted(BaseException):
    """What ends a fit on its way, as Tune does."""


def a_training(**told: Any) -> TrainJob:
    """A training of LightGBM on flights, judged at random."""
    same = {"columns": ["wind", "carrier", "late"], "features": FEATURES, "target": "late", "seed": 3}
    fit = {"framework": "lightgbm", "estimator": "lightgbm.LGBMClassifier", "params": {"n_estimators": 9}}
    return a_job().model_copy(update={**same, **fit, **told})


def a_search(train: TrainJob | None = None, **told: Any) -> SearchJob:
    """A search of its leaves."""
    space = {"num_leaves": {"from": 2, "to": 9}}
    wish = {"metric": "roc_auc", "greater_is_better": True, "trials": 3, "parallel": 1, "fraction": 0.25}
    return SearchJob(
        **{"train": train or a_training(), "space": space, **wish, "stop_early": False, "memory_mb": 500, **told}
    )


def rows_of(count: int = 400) -> pd.DataFrame:
    """Rows to learn from."""
    return flights(count)


def identity(rows: pd.DataFrame) -> np.ndarray:
    """Who they are."""
    return identities(contents(rows, ["wind", "carrier", "late"]))


def a_ground(rows: pd.DataFrame, train: TrainJob | None = None) -> Ground:
    """The rows with those that judge."""
    return Ground(rows, judging_rows(train or a_training(), rows, identity(rows), 0.25))


def never(part: int, done: int, value: float) -> None:
    """Nobody is asked on the way."""
    raise AssertionError


def test_rows_that_judge_trials_are_chosen_by_their_content_and_otherwise_than_the_holdout() -> None:
    """The same ones for every trial, in any order of the rows; about as many as were asked for."""
    rows = rows_of(4000)
    mask = judging_rows(a_training(), rows, identity(rows), 0.25)
    turned = judging_rows(a_training(), rows[::-1], identity(rows)[::-1], 0.25)

    assert 0.22 < mask.mean() < 0.28
    assert (turned[::-1] == mask).all()
    held = at_random(identity(rows), 0.25)
    assert 0.2 < mask[~held].mean() < 0.3  # of those that may be learned from as many: the draws have nothing in common


def test_with_early_stopping_the_rows_that_it_watches_judge() -> None:
    """One inner split, not two; they are not learned from anyway."""
    rows, watched = rows_of(), a_training(early_stopping=EarlyStopping(rounds=3, fraction=0.1))

    mask = judging_rows(watched, rows, identity(rows), 0.25)

    assert mask.sum() == 40
    assert (mask == judging_rows(watched, rows, identity(rows), 0.5)).all()


def test_where_the_holdout_is_by_time_the_newest_of_the_others_judge() -> None:
    """As the newest of all judge the model."""
    rows = rows_of()

    mask = judging_rows(a_training(by="time", time="at"), rows, identity(rows), 0.25)

    assert mask.sum() == 100
    assert rows["at"][~mask].max() < rows["at"][mask].min()


@pytest.mark.parametrize("by", ["time", "random"])
def test_a_group_judges_or_is_learned_as_a_whole(by: Any) -> None:
    """Rows of one query tell of each other."""
    rows = rows_of().assign(query=lambda frame: np.arange(len(frame)) // 5)
    job = a_training(grouped_by="query", by=by, time="at")

    mask = judging_rows(job, rows, identity(rows), 0.25)

    assert 40 < mask.sum() < 180
    assert (pd.Series(mask).groupby(rows["query"]).nunique() == 1).all()


def test_too_few_rows_to_judge_are_told() -> None:
    """Before a fit is tried."""
    with pytest.raises(BadTrainingData, match="can be set aside to judge trials"):
        judging_rows(a_training(), rows_of(1), identity(rows_of(1)), 0.25)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"by": "time", "time": "at"},
        {"early_stopping": EarlyStopping(rounds=3, fraction=0.1)},
        {"by": "time", "time": "at", "early_stopping": EarlyStopping(rounds=3, fraction=0.1)},
    ],
)
def test_no_row_of_the_holdout_is_among_those_of_a_trial(told: dict[str, Any], buckets: S3) -> None:
    """Neither learned nor judging: what judges the version has chosen nothing of it."""
    event = ingested(buckets, flights(500), flights(300, seed=2))
    data = Data(dataset="flights", digest=event.digest, manifest=event.manifest, parts=2)
    job = a_training(data=data, columns=[each.name for each in COLUMNS], **told)

    known = ground(a_search(job), buckets.sync, lambda step: None)

    columns, names = {ANY: job.columns, **known_by(job)}, columns_of(job)
    rows = read_rows(buckets.sync, data, names, "late", lambda step: None, columns)
    held, holdout = divide(job, rows)
    assert 100 < holdout.rows == held.sum()
    assert len(known.rows) == len(rows.frame) - holdout.rows
    kept = rows.frame[held]
    assert not set(map(tuple, kept[["wind", "carrier"]].round(9).to_numpy())) & set(
        map(tuple, known.rows[["wind", "carrier"]].round(9).to_numpy())
    )
    assert 0 < known.judging.sum() < len(known.rows) / 2


def test_a_trial_is_judged_by_the_metric_on_rows_that_it_has_not_learned() -> None:
    """The same one again has the same figure, and another one another."""
    known = a_ground(rows_of())
    one, again, other = (
        try_out(a_search(), number, {"num_leaves": leaves}, lambda: known, never)
        for number, leaves in ((1, 4), (2, 4), (3, 9))
    )

    assert (one.state, one.number, one.params) == ("completed", 1, {"num_leaves": 4})
    assert one.value == again.value != other.value
    assert 0.75 < (one.value or 0) < 1
    assert one.seconds
    assert one.seconds > 0


def test_labels_of_rows_that_judge_are_not_learned() -> None:
    """Where they are drawn by chance, no fit is any good, however closely it follows what it has learned."""
    rows = rows_of(2000).assign(late=lambda frame: np.random.default_rng(5).integers(0, 2, len(frame)))
    train = a_training(params={"n_estimators": 100, "num_leaves": 60, "min_child_samples": 1})

    found = try_out(a_search(train), 1, {}, lambda: a_ground(rows, train), never)

    assert 0.42 < (found.value or 0) < 0.58


def test_with_early_stopping_a_trial_stops_on_the_rows_that_judge_it() -> None:
    """They are watched, and not learned."""
    train = a_training(
        early_stopping=EarlyStopping(rounds=2, fraction=0.25), params={"n_estimators": 300, "learning_rate": 0.9}
    )

    found = try_out(a_search(train), 1, {"num_leaves": 8}, lambda: a_ground(rows_of(), train), never)

    assert found.state == "completed"


@pytest.mark.parametrize(
    ("params", "rows", "kind", "told"),
    [
        ({"num_leaves": "many"}, rows_of(), "code", "num_leaves"),
        ({"no_such": 1}, rows_of(), "code", "no_such"),
        ({}, rows_of().assign(late=1), "data", ""),
        ({}, rows_of().assign(carrier=float("nan"), wind=float("inf")), None, ""),
    ],
)
def test_what_a_trial_raises_is_its_own_failure(params: dict[str, Any], rows: Any, kind: str | None, told: str) -> None:
    """With its kind, as of a run; nothing is raised."""
    found = try_out(a_search(), 4, params, lambda: a_ground(rows), never)

    assert (found.number, found.because) == (4, kind)
    assert told in (found.reason or "")
    assert (found.value is None) == (kind is not None)


def test_a_metric_without_a_value_is_a_failure_of_the_trial() -> None:
    """One class alone among the rows that judge: no curve."""
    known = a_ground(rows_of())
    known.rows.loc[known.judging, "late"] = 1

    found = try_out(a_search(), 1, {}, lambda: known, never)

    assert (found.state, found.because) == ("failed", "data")
    assert found.reason == f"metric roc_auc has no value on the {int(known.judging.sum())} rows that judge trials"


def test_rows_that_cannot_be_read_fail_the_trial_by_their_kind() -> None:
    """A store that is away is no fault of the parameters: such a trial is done again."""

    def away() -> Ground:
        raise ConnectionError("no route")

    found = try_out(a_search(), 1, {}, away, never)

    assert (found.because, found.reason) == ("lost", "the object store failed the run: ConnectionError: no route")


def test_a_fit_is_judged_on_its_way_where_trials_may_be_stopped() -> None:
    """At a ninth and a third of its trees, on the rows that judge it; the figures are those of shorter fits."""
    known, seen = a_ground(rows_of()), []

    def reached(part: int, done: int, value: float) -> None:
        seen.append((part, done, value))

    found = try_out(a_search(stop_early=True), 1, {"num_leaves": 4}, lambda: known, reached)

    assert [(part, done) for part, done, _ in seen] == [(RUNGS[0], 1), (RUNGS[1], 3)]
    short = [
        try_out(a_search(a_training(params={"n_estimators": trees})), 1, {"num_leaves": 4}, lambda: known, never).value
        for trees in (1, 3)
    ]
    assert [value for *_, value in seen] == pytest.approx(short, abs=1e-6)
    assert found.state == "completed"
    assert (WHOLE, RUNGS) == (81, (9, 27))


def test_what_ends_a_fit_on_its_way_is_no_failure() -> None:
    """Tune ends the thread; nothing is told of the trial by itself."""

    def halt(part: int, done: int, value: float) -> None:
        raise Halted

    with pytest.raises(Halted):
        try_out(a_search(stop_early=True), 1, {}, lambda: a_ground(rows_of()), halt)


@pytest.mark.parametrize("estimator", ["sklearn.ensemble.RandomForestClassifier", "sklearn.linear_model.Ridge"])
def test_what_cannot_be_asked_on_its_way_is_fitted_whole(estimator: str) -> None:
    """Nobody is told before the end."""
    kind = {"task": "regression", "target": "wind"} if estimator.endswith("Ridge") else {}
    features = {"features": FEATURES[1:]} if kind else {}
    train = a_training(framework="sklearn", estimator=estimator, params={}, **kind, **features)
    metric = {"metric": "rmse", "greater_is_better": False} if kind else {}

    found = try_out(a_search(train, stop_early=True, **metric), 1, {}, lambda: a_ground(rows_of()), never)

    assert found.state == "completed"
    assert found.value
