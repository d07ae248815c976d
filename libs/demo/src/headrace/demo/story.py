"""The story: one model's life from a CSV to a served, watched and audited model, by events alone.

Nothing is staged: the driver delivers data when it is asked to, sends the traffic of the year, reports the truth,
and looks on. What is trained, judged, promoted and rolled out is decided by the services.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pandas as pd

from headrace.cli.event_log import EventLog, Happening
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client, Document
from headrace.contracts import load_yaml
from headrace.demo import flights as data
from headrace.demo.replay import Replay

DECLARATION = Path(__file__).with_name("flights-delay.yaml")
FIRST_MONTHS = (1, 2)
SETTLED = ("rollout.completed", "rollout.rolled_back", "version.rejected", "training.failed", "evaluation.failed")
FAILURES = ("training.failed", "evaluation.failed", "dataset.rejected", "rollout.rolled_back")
LONGEST_WAIT_S = 120.0  # seconds for any one thing to follow by events; the slowest is a rollout, about 20 s
PACE = 0.12  # seconds between two requests while a new version is on its way, so that it meets traffic


@dataclass
class Outcome:
    """What the story saw, for the summary and the report."""

    model: str
    first_prediction: Document = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)  # months (2013-03) that the traffic has gone past
    windows: list[Document] = field(default_factory=list)
    versions: list[Document] = field(default_factory=list)
    rollouts: list[Document] = field(default_factory=list)
    verification: Document = field(default_factory=dict)
    trace: Document = field(default_factory=dict)
    dead_letters: list[Document] = field(default_factory=list)
    delivered: list[tuple[int, ...]] = field(default_factory=list)


class Story:
    """Plays the story against one stack; each chapter can be read on its own."""

    def __init__(
        self,
        client: Client,
        traffic: Client,
        event_log: EventLog,
        *,
        verify: Callable[[], Document],
        progress: Callable[[str, int, int], None],
        chapter: Callable[[str], None] = lambda _title: None,
    ) -> None:
        self._client = client
        self._event_log = event_log
        self._verify = verify
        self._progress = progress
        self._chapter = chapter
        self.declaration: Document = load_yaml(DECLARATION.read_text())
        self.model: str = self.declaration["name"]
        self.dataset: str = self.declaration["data"]["dataset"]
        self.replay = Replay(traffic, self.model)
        self.outcome = Outcome(self.model)
        self._errors: list[HeadraceError] = []
        self._answered = 0  # requests for retraining that were answered with data
        self._deliveries: list[Thread] = []

    def play(self, until: int) -> Outcome:
        """Play the year up to and with month `until`; raises HeadraceError where a step does not hold."""
        self._flights = data.load()
        self._chapter("A model is declared, and January and February arrive")
        self._client.apply(self.declaration)
        self.deliver(FIRST_MONTHS)
        self.first_version_serves()
        self._chapter("The year goes on: flights are asked about when they leave, the truth is told when they land")
        self.ask_once()
        for month in range(max(FIRST_MONTHS) + 1, until + 1):
            self.play_month(month)
        self.close_last_window(until)
        self.settle()
        self._chapter("Looking back: what the record proves")
        self.look_back()
        return self.outcome

    def deliver(self, months: tuple[int, ...]) -> None:
        """The data team uploads the landed flights of some months as one CSV."""
        with TemporaryDirectory() as folder:
            chosen = self._flights[self._flights[data.TIME].dt.month.isin(months)]
            name = f"flights-2013-{months[0]:02d}-to-{months[-1]:02d}.csv"
            self._client.ingest(self.dataset, data.write_csv(chosen, Path(folder) / name))
        self.outcome.delivered.append(months)

    def first_version_serves(self) -> None:
        """Training, evaluation, gates, alias and rollout follow from the data by themselves."""
        self._await("training.completed")
        self._await("version.approved")
        self._await("rollout.completed")

    def ask_once(self) -> None:
        """One traveller asks, under the same trace as the upload: this prediction is traced at the end."""
        flight = data.month(self._flights, max(FIRST_MONTHS) + 1).head(1)
        columns = {name: [*map(_plain, flight[name])] for name in data.FEATURES}
        moment = f"{flight[data.TIME].iloc[0].isoformat()}Z"
        self.outcome.first_prediction = self._client.predict(self.model, columns, time=moment)

    def play_month(self, month: int) -> None:
        """A month of flights: asked about when they leave, told about when they land."""
        flights = data.month(self._flights, month)
        done = 0

        def between(count: int) -> None:
            nonlocal done
            done += count
            self._progress(f"2013-{month:02d}", done, len(flights))
            self.answer_requests(month)
            time.sleep(PACE if self.busy() else 0)

        self.replay.play(flights, between)

    def answer_requests(self, month: int) -> None:
        """When retraining was asked for, the months since the last delivery are brought, while traffic goes on."""
        asked = len(self._event_log.all("request.training"))
        newest = max(self.outcome.delivered[-1])
        if asked <= self._answered or newest >= month - 1 or self._delivering():
            return
        self._answered = asked
        self._deliveries.append(Thread(target=self._deliver, args=(tuple(range(newest + 1, month)),), daemon=True))
        self._deliveries[-1].start()

    def busy(self) -> bool:
        """A new version is on its way: data are being delivered, or what follows from them has not settled."""
        if self._errors:
            raise self._errors[0]
        last = self._event_log.last("training.started", *SETTLED)
        return self._delivering() or (last is not None and last.type == "training.started")

    def close_last_window(self, month: int) -> None:
        """The last flights land, and the first flight of the next month shows that the month is over."""
        self.replay.land_all()
        following = data.month(self._flights, month + 1).head(1) if month < 12 else self._flights.tail(0)
        last = month if len(following) else month - 1
        self.outcome.closed = [f"2013-{each:02d}" for each in range(max(FIRST_MONTHS) + 1, last + 1)]
        if len(following):
            self.replay.play(following, lambda _count: None)
            self._await("window.evaluated", lambda d: d["window"]["start"].startswith(self.outcome.closed[-1]))

    def settle(self) -> None:
        """Wait until no version is on its way."""
        deadline = time.monotonic() + LONGEST_WAIT_S
        while self.busy() and time.monotonic() < deadline:
            time.sleep(0.1)

    def look_back(self) -> None:
        """Everything the report needs, asked from the services as any user would."""
        self.outcome.windows = sorted(self._client.windows(self.model), key=lambda w: (month_of(w), w["version"]))
        self.outcome.versions = self._client.versions(self.model)
        self.outcome.rollouts = self._client.rollouts(self.model)
        self.outcome.dead_letters = list(self._client.dead_letters())
        self.outcome.trace = self._trace()
        self.outcome.verification = self._verify()

    def _trace(self) -> Document:
        prediction = self.outcome.first_prediction["parameters"]["prediction_id"]
        self._await("prediction.logged", lambda d: d["prediction_id"] == prediction)
        deadline = time.monotonic() + LONGEST_WAIT_S
        while True:  # audit reads the streams a moment after everybody else
            trace = self._client.trace(prediction)
            if not trace.get("missing") or time.monotonic() > deadline:
                return trace
            time.sleep(0.2)

    def _deliver(self, months: tuple[int, ...]) -> None:
        try:
            self.deliver(months)
        except HeadraceError as error:
            self._errors.append(error)

    def _delivering(self) -> bool:
        return any(thread.is_alive() for thread in self._deliveries)

    def _await(self, kind: str, where: Callable[[Any], bool] = lambda _: True) -> None:
        def fits(event: Happening) -> bool:
            return event.type in FAILURES or (event.type == kind and where(event.data))

        found = self._event_log.wait_for(fits, kind, timeout=LONGEST_WAIT_S)
        if found.type in FAILURES:
            raise HeadraceError(f"waited for {kind}, but {found.type}: {found.data.get('reason')}")


def month_of(window: Document) -> str:
    """The month that a window begins in, such as 2013-03."""
    return str(window["window"]["start"])[:7]


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else getattr(value, "item", lambda: value)()
