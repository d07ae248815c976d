"""The replay: predictions at departure, truth at landing, nothing lost between."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from headrace.client import Rejected
from headrace.demo import flights as data
from headrace.demo.replay import Replay, slices


class ModelRepository:
    """A stand-in for the SDK that answers at once and remembers what it was told (the real one needs a stack)."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.asked: list[tuple[str, int]] = []
        self.told: list[tuple[int, list[dict[str, Any]]]] = []

    def predict(self, model: str, columns: dict[str, list[Any]], **parameters: Any) -> dict[str, Any]:
        if self.broken:
            raise Rejected(503, "not loaded yet")
        self.asked.append((parameters["time"], len(columns["carrier"])))
        return {"parameters": {"prediction_id": f"p{len(self.asked)}"}, "model_version": "1"}

    def truth(self, model: str, labels: Sequence[dict[str, Any]]) -> None:
        self.told.append((len(self.asked), list(labels)))


@pytest.fixture(scope="module")
def day() -> pd.DataFrame:
    """The flights of one February day, one of them cancelled at least."""
    year = data.load()
    return year[year[data.TIME].dt.strftime("%m-%d") == "02-08"].copy()


def test_every_flight_is_asked_about_once_and_told_about_when_it_landed(day: pd.DataFrame) -> None:
    """Each landed flight gets exactly one label, joined by the id of its own prediction."""
    repository = ModelRepository()
    replay = Replay(repository, "flights-delay")  # type: ignore[arg-type]

    replay.play(day, lambda _count: None)
    replay.land_all()

    labels = [label for _, batch in repository.told for label in batch]
    assert sum(rows for _, rows in repository.asked) == len(day) == replay.tally.predictions
    assert len({label["prediction_id"] for label in labels}) == len(labels) == day[data.TARGET].notna().sum()
    assert sum(label["value"] for label in labels) == day[data.TARGET].sum()


def test_no_truth_is_told_before_the_flight_has_landed(day: pd.DataFrame) -> None:
    """A label's landing is never later than the moment of the replay at which it was told."""
    repository = ModelRepository()
    replay = Replay(repository, "flights-delay")  # type: ignore[arg-type]

    replay.play(day, lambda _count: None)

    starts = [start for start, _ in slices(day)]
    for asked, batch in repository.told:
        assert all(pd.Timestamp(label["at"][:-1]) <= starts[asked] for label in batch)


def test_a_failed_request_is_counted_and_the_replay_goes_on(day: pd.DataFrame) -> None:
    """The story fails on it at the end; the year does not stop for it."""
    replay = Replay(ModelRepository(broken=True), "flights-delay")  # type: ignore[arg-type]

    replay.play(day, lambda _count: None)

    assert len(replay.tally.failures) == replay.tally.requests == len(list(slices(day)))
    assert replay.tally.failures[0] == "not loaded yet"


def test_gaps_travel_as_null_and_numbers_as_plain_numbers(day: pd.DataFrame) -> None:
    """JSON knows neither NaN nor numpy."""
    seen: dict[str, list[Any]] = {}

    class Recorder(ModelRepository):
        def predict(self, model: str, columns: dict[str, list[Any]], **parameters: Any) -> dict[str, Any]:
            seen.update(columns)
            return super().predict(model, columns, **parameters)

    Replay(Recorder(), "m").play(day.assign(pressure=float("nan")), lambda _count: None)  # type: ignore[arg-type]

    assert set(seen["pressure"]) == {None}
    assert all(type(hour) is int for hour in seen["hour"])
    assert all(type(name) is str for name in seen["carrier"])
