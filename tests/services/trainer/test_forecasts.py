"""Forecasts from declaration to figures: what is planned, learned, held out, asked by a rolling origin, compared."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from headrace.contracts import ANSWER_COLUMN, Column
from headrace.frameworks import Recipe
from headrace.runtimes import Framed, load
from headrace.runtimes.forecast import BadSeries
from headrace.tasks import parse_declaration, target_of
from headrace.testkit.s3 import S3
from headrace.trainer.import_submission import _planned
from headrace.trainer.planning import Unplannable, plan
from headrace.trainer.tables import DatasetVersionRow
from headrace.trainer.worker import evaluating
from headrace.trainer.worker.evaluating import evaluate
from headrace.trainer.worker.failures import failure_of
from headrace.trainer.worker.framed import columns_of, shaped
from headrace.trainer.worker.jobs import Data, Evaluated, EvaluateJob, Rival, Trained, TrainJob
from headrace.trainer.worker.training import train
from headrace.trainer.worker.truth import ask

from .made_series import TYPES, sales, stored

COLUMNS = [Column(name=name, type=kind, nullable=False) for name, kind in TYPES.items()]
TOLD: dict[str, Any] = {
    "time": "day", "series": ["store"], "horizon": 4, "lags": [1, 2, 7], "rolling": [7], "calendar": ["weekday"],
}  # fmt: skip
METRICS = ["mae", "rmse", "mase", "smape"]
TRAINING = {"estimator": "sklearn.ensemble.HistGradientBoostingRegressor", "params": {"max_iter": 30}}


def declared(options: dict[str, Any] | None = None, **fields: Any) -> Any:
    """A declaration of sales, with other options."""
    data = {"dataset": "sales", "target": "sold", **fields.pop("data", {})}
    told = {"name": "m", "task": "forecasting", "task_options": {**TOLD, **(options or {})}, "data": data}
    return parse_declaration({**told, "training": TRAINING, **fields})


def job(version: Data, run: str, options: dict[str, Any] | None = None, **fields: Any) -> TrainJob:
    """A run, planned as the trainer plans it."""
    planned = vars(plan(declared(options, **fields), COLUMNS, {}, 0, "none"))
    return TrainJob(
        run=run, attempt=1, model="m", data=version, columns=list(TYPES), created=datetime(2026, 1, 1, tzinfo=UTC),
        bucket="models", **planned,
    )  # fmt: skip


def trained(buckets: S3, data: Data, run: str, options: dict[str, Any] | None = None, **fields: Any) -> Trained:
    """A run in this process."""
    return train(job(data, run, options, **fields), buckets.sync, lambda step: None)


def met(buckets: S3, data: Data, candidate: Trained, champion: Trained | None = None) -> Evaluated:
    """What the evaluation finds."""
    asked = EvaluateJob(
        evaluation="e",
        candidate=Rival(version=2, artifact=candidate.artifact, learned=candidate.learned),
        champion=Rival(version=1, artifact=champion.artifact, learned=champion.learned) if champion else None,
        data=data, columns=list(TYPES), holdout=candidate.holdout, target="sold", metrics=list(candidate.metrics),
        confidence=0.95, resamples=60, seed=0,
    )  # fmt: skip
    return evaluate(asked, buckets.sync, lambda step: None)


@pytest.fixture(scope="module")
def data(buckets: S3) -> Data:
    """Three stores of 120 days."""
    return stored(buckets, sales(3, 120))


@pytest.fixture(scope="module")
def candidate(buckets: S3, data: Data) -> Trained:
    """A model of them."""
    return trained(buckets, data, "r1")


def test_a_forecast_is_planned_with_its_series_alone() -> None:
    """What else a dataset has is not known in advance, so it is learned from only where it is named."""
    planned = job(Data.model_construct(), "r")
    named = job(Data.model_construct(), "r", data={"features": ["promotion"]})

    assert [column.name for column in planned.features] == ["store"]
    assert [column.name for column in named.features] == ["store", "promotion"]
    assert (planned.time, planned.by, planned.metrics) == ("day", "time", METRICS)
    assert planned.options["lacking"] == "refuse"
    assert not planned.warnings


def test_one_series_may_have_no_column_to_learn_from() -> None:
    """Its own past is enough."""
    told = declared().model_copy(update={"task_options": {k: v for k, v in TOLD.items() if k != "series"}})

    assert plan(told, COLUMNS, {}, 0, "none").features == []


@pytest.mark.parametrize(
    ("options", "types", "said"),
    [
        ({"series": ["shop"]}, TYPES, "columns shop of task_options are none of dataset 'sales'"),
        ({}, {**TYPES, "day": "integer"}, "time column 'day' holds no timestamps, and steps are counted on a calendar"),
        ({}, {**TYPES, "day": "string"}, "time column 'day' is text"),
    ],
)
def test_what_the_dataset_does_not_have_is_refused_before_a_run(
    options: dict[str, Any], types: dict[str, str], said: str
) -> None:
    """By name."""
    columns = [Column(name=name, type=kind, nullable=False) for name, kind in types.items()]
    with pytest.raises(Unplannable, match=said):
        plan(declared(options), columns, {}, 0, "none")


def test_a_run_ends_with_a_model_that_answers_for_the_future(buckets: S3, candidate: Trained, tmp_path: Path) -> None:
    """Its signature says what a request carries; the step is that of the rows; figures are by the rolling origin."""
    model = load(buckets.sync.get_directory(candidate.artifact, tmp_path / "model"))
    frame = sales(3, 120)
    future = frame.groupby("store").tail(1).assign(sold=np.nan)
    future["day"] += pd.Timedelta(days=1)
    rows = pd.concat([frame, future])

    told = model.answer(columns_of(rows), strict=True)

    assert [tensor.name for tensor in candidate.signature.inputs] == ["day", "store", "sold"]
    assert candidate.signature.task_options is not None
    assert candidate.signature.task_options["step"] == "P1D"
    assert np.isnan(told["prediction"][:-3]).all()
    assert np.isfinite(told["prediction"][-3:]).all()
    assert set(candidate.metrics) == set(METRICS)
    assert candidate.metrics["mase"] < 0.8
    assert (candidate.holdout.by, candidate.holdout.column) == ("time", "day")
    assert candidate.train_rows + (candidate.holdout.rows or 0) == 360


def test_the_reference_has_the_answers_to_held_out_rows(buckets: S3, candidate: Trained) -> None:
    """What drift compares with: the forecasts of the rolling origin, and the series."""
    import io

    found = pq.read_table(io.BytesIO(buckets.sync.get(candidate.reference))).to_pandas()

    assert list(found) == ["store", ANSWER_COLUMN, "sold"]
    answered = found[found[ANSWER_COLUMN].notna()]
    assert len(answered) > 100
    assert np.corrcoef(answered[ANSWER_COLUMN], answered["sold"])[0, 1] > 0.9


def test_the_evaluation_finds_the_figures_of_the_run(buckets: S3, data: Data, candidate: Trained) -> None:
    """On the same origins, with the naive forecast beside it, which the model beats."""
    found = met(buckets, data, candidate)

    assert found.candidate == pytest.approx(candidate.metrics)
    naive = {each.metric: each for each in found.baselines if "last known value" in each.answer}
    assert set(naive) == set(METRICS)
    assert naive["mae"].low > 0
    assert any("the mean" in each.answer for each in found.baselines)


def test_candidate_and_champion_meet_on_the_same_origins(buckets: S3, data: Data, candidate: Trained) -> None:
    """Though the champion was told other lags and a longer horizon; a model beside itself differs by nothing."""
    other = trained(buckets, data, "r2", {"lags": [1], "rolling": [3, 14], "horizon": 6})

    with_other, with_itself = met(buckets, data, candidate, other), met(buckets, data, candidate, candidate)

    assert with_other.incomparable is None
    assert with_itself.compared_rows == with_itself.rows
    assert with_other.compared_rows == with_other.rows
    assert {each.difference for each in with_itself.comparisons} == {0.0}
    assert with_itself.champion == pytest.approx(candidate.metrics)
    assert with_other.champion is not None
    assert with_other.champion["mae"] != pytest.approx(candidate.metrics["mae"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"horizon": 2}, "version 1 cannot answer for these rows: its horizon is 2 steps, not 4"),
        ({"step": "P1W", "horizon": 4}, "version 1 cannot answer for these rows: its step is 'P1W', not 'P1D'"),
    ],
)
def test_a_champion_that_answers_something_else_is_not_compared(
    buckets: S3, data: Data, candidate: Trained, options: dict[str, Any], said: str
) -> None:
    """It was not asked the same, and the evaluation says why."""
    if "step" in options:
        champion = trained(buckets, stored(buckets, sales(1, 140).iloc[::7]), "r3-weekly", options)
    else:
        champion = trained(buckets, data, "r3", options)

    found = met(buckets, data, candidate, champion)

    assert found.champion is None
    assert found.incomparable is not None
    assert said in found.incomparable


def test_a_champion_of_another_task_is_not_compared(buckets: S3, data: Data, candidate: Trained) -> None:
    """A regression answers for rows that stand for themselves."""
    told = parse_declaration(
        {
            "name": "m", "task": "regression", "training": TRAINING,
            "data": {"dataset": "sales", "target": "sold", "time": "day"}, "evaluation": {"metrics": ["mae"]},
        }
    )  # fmt: skip
    planned = vars(plan(told, COLUMNS, {}, 0, "none"))
    plain = train(
        TrainJob(
            run="r4", attempt=1, model="m", data=data, columns=list(TYPES), created=datetime(2026, 1, 1, tzinfo=UTC),
            bucket="models", **planned,
        ),
        buckets.sync,
        lambda step: None,
    )  # fmt: skip

    one, other = met(buckets, data, candidate, plain), met(buckets, data, plain, candidate)

    assert "it answers as regression, not as forecasting" in (one.incomparable or "")
    assert "it answers as forecasting, not as regression" in (other.incomparable or "")


def test_altering_the_held_out_part_changes_nothing_that_is_learned(buckets: S3, candidate: Trained) -> None:
    """Leakage is impossible: with another future the fitted model is the same, byte by byte."""
    frame = sales(3, 120)
    boundary = pd.Timestamp(candidate.holdout.boundary)
    altered = frame.assign(sold=frame["sold"].where(frame["day"] < boundary, -1e6))

    other = trained(buckets, stored(buckets, altered), "r5")

    assert other.holdout.boundary == candidate.holdout.boundary
    graphs = [
        next(file.sha256 for file in each.artifact.files if file.path.endswith("model.onnx"))
        for each in (candidate, other)
    ]
    assert graphs[0] == graphs[1]


def test_altering_what_comes_after_an_origin_changes_no_answer_from_it(
    buckets: S3, candidate: Trained, tmp_path: Path
) -> None:
    """The first origin of the evaluation knows nothing of the held-out part."""
    model = load(buckets.sync.get_directory(candidate.artifact, tmp_path / "model"))
    assert isinstance(model, Framed)
    frame = sales(3, 120)
    held = (frame["day"] >= pd.Timestamp(candidate.holdout.boundary)).to_numpy()
    altered = frame.assign(sold=frame["sold"].where(~held, 1e5))

    first, second = ask(model, frame, held), ask(model, altered, held)

    count = 3 * 4  # stores and steps of the first origin
    assert first.outputs["prediction"][:count].tolist() == second.outputs["prediction"][:count].tolist()
    assert first.outputs["prediction"].tolist() != second.outputs["prediction"].tolist()
    assert first.at.tolist() == second.at.tolist()


def test_a_row_that_several_origins_ask_for_is_drawn_as_one(buckets: S3, candidate: Trained, tmp_path: Path) -> None:
    """Its forecasts tell of the same truth: as rows of their own they would make an interval too narrow."""
    model = load(buckets.sync.get_directory(candidate.artifact, tmp_path / "model"))
    frame = sales(3, 120)
    held = (frame["day"] >= pd.Timestamp(candidate.holdout.boundary)).to_numpy()

    said = ask(model, frame, held)

    assert len(said.at) > len(np.unique(said.at))
    assert said.score.units == len(np.unique(said.at))
    assert target_of(model.signature).trivial_beside(said.outputs)[0].score.shape == said.at.shape


def test_a_series_that_begins_in_the_held_out_part_is_asked_once_something_is_known(
    buckets: S3, candidate: Trained, tmp_path: Path
) -> None:
    """Before that there is no answer, and no figure is made of none."""
    model = load(buckets.sync.get_directory(candidate.artifact, tmp_path / "model"))
    frame = sales(3, 120)
    boundary = pd.Timestamp(candidate.holdout.boundary)
    young = frame[(frame["store"] != "s2") | (frame["day"] >= boundary + pd.Timedelta(days=8))].reset_index(drop=True)

    said = ask(model, young, (young["day"] >= boundary).to_numpy())

    unanswered = said.rows["store"][~said.answered]
    assert set(unanswered) == {"s2"}
    assert "s2" in set(said.those(said.answered).rows["store"])


def test_a_model_of_such_a_task_cannot_be_imported() -> None:
    """Nobody else makes these features; the import fails before anything is fetched."""
    version = DatasetVersionRow(dataset="sales", version=1, digest="d", columns=[])

    with pytest.raises(Unplannable, match="a model of task forecasting cannot be imported: its features are made"):
        _planned(declared(), version, whole=True)


def test_rows_that_are_no_series_fail_the_run_as_data(buckets: S3) -> None:
    """With the words that say what to do."""
    twice = pd.concat([sales(1, 40)] * 2, ignore_index=True)

    with pytest.raises(BadSeries, match=r"two rows of store 's0' lie in one step of P1D, at 2025-01-01T00:00:00") as no:
        trained(buckets, stored(buckets, twice), "r6")
    assert failure_of(no.value).because == "data"


def test_a_framework_is_told_of_a_plain_regression(buckets: S3) -> None:
    """So that any of its regressors fits a forecast; weights and columns known in advance come with each example."""
    frame = sales(2, 20)
    store, promotion = COLUMNS[1], COLUMNS[2]
    options = {**declared().task_options, "step": "P1D"}
    recipe = Recipe("x", {}, 0, [store, promotion], "sold", "forecasting", options=options, context=[COLUMNS[0]])

    found = shaped(frame, recipe)

    assert (found.recipe.task, found.recipe.options, found.recipe.context) == ("regression", {}, ())
    names = [column.name for column in found.recipe.features]
    assert names[:4] == ["step_ahead", "lag_1", "lag_2", "lag_7"]
    assert names[-2:] == ["store", "promotion"]
    assert set(names) <= set(found.rows)
    steps = found.rows.groupby("step_ahead").size().tolist()
    assert steps == [2 * (20 - step) for step in (1, 2, 3, 4)]
    plain = shaped(frame, Recipe("x", {}, 0, [promotion], "sold", "regression"))
    assert plain.rows is frame


def test_too_few_rows_that_neither_has_learned_are_not_compared(buckets: S3, data: Data, candidate: Trained) -> None:
    """Distinct rows are counted, however often each was asked for."""
    few = trained(buckets, data, "r7", evaluation={"holdout": {"fraction": 0.04}})

    found = met(buckets, data, few, candidate)

    assert evaluating.FEWEST_ROWS == 20
    assert "has learned from all but 15 of the 15 held-out rows" in (found.incomparable or "")
