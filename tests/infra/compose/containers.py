"""The compose file on a real engine, as its user meets it: up, a small story, a killed container, down and up again."""

import csv
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pandas as pd

from headrace.cli.compose import attach, compose_command
from headrace.client.addresses import read_stack
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client
from headrace.testkit.sample_data import FEATURES, START, declaration, rows
from headrace.testkit.waiting import wait_until_good as _wait_until_good

from .conftest import ROOT

T = TypeVar("T")
TIMEOUT_S = 300.0  # seconds for any one thing to follow, on two busy cores; the usual is under ten
CRASH = """
import os
for each in map(int, filter(str.isdigit, os.listdir("/proc"))):
    parent = open(f"/proc/{each}/stat").read().rpartition(")")[2].split()[1]
    if parent == "1" and each != os.getpid():
        os.kill(each, 9)  # the first process itself would not hear it
"""
FIRST, MORE = 260, 20  # rows of the first upload, and of each other


class Containers:
    """One project of the compose file."""

    def up(self) -> None:
        """Start what does not run, and wait until everything that can be healthy is."""
        self._compose("up", "-d")
        wait_until_good(self.states, lambda found: set(found.values()) <= {"healthy", "done"})

    def down(self) -> None:
        """Remove the containers; volumes stay."""
        self._compose("down")

    def states(self) -> dict[str, str]:
        """Each container by its service: healthy, starting, unhealthy, done (a job's good end), or how it ended."""
        listed = self._inspect(*self._compose("ps", "-q", *self._all()).split())
        return {each["Config"]["Labels"]["com.docker.compose.service"]: _state(each["State"]) for each in listed}

    def kill(self, service: str) -> None:
        """`docker kill`, which the engine takes for a person's wish: the container stays dead."""
        self._docker("kill", self._id(service))

    def start(self, service: str) -> None:
        """`docker start`."""
        self._docker("start", self._id(service))

    def crash(self, service: str) -> None:
        """End the container's main program from inside, as a bug would."""
        subprocess.run(["docker", "exec", self._id(service), "python", "-c", CRASH], capture_output=True, check=False)

    def restarts(self, service: str) -> int:
        """How often the engine has started a container again by itself."""
        return int(self._inspect(self._id(service))[0]["RestartCount"])

    def logs(self, service: str) -> str:
        """The end of what a container has said."""
        return self._compose("logs", "--no-color", "--tail", "20", service)

    def attached(self, folder: Path) -> Client:
        """A client with an administrator's key."""
        return Client(read_stack(attach(ROOT, folder)))

    def _id(self, service: str) -> str:
        return self._compose("ps", "-q", *self._all(), service).strip()

    def _all(self) -> list[str]:
        """Compose v2 lists what has ended only when asked to; docker-compose always does, and knows no such word."""
        return ["-a"] if len(compose_command()) > 1 else []

    def _inspect(self, *ids: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._docker("inspect", *ids))
        return found

    def _compose(self, *words: str) -> str:
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}
        return _said([*compose_command(), *words], environment)

    def _docker(self, *words: str) -> str:
        return _said(["docker", *words], dict(os.environ))


@dataclass
class Story:
    """One model's life, a version at a time; every question is asked again while the answer is an outage."""

    client: Client
    folder: Path
    model: str = field(default_factory=lambda: f"tumours-{uuid4().hex[:6]}")
    versions: int = 0
    prediction: str = ""

    def begin(self) -> None:
        """Declare the model, and have its first version serve."""
        wait_until_good(lambda: self.client.apply(declaration(self.model, self.model)))
        self.upload()
        self.serves()

    def upload(self) -> None:
        """Bring rows that no version has seen: the next one follows from them."""
        frame = rows().iloc[: FIRST + MORE * self.versions].tail(MORE if self.versions else FIRST)
        file = self.folder / f"{self.model}-{self.versions}.csv"
        frame.to_csv(file, index=False, quoting=csv.QUOTE_MINIMAL)
        wait_until_good(lambda: self.client.ingest(self.model, file))
        self.versions += 1

    def registered(self) -> None:
        """Wait until the newest version is there, whether it serves or not."""
        wait_until_good(lambda: self.client.versions(self.model), lambda found: len(found) == self.versions)

    def serves(self) -> None:
        """Wait until the newest version answers, is told the truth, and is traced to its data."""
        answer = wait_until_good(self.ask, lambda found: found["model_version"] == str(self.versions))
        self.prediction = answer["parameters"]["prediction_id"]
        wait_until_good(lambda: self.client.truth(self.model, [{"prediction_id": self.prediction, "value": 1}]))
        self.is_traced()

    def is_traced(self) -> None:
        """Wait until audit has the whole chain of the newest prediction."""
        wait_until_good(lambda: self.client.trace(self.prediction), lambda found: not found.get("missing"))

    def ask(self) -> Any:
        """One prediction."""
        columns: dict[str, list[Any]] = {name: rows()[name].head(1).tolist() for name in FEATURES}
        moment = START + timedelta(days=365, hours=self.versions)
        return self.client.predict(self.model, columns, time=pd.Timestamp(moment).isoformat())


def wait_until_good(ask: Callable[[], T], good: Callable[[T], object] = lambda _: True) -> T:
    """What `ask` answers once it is good; who is away is asked again."""
    return _wait_until_good(ask, good, within=TIMEOUT_S, away=HeadraceError, every=0.2)


def _state(state: dict[str, Any]) -> str:
    if state["Status"] == "exited":
        return "done" if state["ExitCode"] == 0 else f"ended with {state['ExitCode']}"
    return str(state.get("Health", state)["Status"])


def _said(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
    return done.stdout
