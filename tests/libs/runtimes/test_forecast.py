"""Forecasts by a request that carries the past: what is answered, and what is refused in which words."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, LIBRARIES, About, Recipe
from headrace.runtimes import RUNTIMES, BadModel, BadValue, Framed, Model, OutOfProcess, load, starts_slowly
from headrace.runtimes.forecast import INNER, Forecast, Framing
from headrace.runtimes.values import micros

from .conftest import ABOUT, ABSURD, past_framing, past_rows, save_forecast, save_process


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Model]:
    """One that answers with the last value, the promotion and the step."""
    save_forecast(tmp_path)
    with closing(load(tmp_path)) as loaded:
        yield loaded


def changed(row: int, **values: Any) -> dict[str, list[Any]]:
    """The rows with other values in one of them."""
    rows = past_rows()
    for name, value in values.items():
        rows[name][row] = value
    return rows


def without(*gone: int) -> dict[str, list[Any]]:
    """The rows without some of them."""
    return {name: [each for at, each in enumerate(values) if at not in gone] for name, values in past_rows().items()}


def test_rows_that_are_asked_for_are_answered_and_history_is_not(model: Model) -> None:
    """Each asked row from the end of its own series; a row with a value is history, and its answer is missing."""
    told = model.answer(past_rows(), strict=True)

    np.testing.assert_array_equal(told["prediction"], [np.nan] * 3 + [8.0, 8.5] + [np.nan] * 3 + [13.0])
    np.testing.assert_array_equal(told["naive"], [np.nan] * 3 + [6.0, 6.0] + [np.nan] * 3 + [10.0])
    np.testing.assert_array_equal(told["scale"], [np.nan] * 3 + [2.5, 2.5] + [np.nan] * 3 + [0.0])


def test_the_order_of_the_rows_does_not_matter(model: Model) -> None:
    """Time and series say what belongs where."""
    rows, order = past_rows(), np.random.default_rng(0).permutation(9)
    expected = model.answer(rows, strict=True)

    told = model.answer({name: [values[at] for at in order] for name, values in rows.items()}, strict=True)

    for name, values in expected.items():
        np.testing.assert_array_equal(told[name], values[order])


def test_history_alone_is_no_question(model: Model) -> None:
    """It is answered with nothing, as the first rows of a new replica are."""
    told = model.answer(without(3, 4, 8), strict=True)

    assert {name: np.isnan(values).all() for name, values in told.items()} == dict.fromkeys(told, True)
    assert isinstance(model, Framed)
    assert not isinstance(model, OutOfProcess)


@pytest.mark.parametrize("moment", ["2026-01-04T00:00:00", "2026-01-04T23:59:59Z", "2026-01-04T03:00:00+02:00"])
def test_a_time_counts_for_its_step(model: Model, moment: str) -> None:
    """Wherever in the step it lies."""
    told = model.answer(changed(3, day=moment), strict=True)

    assert told["prediction"][3] == 8.0


REFUSED = {
    "a gap in the history": (
        without(1),
        r"input 'day': element 2 \(2026-01-04T00:00:00\) is asked for, but the history of store 'a' has no value "
        r"1 steps of P1D before its end; the model needs the last 3, or `lacking: missing` in the options of its task",
    ),
    "too little history": (without(0), r"store 'a' has no value 2 steps of P1D before its end"),
    "a time twice in the history": (
        changed(1, day="2026-01-01"),
        r"element 1 \(2026-01-01T00:00:00\) lies in the same step of P1D as an earlier row of store 'a'",
    ),
    "a time asked for twice": (changed(4, day="2026-01-04T12:00:00Z"), r"element 4 .* as an earlier row of store 'a'"),
    "a time before the end of the history": (
        changed(3, day="2025-12-01"),
        r"element 3 \(2025-12-01T00:00:00\) has no value of 'sold', so it is asked for, but it does not lie after",
    ),
    "a gap that is written down": (changed(1, sold=None), r"row of store 'a'; leave out the rows of a gap"),
    "beyond the horizon": (
        changed(4, day="2026-01-07"),
        r"element 4 \(2026-01-07T00:00:00\) lies 4 steps of P1D after the last known row of store 'a'; the model "
        r"answers 1 to 3",
    ),
    "a series that is not known": (
        changed(3, store="c"),
        r"element 3 .* is asked for, but no row of store 'c' has a value of 'sold'",
    ),
    "no time": (changed(4, day=None), r"input 'day': element 4 \(None\) is missing; every row needs its time"),
    "what is known in advance is not there": (
        changed(3, promotion=None),
        r"input 'promotion': element 3 \(None\) is missing in a row that is asked for",
    ),
    "a value that is too large": (changed(1, sold=ABSURD), r"input 'sold': element 1 \(1e\+300\) is too large"),
    "an infinite value": (changed(1, sold=float("inf")), r"input 'sold': element 1 \(inf\) is too large"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_forecast_is_refused_with_its_row(model: Model, what: str) -> None:
    """By the input, the row and its time; whoever does not ask to be told gets nothing for such rows."""
    rows, words = REFUSED[what]

    with pytest.raises(BadValue, match=words):
        model.answer(rows, strict=True)
    assert len(model.answer(rows)["prediction"]) == len(rows["day"])


def test_history_that_lacks_values_may_be_answered_where_that_is_declared(tmp_path: Path) -> None:
    """What is not there is a missing value of the features; a series without any history is refused all the same."""
    save_forecast(tmp_path, lacking="missing")

    assert not starts_slowly(tmp_path)
    with closing(load(tmp_path)) as model:
        assert model.answer(without(0, 1), strict=True)["prediction"][1:3].tolist() == [8.0, 8.5]
        with pytest.raises(BadValue, match="no row of store 'a' has a value"):
            model.answer(without(0, 1, 2), strict=True)


def test_one_series_needs_no_name(tmp_path: Path) -> None:
    """Where no column tells series apart all rows are one, and no message speaks of series."""
    framing = Framing({**past_framing().options, "series": []}, past_framing().features[1:], "sold")
    save_forecast(tmp_path)
    Forecast(load).write(framing, tmp_path, framing.signature("forecasting", []), ABOUT, {})
    rows = {name: values[:5] for name, values in past_rows().items() if name != "store"}

    with closing(load(tmp_path)) as model:
        assert model.answer(rows, strict=True)["prediction"][3:].tolist() == [8.0, 8.5]
        with pytest.raises(BadValue, match=r"lies in the same step of P1D as an earlier row$"):
            model.answer({**rows, "day": ["2026-01-01"] * 5}, strict=True)


def test_the_signature_says_what_a_request_carries(model: Model) -> None:
    """Time and series in every row; the target and what is known in advance where they are known."""
    told = {tensor.name: (tensor.datatype, tensor.nullable, tensor.format) for tensor in model.signature.inputs}

    assert told == {
        "day": ("BYTES", False, "date-time"),
        "store": ("BYTES", False, None),
        "promotion": ("FP64", True, None),
        "sold": ("FP64", True, None),
    }
    assert [tensor.name for tensor in model.signature.outputs] == ["prediction", "naive", "scale"]
    assert model.signature.task_options == past_framing().options


def test_a_model_inside_that_takes_something_else_is_refused(tmp_path: Path) -> None:
    """Its features are made by the description beside it, and must be these."""
    save_forecast(tmp_path)
    file = tmp_path / "MLmodel"
    told = yaml.safe_load(file.read_text())
    told["flavors"]["headrace"]["signature"]["task_options"]["lags"] = [1]
    file.write_text(yaml.safe_dump(told))

    with pytest.raises(BadModel, match=f"{INNER} takes lag_2 and gives prediction; a forecast needs prediction of"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda own: own.update(forecast={}), "does not describe a forecast: 'features'"),
        (lambda own: own["forecast"].update(target="bought"), "describes a forecast of bought, day"),
        (lambda own: own["signature"]["task_options"].update(step="daily"), "'daily' is no step"),
        (lambda own: own["signature"].pop("task_options"), "does not describe a forecast: .*'time'"),
        (lambda own: own["forecast"].update(features=[{"name": 1}]), "does not describe a forecast"),
    ],
)
def test_a_description_that_is_none_is_refused(tmp_path: Path, broken: Any, said: str) -> None:
    """BadModel, whatever is wrong with it."""
    save_forecast(tmp_path)
    file = tmp_path / "MLmodel"
    told = yaml.safe_load(file.read_text())
    broken(told["flavors"]["headrace"])
    file.write_text(yaml.safe_dump(told))

    with pytest.raises(BadModel, match=said):
        load(tmp_path)


def test_a_model_inside_may_answer_in_a_process(tmp_path: Path) -> None:
    """Whoever serves it must not wait for it where others are answered, so it says that it does."""
    framing = Framing({**past_framing().options, "series": []}, [], "sold")
    code = """
def predict(columns):
    return {"prediction": [lag + step for lag, step in zip(columns["lag_1"], columns["step_ahead"])]}
"""
    from headrace.contracts import Signature, Tensor
    from headrace.runtimes import Description, write_directory

    save_process(tmp_path / INNER, code)
    names = [column.name for column in framing.learned]
    signature = Signature(
        task="regression",
        inputs=[Tensor(name=name, datatype="FP64", shape=[-1], nullable=True) for name in names],
        outputs=[Tensor(name="prediction", datatype="FP64", shape=[-1])],
    )
    described = Description("process", signature, options={"python": {"module": "model"}})
    write_directory(tmp_path / INNER, described, about=ABOUT, flavors={}, packages=[], example={})
    Forecast(load).write(framing, tmp_path, framing.signature("forecasting", []), ABOUT, {})
    rows = {"day": past_rows()["day"][:5], "sold": past_rows()["sold"][:5]}

    with closing(load(tmp_path)) as model:
        assert isinstance(model, OutOfProcess)
        assert (model.slots, model.problem) == (1, None)
        assert starts_slowly(tmp_path)
        assert model.answer(rows, strict=True)["prediction"][3:].tolist() == [7.0, 8.0]


def daily(stores: int, days: int) -> pd.DataFrame:
    """Sales with a level of the store, a week, a promotion and noise."""
    chance = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "day": np.tile(pd.date_range("2025-01-01", periods=days, tz="UTC"), stores),
            "store": np.repeat([f"s{at}" for at in range(stores)], days),
            "promotion": chance.integers(0, 2, stores * days).astype(float),
        }
    )
    level = np.repeat(chance.uniform(50, 100, stores), days)
    week = 10 * np.sin(2 * np.pi * frame["day"].dt.day_of_week.to_numpy() / 7)
    return frame.assign(sold=level + week + 5 * frame["promotion"] + chance.normal(0, 1, len(frame)))


@pytest.mark.parametrize("framework", LIBRARIES)
def test_served_answers_are_the_framework_s_own_on_10_000_rows(framework: str, tmp_path: Path) -> None:
    """A request of text and JSON numbers, beside the library's own model on features that are made by hand."""
    if framework not in FRAMEWORKS:
        pytest.skip(f"{framework} is not installed here: `make frameworks`")
    stores, days, horizon = 2_500, 12, 4
    frame = daily(stores, days)
    framing = past_framing(horizon=horizon)
    columns = {name: frame[name].to_numpy() for name in ("store", "promotion", "sold")}
    columns["day"] = frame["day"].dt.tz_localize(None).to_numpy()
    asked = frame["day"] >= frame["day"].max() - pd.Timedelta(days=horizon - 1)
    past = {name: values[~asked.to_numpy()][:800] for name, values in columns.items()}
    at, made = framing.examples(past)
    learned = pd.DataFrame(
        {"store": past["store"][at], "promotion": past["promotion"][at], **made, "sold": past["sold"][at]}
    )
    estimator = LIBRARIES[framework].usual_of(("regressor",))
    recipe = Recipe(estimator, {}, 0, framing.learned, "sold", "regression")
    fitted = FRAMEWORKS[framework].fit(learned, recipe, lambda step, of: None)
    inner = tmp_path / INNER
    inner.mkdir()
    FRAMEWORKS[framework].save(fitted, inner, About("run-1", datetime(2026, 1, 2, tzinfo=UTC)))
    forecast = RUNTIMES["forecast"]
    assert isinstance(forecast, Forecast)
    forecast.write(framing, tmp_path, framing.signature("forecasting", []), ABOUT, {})

    known = frame["sold"].to_numpy().reshape(stores, days)[:, : days - horizon]
    features = pd.DataFrame(
        {
            **{f"lag_{lag}": np.repeat(known[:, -lag], horizon) for lag in (1, 2)},
            "rolling_mean_3": np.repeat(known[:, -3:].mean(axis=1), horizon),
            "weekday": frame["day"][asked].dt.day_of_week.to_numpy(float),
            "step_ahead": np.tile(np.arange(1.0, horizon + 1), stores),
            "store": frame["store"][asked].to_numpy(),
            "promotion": frame["promotion"][asked].to_numpy(),
        }
    )
    request = {
        "day": [each.isoformat() for each in frame["day"]],
        "store": frame["store"].tolist(),
        "promotion": frame["promotion"].tolist(),
        "sold": [None if each else value for each, value in zip(asked, frame["sold"], strict=True)],
    }
    with closing(load(tmp_path)) as model:
        told = model.answer(json.loads(json.dumps(request)), strict=True)["prediction"][asked.to_numpy()]

    expected = FRAMEWORKS[framework].load(inner).predict({name: features[name].to_numpy() for name in features})
    assert len(told) == 10_000
    difference = float(np.max(np.abs(told - expected["prediction"])))
    print(f"{framework}: largest difference {difference:.2g}")
    assert difference < 1e-4


def test_times_of_a_request_are_read_as_those_of_a_dataset() -> None:
    """Text and timestamps are the same microseconds, so that features cannot differ by how a time was written."""
    times = pd.date_range("2026-03-29", periods=4, freq="h", tz="UTC")

    written = micros([each.isoformat() for each in times])

    assert written.tolist() == micros(times.tz_localize(None).to_numpy()).tolist()


def test_a_column_that_is_known_in_advance_may_be_missing_where_its_contract_allows_that(tmp_path: Path) -> None:
    """As in training."""
    framing = past_framing()
    features = [framing.features[0], Column(name="promotion", type="number", nullable=True)]
    save_forecast(tmp_path)
    loose = Framing(framing.options, features, "sold")
    Forecast(load).write(loose, tmp_path, loose.signature("forecasting", []), ABOUT, {})

    with closing(load(tmp_path)) as model:
        assert model.answer(changed(3, promotion=None), strict=True)["prediction"][3] == 7.0
