"""The year as it happened: every flight is asked about when it should leave, its truth told when it landed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import pandas as pd

from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client
from headrace.demo import flights as data

BATCH = 5_000  # labels a report; the schema allows 10,000
SLICE = "3h"  # about 120 flights a request: what a departure board asks at once


@dataclass
class Tally:
    """What the replay asked and got back."""

    requests: int = 0
    predictions: int = 0
    truths: int = 0
    failures: list[str] = field(default_factory=list)
    by_version: dict[str, int] = field(default_factory=dict)
    last_prediction: str = ""


class Replay:
    """Plays flights in time order against the served model, through the SDK alone."""

    def __init__(self, client: Client, model: str) -> None:
        self._client = client
        self._model = model
        self._flying: list[tuple[pd.Timestamp, str, int]] = []  # a heap: who lands next is first
        self.tally = Tally()
        self.now = pd.Timestamp(0)

    def play(self, flights: pd.DataFrame, between: Callable[[int], None]) -> None:
        """Play `flights`, slice by slice; `between` is called after each slice with its number of flights."""
        for start, batch in slices(flights):
            self.now = start
            self._report_landed()
            self._ask(start, batch)
            between(len(batch))

    def land_all(self) -> None:
        """Let the flights that are still in the air land, and report their truth."""
        self.now = pd.Timestamp.max
        self._report_landed()

    def _ask(self, start: pd.Timestamp, batch: pd.DataFrame) -> None:
        columns = {name: plain(batch[name]) for name in data.FEATURES}
        self.tally.requests += 1
        try:
            answer = self._client.predict(self._model, columns, time=f"{start.isoformat()}Z")
        except HeadraceError as error:
            self.tally.failures.append(str(error))
            return
        self._remember(answer, batch)

    def _remember(self, answer: dict[str, Any], batch: pd.DataFrame) -> None:
        prediction, version = answer["parameters"]["prediction_id"], str(answer["model_version"])
        for row, (landed, late) in enumerate(zip(batch["landed_at"], plain(batch[data.TARGET]), strict=True)):
            if late is not None:
                heappush(self._flying, (landed, f"{prediction}:{row}", int(late)))
        self.tally.predictions += len(batch)
        self.tally.by_version[version] = self.tally.by_version.get(version, 0) + len(batch)
        self.tally.last_prediction = f"{prediction}:0"

    def _report_landed(self) -> None:
        labels = []
        while self._flying and self._flying[0][0] <= self.now:
            landed, prediction, late = heappop(self._flying)
            labels.append({"prediction_id": prediction, "value": late, "at": f"{landed.isoformat()}Z"})
        for at in range(0, len(labels), BATCH):
            self._client.truth(self._model, labels[at : at + BATCH])
        self.tally.truths += len(labels)


def slices(flights: pd.DataFrame) -> Iterator[tuple[pd.Timestamp, pd.DataFrame]]:
    """The flights in slices of time, each with the time of its first flight."""
    for _, batch in flights.groupby(flights[data.TIME].dt.floor(SLICE)):
        yield batch[data.TIME].iloc[0], batch


def plain(column: pd.Series) -> list[Any]:
    """A column as JSON knows it: numbers, strings, and null for a gap."""
    return [None if pd.isna(value) else value for value in column.tolist()]
