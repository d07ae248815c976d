"""The life of one small model, from a file to a served, traced and judged version, as its user drives it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from rig import Rig

from headrace.client.addresses import find_stack
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client
from headrace.testkit.sample_data import FEATURES, START, declaration, rows
from headrace.testkit.waiting import wait_until_good

T = TypeVar("T")
TIMEOUT_S = 240.0  # Ray waits a minute for a worker that died while it registered; a busy machine takes its time
FIRST = 260


class Story:
    """One model, `name`, and its dataset."""

    def __init__(self, rig: Rig, name: str, folder: Path) -> None:
        self.rig, self.name, self.dataset = rig, name, f"{name}-data"
        self.client = Client(find_stack(start=rig.layout.folder.parent))
        self.frame = rows().head(FIRST)
        self._file = folder / f"{name}.csv"
        self.frame.to_csv(self._file, index=False)

    def tell(self) -> dict[str, Any]:
        """All of it; returns the state that it ends in."""
        self.declare()
        self.upload()
        self.served()
        self.judged()
        return self.state()

    def declare(self) -> None:
        """The declaration."""
        self.wait_until_good(lambda: self.client.apply(declaration(self.name, self.dataset)))

    def upload(self) -> None:
        """The file; sent again while the service is away, as a user does."""
        self.wait_until_good(lambda: self.client.ingest(self.dataset, self._file))

    def served(self) -> None:
        """Wait until a version is trained, approved, rolled out, and answers."""
        self.wait_until_good(
            lambda: self.client.versions(self.name), lambda found: found and found[0]["state"] == "approved"
        )
        self.wait_until_good(
            lambda: self.client.rollouts(self.name), lambda r: any(x["state"] == "completed" for x in r)
        )
        self.prediction = self.wait_until_good(lambda: self.predict(1))["parameters"]["prediction_id"]

    def judged(self) -> None:
        """The truth of one prediction, another an hour later, and the window that both lie in is judged."""
        labels = [{"prediction_id": self.prediction, "value": 1}]
        self.wait_until_good(lambda: self.client.truth(self.name, labels))
        self.wait_until_good(lambda: self.predict(3))
        self.wait_until_good(lambda: self.client.windows(self.name), lambda found: any(w.get("truths") for w in found))
        self.wait_until_good(lambda: self.client.trace(self.prediction), lambda found: not found.get("missing"))

    def predict(self, hour: int) -> dict[str, Any]:
        """Ask about every row."""
        columns = {name: self.frame[name].tolist() for name in FEATURES}
        moment = START + timedelta(days=365, hours=hour)
        return dict(self.client.predict(self.name, columns, time=moment.isoformat()))

    def state(self) -> dict[str, Any]:
        """What every story ends with, however often somebody died on the way."""
        ask, mine = self.rig.rows, self.name
        return {
            "dataset versions": ask(
                "ingest", "SELECT version, rows FROM dataset_version WHERE dataset = ?", self.dataset
            ),
            "runs": ask("trainer", "SELECT state, dataset_version FROM trainer_run WHERE model = ?", mine),
            "versions": ask("registry", "SELECT version, state FROM versions WHERE model = ?", mine),
            "alias moves": ask("registry", "SELECT alias, version FROM alias_moves WHERE model = ?", mine),
            "rollouts": ask("deployer", "SELECT state FROM deployer_rollout WHERE model = ?", mine),
            "truths": ask("monitor", "SELECT count(*) FROM truths WHERE model = ?", mine),
            "ended": sorted(self._said("training.completed") + self._said("training.failed")),
            "registered": self._said("version.registered"),
            "completed": self._said("rollout.completed"),
        }

    def _said(self, fact: str) -> list[str]:
        """The events of a type about this model, by distinct id."""
        query = "SELECT DISTINCT type, id FROM log_record WHERE stream = 'EVENTS' AND type = ? AND key = ?"
        return [kind for kind, _ in self.rig.rows("audit", query, f"headrace.{fact}.v1", self.name)]

    def wait_until_good(self, ask: Callable[[], T], good: Callable[[T], object] = lambda _: True) -> T:
        """What `ask` answers once it is good; errors of a part that is away are asked again."""
        return wait_until_good(ask, good, within=TIMEOUT_S, away=HeadraceError)
