"""One embedded stack for the session, a small declared model, and what a user would do with it."""

import csv
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pytest

from headrace.cli.event_log import EventLog, Happening
from headrace.client.addresses import find_stack
from headrace.client.errors import HeadraceError, Rejected
from headrace.client.live import Listener
from headrace.client.sdk import Client, Document
from headrace.local import Stack
from headrace.testkit.ports import free_stretch
from headrace.testkit.sample_data import FEATURES, START, declaration, rows
from headrace.testkit.waiting import wait_until_good as _wait_until_good

T = TypeVar("T")
TIMEOUT_S = 120.0  # seconds for any one thing to follow by events on a busy machine; the usual is under 5
WRONG = (400, 413, 415, 422)  # no later answer to the same request will be another
FIRST = 260  # rows of the first upload; the others bring a slice each


class World:
    """The running stack as a user sees it, and every event it says."""

    features = FEATURES

    @staticmethod
    def declaration(name: str, dataset: str, **parts: Any) -> Document:
        """A small model of `dataset`."""
        return declaration(name, dataset, **parts)

    @staticmethod
    def wait_until_good(ask: Callable[[], T], good: Callable[[T], object] = lambda _: True) -> T:
        """What `ask` answers once it is good."""
        return wait_until_good(ask, good)

    def __init__(self, stack: Stack, client: Client, event_log: EventLog, folder: Path) -> None:
        self.stack, self.client, self.event_log = stack, client, event_log
        self._folder = folder
        self._frame = rows()
        self._used = FIRST
        self._hour = 0

    def wait(self, kind: str, **wanted: Any) -> Happening:
        """The first event of a kind, past or to come, whose data hold these values."""

        def fits(event: Happening) -> bool:
            return event.type == kind and wanted.items() <= dict(event.data).items()

        return self.event_log.wait_for(fits, f"{kind} {wanted}", timeout=TIMEOUT_S)

    def first(self) -> pd.DataFrame:
        """The rows of the first upload."""
        return self._frame.head(FIRST)

    def more(self, count: int = 25) -> pd.DataFrame:
        """The next rows in time, which no upload has brought yet."""
        self._used += count
        return self._frame.iloc[self._used - count : self._used]

    def csv(self, frame: pd.DataFrame, name: str = "rows.csv") -> Path:
        """The rows as a file."""
        file = self._folder / name
        frame.to_csv(file, index=False, quoting=csv.QUOTE_MINIMAL)
        return file

    def upload(self, dataset: str, frame: pd.DataFrame, client: Client | None = None) -> int:
        """Upload rows; returns the dataset version that they made."""
        answer = (client or self.client).ingest(dataset, self.csv(frame))
        return int(answer["version"])

    def version_of(self, model: str, dataset_version: int) -> int:
        """The model version that was trained on a dataset version."""
        found = self.event_log.wait_for(
            lambda e: (
                e.type == "version.registered"
                and e.data["model"] == model
                and e.data["dataset"]["version"] == dataset_version
            ),
            f"version of {model} from dataset version {dataset_version}",
            timeout=TIMEOUT_S,
        )
        return int(found.data["version"])

    def predict(self, model: str, frame: pd.DataFrame, hour: int | None = None, client: Client | None = None) -> Any:
        """Ask about rows, at an hour of event time (by default the next one)."""
        self._hour = self._hour + 1 if hour is None else hour
        columns = {name: frame[name].tolist() for name in FEATURES}
        moment = START + timedelta(days=365, hours=self._hour)
        return (client or self.client).predict(model, columns, time=moment.isoformat())

    def kill(self, part: str) -> None:
        """Kill -9 a part of the stack; its supervisor starts it again."""
        pids = {each.name: each.pid for each in self.stack.status()}
        pid = pids[part]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def restarts(self, part: str) -> int:
        """How often the supervisor started a part again."""
        return next(each.restarts for each in self.stack.status() if each.name == part)

    def log(self, part: str) -> str:
        """Everything that a part has logged."""
        return self.stack.layout.log(part).read_text(errors="replace")


def wait_until_good(ask: Callable[[], T], good: Callable[[T], object] = lambda _: True) -> T:
    """What `ask` answers once it is good; a part that starts again is asked again, a wrong question is told at once."""
    return _wait_until_good(lambda: _unless_wrong(ask), good, within=TIMEOUT_S, away=HeadraceError)


def _unless_wrong(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Rejected as refusal:
        if refusal.status in WRONG:
            pytest.fail(f"{refusal.status}: {refusal.detail}")
        raise


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The stack, up for all journeys, with the model `breast_cancer` serving its first version."""
    folder = tmp_path_factory.mktemp("journeys")
    stack = Stack(folder / ".headrace", free_stretch())
    stack.up()
    event_log = EventLog()
    try:
        found = find_stack(start=folder)
        with Client(found) as client, Listener(found, event_log.add):
            world = World(stack, client, event_log, folder)
            client.apply(declaration("tumours", "patients"))
            version = world.version_of("tumours", world.upload("patients", world.first()))
            world.wait("rollout.completed", model="tumours", version=version)
            yield world
    finally:
        stack.down()


@pytest.fixture
def trace_client(world: World) -> Iterator[Client]:
    """A client whose every request belongs to one new trace."""
    with Client(world.client.http.stack) as client:
        yield client
