"""`headrace wait`: until a version of a model answers, or until it is known that none will."""

import pytest

from headrace.cli.app import DONE, LATE, REFUSED
from headrace.client.errors import HeadraceError
from headrace.client.sdk import stands
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, declare

RUN = {"run": "r1", "state": "completed"}


def test_a_served_model_says_what_it_takes(at: CommandLine, parcels: Cluster) -> None:
    """At once, and with its context columns."""
    ran = at("wait", "parcels", "--json")

    assert ran.code == DONE
    assert set(ran.document) == {"model", "inputs", "context"}


def test_a_model_that_nobody_declared_is_refused(at: CommandLine, parcels: Cluster) -> None:
    """There is nothing to wait for."""
    ran = at("wait", "no-such-model")

    assert ran.code == REFUSED
    assert "no model is named 'no-such-model'" in ran.err


def test_the_wait_ends_with_its_time(at: CommandLine, parcels: Cluster) -> None:
    """A declared model without data may get some later; whoever waits says how long."""
    declare(parcels, "waits-for-data")

    ran = at("wait", "waits-for-data", "--timeout", "0")

    assert ran.code == LATE
    assert "ask again later" in ran.err


@pytest.mark.parametrize(
    ("run", "versions", "told"),
    [
        ({"run": "r1", "state": "failed"}, [], "headrace runs show r1"),
        ({"run": "r1", "state": "cancelled"}, [], "run r1 cancelled"),
        (RUN, [{"version": 1, "run": "r1", "state": "rejected", "reason": "worse"}], "version 1 was rejected: worse"),
        (RUN, [{"version": 1, "run": "r1", "state": "pending"}], "headrace approve models:/m/1"),
    ],
)
def test_it_ends_where_nothing_follows_by_itself(
    run: dict[str, str], versions: list[dict[str, object]], told: str
) -> None:
    """And says why, with what to do."""
    with pytest.raises(HeadraceError, match=told):
        stands("m", run, versions)


@pytest.mark.parametrize(
    ("run", "versions", "told"),
    [
        (None, [], "waits for its first run"),
        ({"run": "r2", "state": "running"}, [], "run r2: running"),
        ({"run": "r2", "state": "running"}, [{"version": 1, "run": "r1", "state": "rejected"}], "run r2: running"),
        (RUN, [{"version": 1, "run": "r1", "state": "approved"}], "version 1: approved"),
    ],
)
def test_it_goes_on_where_something_follows(
    run: dict[str, str] | None, versions: list[dict[str, object]], told: str
) -> None:
    """The newest run counts: an older version's end says nothing of it."""
    assert told in stands("m", run, versions)
