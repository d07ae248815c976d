"""Who asked stands in every event that follows, in every service, however they proved who they are."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from headrace.testkit.cluster import Cluster

CSV = b"x,late\n1,0\n2,1\n"
WITHIN_S = 30.0


@pytest.fixture(scope="module", params=["a key", "a token"])
def asker(cluster: Cluster, request: pytest.FixtureRequest) -> tuple[str, str]:
    """What somebody presents, and who that makes them in the record."""
    if request.param == "a key":
        return cluster.keys["admin"], "key:admin"
    host = cluster.idp.issuer.split("/")[2]
    return cluster.idp.token(sub="zoe", roles=["headrace-admin"]), f"oidc:{host}/zoe"


def recorded(cluster: Cluster, trace: str, wanted: set[str]) -> Mapping[str, str | None]:
    """Who asked for each event of a trace, as audit has it, once all of these types are there."""
    reader = {"authorization": f"Bearer {cluster.keys['auditor']}"}
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        answer = httpx.get(f"{cluster.urls['audit']}/events", params={"limit": 500}, headers=reader, timeout=30)
        found = {event["type"]: event["authid"] for event in answer.json()["items"] if event["trace_id"] == trace}
        if wanted <= found.keys():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not all of {wanted} were recorded: {found}")


def test_the_asker_is_in_every_event_that_follows(cluster: Cluster, asker: tuple[str, str]) -> None:
    """Declaring, uploading, asking for training and cancelling: what services say of it, and say because of it."""
    presented, who = asker
    model = who.split(":")[0] + "-asked"
    trace = uuid4().hex
    headers = {"authorization": f"Bearer {presented}", "traceparent": f"00-{trace}-{'ab' * 8}-01"}
    with httpx.Client(headers=headers, timeout=30) as http:
        declared = {"data": {"dataset": model, "target": "late"}}
        http.put(f"{cluster.urls['registry']}/models/{model}", json=declared).raise_for_status()
        http.post(f"{cluster.urls['ingest']}/datasets/{model}/files", content=CSV).raise_for_status()
        run = _wait_until_good(lambda: http.post(f"{cluster.urls['trainer']}/models/{model}/runs", json={}))["run"]
        http.post(f"{cluster.urls['trainer']}/runs/{run}/cancel", json={"reason": "seen"}).raise_for_status()

    facts = ("model.declared", "dataset.ingested", "training.queued", "training.cancelled")
    found = recorded(cluster, trace, {f"headrace.{each}.v1" for each in facts})

    assert found == dict.fromkeys(found, who)


def _wait_until_good(ask: Callable[[], httpx.Response]) -> Any:
    """Another service hears of the model in a moment."""
    end = time.monotonic() + WITHIN_S
    while not (answer := ask()).is_success:
        assert time.monotonic() < end, answer.text
        time.sleep(0.05)
    return answer.json()
