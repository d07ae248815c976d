"""Rollouts and how people steer them, and what the monitor and audit show, from the command line."""

from pathlib import Path

import pytest

from headrace.contracts import AlertRaised
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, declare, until, version


@pytest.fixture(scope="module")
def slow(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose second version is on its way by slow canary steps."""
    folder = tmp_path_factory.mktemp("slow")
    declare(cluster, "slow", serving={"strategy": "direct", "bake": "PT1S"})
    version(cluster, "slow", 1, folder / "one")
    return "slow"


def test_a_rollout_is_paused_resumed_promoted_and_rolled_back(
    at: CommandLine, cluster: Cluster, slow: str, tmp_path: Path
) -> None:
    """Each answers with the routes, and the rollout remembers why."""
    until(lambda: [each["state"] for each in at("rollouts", "list", slow, "--json").document] == ["completed"])
    declare(cluster, slow, serving={"strategy": "canary", "steps": [10, 100], "bake": "PT1H"})
    version(cluster, slow, 2, tmp_path / "two")
    until(lambda: at("routes", slow, "--json").document["rollout"])
    running = at("rollouts", "list", slow, "--json").document[0]

    assert at("pause", slow, "--reason", "holidays").code == 0
    assert at("rollouts", "show", running["id"], "--json").document["paused"] is True
    assert at("resume", slow).code == 0
    assert at("rollouts", "show", running["id"], "--json").document["paused"] is False
    assert at("rollback", slow, "--reason", "errors since noon").code == 0

    undone = at("rollouts", "show", running["id"]).out
    assert "errors since noon" in undone
    assert running["id"] in at("rollouts", "list", slow).out
    assert ["slow", "champion", "1", "100"] in [row[:4] for row in at("routes", slow).rows]


def test_what_cannot_be_steered_says_why(at: CommandLine, parcels: Cluster) -> None:
    """No rollout is on its way, or the version that is meant is not."""
    said = at("pause", "parcels")

    assert said.code == 1
    assert "parcels" in said.err
    assert at("promote", "nothing", "--json").document["status"] == 404


def test_whoever_may_only_look_steers_nothing(at: CommandLine, parcels: Cluster) -> None:
    """The command adds no right to the key."""
    assert (
        at(
            "rollback",
            "parcels",
            role="viewer",
        ).code
        == 1
    )


def test_a_model_that_was_not_watched_yet_says_so(at: CommandLine, parcels: Cluster) -> None:
    """An empty listing is a sentence beside the answer; figures that are not there are refused with the reason."""
    said = at("windows", "parcels")

    assert (said.code, said.out) == (0, "")
    assert "no window of parcels is judged yet" in said.err
    assert at("drift", "parcels", "--json").code == 1
    assert at("performance", "parcels", "--json").code == 1


def test_runs_are_asked_for_shown_and_cancelled(at: CommandLine, parcels: Cluster) -> None:
    """The reason of the cancellation is kept; a listing says what a run waits for."""
    run = at("train", "parcels", "--json").document["run"]

    assert run in at("runs", "list", "parcels").out
    cancelled = at("runs", "cancel", run, "--reason", "wrong data", "--json").document

    assert cancelled["state"] == "cancelled"
    assert "wrong data" in at("runs", "show", run).out
    assert run in at("runs", "list", "parcels", "--state", "cancelled").out
    assert at("runs", "cancel", run).code == 1
    (took,) = [each for each in at("runs", "costs", "--json").document if each["name"] == "parcels"]
    assert took["runs"] >= 1
    assert took["queued_seconds"] > 0
    assert at("runs", "costs", "--since", "2999-01-01T00:00:00Z", "--json").document == []


def test_alerts_are_listed_as_the_log_has_them(at: CommandLine, parcels: Cluster) -> None:
    """With what was seen; a key that may not read the log is refused."""
    alert = {"model": "parcels", "alert": "alert-1", "kind": "drift", "severity": "warning"}
    parcels.say(AlertRaised.model_validate({**alert, "message": "weight moved to 0.4"}))

    until(lambda: "weight moved to 0.4" in at("alerts", "parcels").out)

    assert at("alerts", "parcels", "--json").document[0]["alert"] == "alert-1"
    assert at("alerts", role="viewer").code == 1
