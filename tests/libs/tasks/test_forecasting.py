"""What a forecast may be told in a declaration, what follows from it, and what two models must have in common."""

import re
from typing import Any

import numpy as np
import pytest

from headrace.contracts import ContractError, KnownDataset
from headrace.runtimes import RUNTIMES
from headrace.runtimes.forecast.features import MADE, WINDOWED
from headrace.runtimes.forecast.grid import Step
from headrace.tasks import TASKS, BadTruth, examine, parse_declaration
from headrace.tasks.forecasting import _STEP, Forecasting

SALES = KnownDataset(
    "sales", {"day": "timestamp", "store": "string", "sold": "number", "promotion": "integer", "number": "integer"}, 1
)
LEAST = {"time": "day", "horizon": 14}


def document(options: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A declaration of a forecast."""
    data = {"dataset": "sales", "target": "sold", **fields.pop("data", {})}
    return {"name": "m", "data": data, "task_options": {**LEAST, **(options or {})}, **fields}


def test_time_and_horizon_are_enough() -> None:
    """The task is known by its options, the rows are ordered and held out by its time, and all else is usual."""
    found = examine(document(), SALES)
    declared = found.declaration

    assert declared.task == "forecasting"
    assert declared.data.time == "day"
    assert declared.evaluation.holdout.by == "time"
    assert declared.evaluation.metrics == ["mae", "rmse", "mase", "smape"]
    assert declared.task_options == {
        "time": "day", "horizon": 14, "lags": [1, 2, 3, 4, 5, 6, 7], "rolling": [7], "functions": ["mean", "std"],
        "calendar": ["hour", "weekday", "day", "month"], "season": 1, "lacking": "refuse",
    }  # fmt: skip
    assert not found.warnings
    assert examine(declared.model_dump(mode="json", exclude_none=True), SALES).declaration == declared


def test_the_time_may_be_said_in_both_places() -> None:
    """It is the same column."""
    assert parse_declaration(document(data={"time": "day"}), SALES).data.time == "day"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (document({"horizon": 0}), "task_options.horizon: takes an integer from 1 to 10000; not 0"),
        (document({"horizon": "two weeks"}), "task_options.horizon: takes an integer from 1 to 10000"),
        (document({"step": "daily"}), "task_options.step: 'daily' is no step; write a duration of one unit, such as"),
        (document({"step": "PT1H30M"}), "task_options.step: 'PT1H30M' is no step"),
        (document({"lags": []}), "task_options.lags: takes a list of 1 to 200 values"),
        (document({"lags": [1, 0]}), "task_options.lags: takes a list of 1 to 200 values, each an integer from 1 to"),
        (document({"lags": [1, 7, 1]}), "task_options.lags: each one once is needed, not [1, 7, 1]"),
        (document({"functions": ["median"]}), "task_options.functions: takes a list of 1 to 4 values"),
        (document({"calendar": ["weekdays"]}), "task_options.calendar: takes a list of 0 to 7 values"),
        (document({"lag": [1]}, task="forecasting"), "task_options.lag: forecasting has no such option; did you mean"),
        (document({"series": ["shop"]}), "task_options.series[0]: dataset 'sales' has no column 'shop'"),
        (document({"series": ["day"]}), "task_options.series: 'day' is the time; a series has many of them"),
        (document({"series": ["sold"]}), "task_options.series[0]: 'sold' is the target"),
        (document({"time": "sold"}), "task_options.time: 'sold' is the target"),
        (document({"time": "date"}), "task_options.time: dataset 'sales' has no column 'date'"),
        (document({"time": "number"}), "'number' holds numbers; the steps of forecasting are counted on a calendar"),
        (document(data={"time": "number"}), "task_options.time: 'day' is not data.time, which is 'number'; one column"),
        (document({"series": ["store"]}, data={"ignore": ["store"]}), "'store' is in data.ignore, too; it is either"),
        (document(evaluation={"holdout": {"by": "random"}}), "evaluation.holdout.by: forecasting is judged on what"),
        (document(data={"positive": 1}), "data.positive: is for binary; a forecast has no labels"),
        (document(data={"target": "store"}), "'store' holds text; a regression learns numbers"),
        (document(training={"class_weight": "balanced"}), "is for labels, and task forecasting has none"),
        (document(evaluation={"metrics": ["accuracy"]}), "accuracy is no metric of forecasting; known are rmse, mae,"),
        (document(data={"features": ["temperature"]}), "data.features[0]: dataset 'sales' has no column"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_place_at_apply(given: dict[str, Any], said: str) -> None:
    """Before anything runs, with what would be right."""
    with pytest.raises(ContractError) as refused:
        parse_declaration(given, SALES)

    assert said in str(refused.value)


def test_time_and_horizon_must_be_said() -> None:
    """Nobody else can know them."""
    with pytest.raises(ContractError) as refused:
        parse_declaration({**document(), "task": "forecasting", "task_options": {}})

    assert "task_options.time: is missing; it is the column that orders the rows" in str(refused.value)
    assert "task_options.horizon: is missing; it is how many steps ahead are answered" in str(refused.value)


def test_a_random_holdout_is_for_tasks_whose_rows_stand_for_themselves() -> None:
    """The same words do no harm elsewhere."""
    told = {"name": "m", "task": "regression", "data": {"dataset": "sales", "target": "sold", "time": "day"}}

    assert parse_declaration({**told, "evaluation": {"holdout": {"by": "random"}}}, SALES)


def test_the_runtime_that_makes_the_features_knows_every_word_of_the_options() -> None:
    """The task lies below it and says the same words; none of them may be missing there."""
    options = {option.name: option for option in Forecasting.options}

    assert set(options["calendar"].rule["one_of"]) == set(MADE)
    assert set(options["functions"].rule["one_of"]) == set(WINDOWED)
    assert Forecasting.framed_by in RUNTIMES
    for text in ("P1D", "PT15M", "P1W", "P3M", "P1Y", "PT1H30M", "P1DT2H", "P0D", "1D", "PT1D"):
        assert bool(re.fullmatch(_STEP, text)) is _is_step(text)


def _is_step(text: str) -> bool:
    try:
        Step.of(text)
    except ValueError:
        return False
    return True


def test_two_models_are_compared_where_they_count_the_same_series_alike() -> None:
    """The other may look further ahead, and may have learned from other lags."""
    mine = TASKS["forecasting"].bare({**LEAST, "step": "P1D", "series": ["store"]})
    score = np.zeros(3)

    further = TASKS["forecasting"].bare({**LEAST, "step": "P1D", "series": ["store"], "horizon": 20, "lags": [1]})
    assert mine.aligned(further, score) is score
    for other, said in (
        ({"horizon": 7}, "its horizon is 7 steps, not 14"),
        ({"step": "P1W"}, "its step is 'P1W', not 'P1D'"),
        ({"series": ["region"]}, r"its series is \['region'\], not \['store'\]"),
        ({"time": "at"}, "its time is 'at', not 'day'"),
    ):
        told = {**LEAST, "step": "P1D", "series": ["store"], **other}
        with pytest.raises(BadTruth, match=said):
            mine.aligned(TASKS["forecasting"].bare(told), score)


def test_the_naive_forecast_comes_with_the_answers() -> None:
    """As an answer that needs no model, by the season that was declared; without it there is none."""
    outputs = {"prediction": [1.0, None], "naive": [2.0, None], "scale": [0.5, None]}

    (last,) = TASKS["forecasting"].bare(LEAST).trivial_beside(outputs)
    (week,) = TASKS["forecasting"].bare({**LEAST, "season": 7}).trivial_beside(outputs)

    assert last.score[0] == 2.0
    assert np.isnan(last.score[1])
    assert last.words == "the last known value of the series"
    assert week.words == "the last known value 7 steps apart"
    assert TASKS["forecasting"].bare(LEAST).trivial_beside({"prediction": [1.0]}) == []
    assert TASKS["regression"].bare().trivial_beside({"prediction": [1.0]}) == []


def test_history_in_a_log_is_judged_by_nobody() -> None:
    """Its answer is null, and so is no answer; its truth may be known all the same."""
    target = TASKS["forecasting"].bare(LEAST)
    score = target.judged({"prediction": [None, 3.0], "naive": [None, 1.0], "scale": [None, 2.0]}, {})

    assert score is not None
    assert score.known.tolist() == [False, True]
    assert score.at(score.known).scale.tolist() == [2.0]  # type: ignore[union-attr]
