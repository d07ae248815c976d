"""The features of a forecast beside pandas, the grid of steps, and the proof that nothing later is in any of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.contracts import Column
from headrace.runtimes.forecast import BadSeries, Framing, Plan
from headrace.runtimes.forecast.features import MADE, WINDOWED, History, Known, made, scales, seasonal, twice
from headrace.runtimes.forecast.grid import Step, usual_step
from headrace.runtimes.values import micros
from headrace.testkit.examples import examples

START = pd.Timestamp("2025-12-20")
OPTIONS: dict[str, Any] = {
    "time": "day", "series": ["store"], "horizon": 4, "step": "P1D", "lags": [1, 2, 5], "rolling": [3, 6],
    "functions": ["mean", "min", "max", "std"], "calendar": list(MADE), "season": 7, "lacking": "missing",
}  # fmt: skip


def plan(**more: Any) -> Plan:
    """A plan with everything in it."""
    told = {name: value for name, value in {**OPTIONS, **more}.items() if name != "lacking"}
    return Plan(**told, target="sold")


def rows(days: list[tuple[str, int, float]]) -> pd.DataFrame:
    """(store, day, sold), shuffled as they come."""
    frame = pd.DataFrame(days, columns=["store", "number", "sold"])
    return frame.assign(day=START + pd.to_timedelta(frame["number"], unit="D"))


def known(frame: pd.DataFrame, **more: Any) -> Known:
    """The rows as series."""
    columns = {name: frame[name].to_numpy() for name in frame}
    return Known.of(plan(**more), columns, micros(frame["day"].to_numpy()))


def oracle(frame: pd.DataFrame, store: str, origin: int, day: int) -> dict[str, float]:
    """The same features as pandas makes them, of one series on its own calendar."""
    own = frame[frame["store"] == store].set_index("day")["sold"]
    own = own.reindex(pd.date_range(START - pd.Timedelta(days=40), START + pd.Timedelta(days=80)))
    past = own[: START + pd.Timedelta(days=origin)]
    moment = START + pd.Timedelta(days=day)
    found = {"step_ahead": float(day - origin)}
    found |= {f"lag_{lag}": past.iloc[-lag] for lag in OPTIONS["lags"]}
    for size in OPTIONS["rolling"]:
        window = past.rolling(size, min_periods=1)
        found |= {f"rolling_{name}_{size}": getattr(window, name)().iloc[-1] for name in OPTIONS["functions"]}
    same = past[[(moment - each).days % 7 == 0 for each in past.index]]
    found["season_lag"] = same.iloc[-1]
    return {
        **found,
        "minute": moment.minute, "hour": moment.hour, "weekday": moment.weekday(), "day": moment.day,
        "yearday": moment.day_of_year, "month": moment.month, "quarter": moment.quarter,
    }  # fmt: skip


SERIES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 30), st.floats(-1e3, 1e3).map(lambda each: round(each, 3))),
    min_size=2,
    max_size=16,
    unique_by=lambda each: each[:2],
)


@given(SERIES)
@settings(max_examples=examples(25))
def test_every_feature_of_every_example_is_what_pandas_makes(days: list[tuple[str, int, float]]) -> None:
    """Lags, windows with gaps in them, the season, and the calendar."""
    frame = rows(days)
    at, found = known(frame).examples(10_000)

    assert list(found) == plan().names
    for place, row in enumerate(at.tolist()):
        store, day, _ = days[row]
        told = {name: float(values[place]) for name, values in found.items()}
        expected = oracle(frame, store, day - int(told["step_ahead"]), day)
        assert told == pytest.approx(expected, nan_ok=True, rel=1e-9, abs=1e-6)


@given(SERIES)
@settings(max_examples=examples(25))
def test_there_is_an_example_for_each_pair_of_rows_within_the_horizon(days: list[tuple[str, int, float]]) -> None:
    """Each row is learned from every origin that lies 1 to 4 steps before it, and from no other."""
    at, found = known(rows(days)).examples(10_000)

    told = sorted((*days[row][:2], int(step)) for row, step in zip(at.tolist(), found["step_ahead"], strict=True))
    there = {each[:2] for each in days}
    assert told == sorted(
        (store, day, step) for store, day, _ in days for step in range(1, 5) if (store, day - step) in there
    )


@given(SERIES, st.integers(0, 30), st.floats(-1e6, 1e6))
@settings(max_examples=examples(25))
def test_altering_the_future_changes_no_feature(days: list[tuple[str, int, float]], origin: int, other: float) -> None:
    """Whatever comes after an origin, the features of that origin are the same, bit by bit: nothing can leak."""
    frame = rows(days)
    later = frame["number"] > origin
    altered = frame.assign(sold=frame["sold"].where(~later, other))
    codes, asked = np.array([0, 0]), micros((START + pd.to_timedelta([origin + 1, origin + 4], unit="D")).to_numpy())
    index = plan().index(micros(np.array([START.to_datetime64()])))[0] + origin

    one, two = (made(plan(), known(each).history, codes, np.array([index, index]), asked) for each in (frame, altered))

    for name in plan().names:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


@given(SERIES)
@settings(max_examples=examples(25))
def test_a_question_tells_nothing_of_what_it_asks(days: list[tuple[str, int, float]]) -> None:
    """The request of a rolling origin has no value from after the origin, and asks within the horizon alone."""
    frame = rows(days)
    framing = Framing(OPTIONS, [], "sold")
    columns = {name: frame[name].to_numpy() for name in frame}
    judged = (frame["number"] >= frame["number"].median()).to_numpy()

    for question in framing.questions(columns, judged):
        request = framing.request(columns, question)
        numbers = plan().index(micros(request["day"]))
        asked = np.isnan(request["sold"])
        assert asked.sum() == len(question.asked)
        assert asked[-len(question.asked) :].all()
        assert (numbers[~asked] <= question.origin).all()
        assert (numbers[asked] > question.origin).all()
        assert (numbers[asked] <= question.origin + 4).all()
        assert judged[question.asked].all()


def test_the_origins_lie_in_the_judged_part_and_end_a_horizon_before_its_end() -> None:
    """The first knows all that was learned, the last has its whole horizon before it, and there are few of them."""
    series = known(rows([("a", day, float(day)) for day in range(60)]))
    first = int(series.index[0])

    found = list(series.questions(np.arange(60) >= 40, 5))

    assert [each.origin - first for each in found] == [39, 43, 47, 51, 55]
    assert [each.asked.tolist() for each in found][-1] == [56, 57, 58, 59]


def test_a_judged_part_shorter_than_the_horizon_is_asked_from_one_origin() -> None:
    """All that is known of it."""
    series = known(rows([("a", day, float(day)) for day in range(10)]))

    (question,) = series.questions(np.arange(10) >= 8, 5)

    assert question.asked.tolist() == [8, 9]
    assert question.past.tolist() == list(range(8))


def test_too_many_examples_are_thinned_by_their_origins() -> None:
    """The same ones each time, and each origin that is left keeps all its steps."""
    series = known(rows([("a", day, float(day)) for day in range(200)]))

    at, found = series.examples(100)

    origins, steps = np.unique(series.index[at] - found["step_ahead"].astype(int), return_counts=True)
    assert 50 < len(at) < 150
    assert set(steps[origins <= series.index.max() - 4]) == {4}
    assert len(set((origins % 7).tolist())) > 3
    assert series.examples(100)[0].tolist() == at.tolist()


def test_two_rows_of_a_step_are_no_series() -> None:
    """The message names the series and the time, and what to do."""
    frame = rows([("a", 1, 1.0), ("b", 1, 1.0), ("a", 1, 2.0)])

    with pytest.raises(BadSeries, match=r"of store 'a' lie in one step of P1D, at 2025-12-21T00:00:00; one row a step"):
        known(frame)
    assert twice(np.array([0, 1, 0]), np.array([1, 1, 2])) is None
    assert twice(np.array([0, 1, 1, 0]), np.array([1, 2, 2, 1])) == 2


def test_a_made_name_is_not_that_of_a_column() -> None:
    """Two features of one name could not be told apart."""
    frame = rows([("a", day, 1.0) for day in range(5)]).assign(month=1)
    framing = Framing(OPTIONS, [Column(name="month", type="integer", nullable=False)], "sold")

    with pytest.raises(BadSeries, match="the column 'month' has the name of a feature that is made"):
        framing.settled({name: frame[name].to_numpy() for name in frame})


def test_rows_without_a_time_and_rows_that_never_follow_are_refused() -> None:
    """An estimator would learn of nothing."""
    framing = Framing(OPTIONS, [], "sold")
    columns: dict[str, Any] = {"day": ["2026-01-01", None], "store": ["a", "a"], "sold": [1.0, 2.0]}
    with pytest.raises(BadSeries, match="1 of 2 rows have no day; each needs its time"):
        framing.settled(columns)
    with pytest.raises(BadSeries, match="no row lies 1 to 4 steps of P1D behind another one of its series"):
        framing.examples({**columns, "day": ["2026-01-01", "2026-03-01"]})


# the grid


@pytest.mark.parametrize(
    ("step", "times", "numbers"),
    [
        ("P1D", ["2026-01-01T00:00", "2026-01-01T23:59", "2026-01-02T00:00"], [0, 0, 1]),
        ("PT15M", ["2026-01-01T00:00", "2026-01-01T00:15", "2026-01-01T01:00"], [0, 1, 4]),
        ("P1W", ["2026-01-07", "2026-01-14", "2026-02-04"], [0, 1, 4]),
        ("P1M", ["2026-01-31", "2026-02-28", "2026-03-31", "2027-01-31"], [0, 1, 2, 12]),
        ("P3M", ["2026-01-31", "2026-03-31", "2026-04-01"], [0, 0, 1]),
        ("P1Y", ["2026-12-31", "2027-01-01"], [0, 1]),
        ("PT30S", ["1969-12-31T23:59:30", "1970-01-01T00:00:00"], [0, 1]),
    ],
)
def test_a_time_lies_in_its_step(step: str, times: list[str], numbers: list[int]) -> None:
    """By the calendar where months are counted, also before 1970."""
    found = Step.of(step).index(micros(times))

    assert (found - found[0]).tolist() == numbers


@pytest.mark.parametrize("text", ["", "P", "1D", "P0D", "P1D2H", "PT1D", "PT1H30M", "P-1D", "P1.5D", "day"])
def test_what_is_no_step_is_refused_with_the_form(text: str) -> None:
    """A grid has one unit."""
    with pytest.raises(ValueError, match="is no step; write a duration of one unit, such as PT15M, P1D, P1W or P1M"):
        Step.of(text)


@pytest.mark.parametrize(
    ("frequency", "step"),
    [("D", "P1D"), ("h", "PT1H"), ("15min", "PT15M"), ("W", "P7D"), ("MS", "P1M"), ("ME", "P1M"), ("QE", "P3M"),
     ("YS", "P1Y"), ("10s", "PT10S"), ("2D", "P2D")],
)  # fmt: skip
def test_the_usual_step_is_what_most_neighbours_are_apart(frequency: str, step: str) -> None:
    """Whatever the order of the rows, and with gaps; pandas makes the times."""
    times = pd.date_range("2024-01-01", periods=40, freq=frequency).delete([7, 20])
    both = np.concatenate([micros(times.to_numpy())] * 2)
    order = np.random.default_rng(0).permutation(len(both))

    assert usual_step(both[order], np.repeat([0, 1], len(times))[order]) == step
    Step.of(step)


def test_a_step_cannot_be_seen_where_no_series_goes_on() -> None:
    """It must be said then."""
    with pytest.raises(ValueError, match="no series has two rows at different times; say `step`"):
        usual_step(np.array([5, 9]), np.array([0, 1]))


# the parts


def test_what_is_not_known_is_missing() -> None:
    """Before the first row, behind the last one, in a gap, and of a series that has no rows."""
    history = History(np.array([0, 0, 1]), np.array([10, 12, 11]), np.array([1.0, 2.0, 3.0]))

    found = history.at(np.array([0, 0, 0, 0, 1, 1]), np.array([9, 10, 11, 13, 10, 11]))

    np.testing.assert_array_equal(found, [np.nan, 1.0, np.nan, np.nan, np.nan, 3.0])
    nothing = History(np.array([], dtype=int), np.array([], dtype=int), np.array([]))
    assert np.isnan(nothing.at(np.array([0]), np.array([5]))).all()


def test_a_window_without_values_has_no_figures() -> None:
    """And one value has no standard deviation; no warning is given."""
    found = made(plan(), History(np.array([0]), np.array([0]), np.array([4.0])), np.array([0, 0]), np.array([0, 9]),
                 np.array([86_400_000_000, 10 * 86_400_000_000]))  # fmt: skip

    figures = {name: found[f"rolling_{name}_3"].tolist() for name in WINDOWED}
    assert figures == {
        "mean": [4.0, pytest.approx(np.nan, nan_ok=True)],
        "min": [4.0, pytest.approx(np.nan, nan_ok=True)],
        "max": [4.0, pytest.approx(np.nan, nan_ok=True)],
        "std": [pytest.approx(np.nan, nan_ok=True)] * 2,
    }


def test_the_naive_forecast_is_of_the_same_place_in_the_season() -> None:
    """As few whole seasons before as lie in the past; without a season it is the last value."""
    history = History(np.zeros(10, dtype=int), np.arange(10), np.arange(10.0))
    codes, origins, asked = np.zeros(3, dtype=int), np.full(3, 9), np.array([10, 12, 14])

    assert seasonal(plan(season=3), history, codes, origins, asked).tolist() == [7.0, 9.0, 8.0]
    assert seasonal(plan(season=1), history, codes, origins, asked).tolist() == [9.0, 9.0, 9.0]


def test_the_scale_is_the_mean_error_of_the_naive_forecast_in_the_history() -> None:
    """For each series, over the values that have another one a season before them."""
    codes, index = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 2, 0, 0, 5])
    history = History(codes, index, np.array([1.0, 3.0, 2.0, 9.0, 1.0, 2.0]))

    np.testing.assert_array_equal(scales(plan(season=1), history, codes, index, 3), [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(scales(plan(season=2), history, codes, index, 3), [1.0, np.nan, np.nan])


def test_what_a_feature_needs_of_the_past_is_known() -> None:
    """Lags are single values, windows and a season whole stretches."""
    assert plan(lags=[1, 5], rolling=[], season=1).needed == [0, 4]
    assert plan(lags=[9], rolling=[3], season=1).needed == [0, 1, 2, 8]
    assert plan(lags=[1], rolling=[], season=3).needed == [0, 1, 2]
