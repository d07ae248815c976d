"""The demo's data: real, whole, in time order, and with nothing in them that only the landing tells."""

from pathlib import Path

import pandas as pd
import pytest

from headrace.demo import flights as data


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """All flights of 2013, read once."""
    return data.load()


def test_every_flight_of_the_year_is_there(year: pd.DataFrame) -> None:
    """No flight is lost or doubled by the join with the weather."""
    assert len(year) == 336_776


def test_flights_come_in_the_order_of_the_timetable(year: pd.DataFrame) -> None:
    """A replay can walk the frame from top to bottom."""
    assert year[data.TIME].is_monotonic_increasing


def test_truth_is_unknown_exactly_for_flights_that_never_landed(year: pd.DataFrame) -> None:
    """9,430 flights were cancelled or diverted; nobody can say that they were late."""
    assert year[data.TARGET].isna().sum() == 9_430
    assert (year[data.TARGET].isna() == year["landed_at"].isna()).all()


def test_flights_over_midnight_land_after_they_leave(year: pd.DataFrame) -> None:
    """The landing's date is not taken from the departure's day alone."""
    night = year[(year["hour"] >= 22) & year["landed_at"].notna()]

    assert (night["landed_at"] > night[data.TIME]).mean() > 0.99


def test_nothing_that_only_the_departure_tells_is_a_feature() -> None:
    """The model judges from timetable and weather alone."""
    assert not {"dep_delay", "dep_time", "arr_time", "air_time", "arr_delay"} & set(data.FEATURES)


def test_the_csv_holds_the_landed_flights_with_their_truth(year: pd.DataFrame, tmp_path: Path) -> None:
    """What the data team delivers can be read back as it was."""
    january = data.month(year, 1)

    written = pd.read_csv(data.write_csv(january, tmp_path / "january.csv"), parse_dates=[data.TIME])

    assert list(written.columns) == [data.TIME, *data.FEATURES, data.TARGET]
    assert len(written) == january[data.TARGET].notna().sum()
    assert set(written[data.TARGET]) == {0, 1}
    assert written[data.TIME].dt.month.eq(1).all()
