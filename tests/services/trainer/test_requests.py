"""Parameters of a request are held against the same catalogue as those of a declaration."""

from typing import Any

import pytest

from headrace.contracts import RequestRefused, TrainingFailed, TrainingQueued, TrainingRequested
from headrace.frameworks import CATALOG
from headrace.testkit import Harness, eventually

BAD = [
    ({"max_itre": 5}, "has no parameter 'max_itre'; did you mean 'max_iter'?"),
    ({"max_iter": "many"}, "training.params.max_iter: takes an integer from 0; not 'many'"),
]


@pytest.mark.parametrize(("params", "says"), BAD)
async def test_a_bad_parameter_of_a_request_is_refused_on_every_way_in(
    on: Harness, world: Any, params: dict[str, Any], says: str
) -> None:
    """Before a run is queued, and with the nearest right name."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()

    answer = await on.http.post("/models/delay/runs", json={"params": params})
    await on.say(TrainingRequested(model="delay", params=params), as_="operator")

    refused = await on.heard(RequestRefused)
    assert answer.is_client_error
    assert says in answer.json()["detail"]
    assert says in refused.data.reason
    assert on.all(TrainingQueued) == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cpus": 1}, None),
        ({"cpus": 4000}, "no node of the Ray cluster has cpus 4000"),
        ({"cpus": 1, "gpus": 64}, "no node of the Ray cluster has cpus 1, gpus 64"),
    ],
)
async def test_whether_a_node_is_large_enough_is_told_before_a_run_is_asked_for(
    on: Harness, asked: dict[str, float], says: str | None
) -> None:
    """`headrace apply` warns with it."""

    async def room() -> Any:
        found = (await on.http.get("/room", params=asked)).json()
        return found if found["known"] else None

    lacks = (await eventually(room, 60))["lacks"]
    assert lacks is None if says is None else f"{says}: the largest has" in lacks


ABSENT = next((name for name, entry in CATALOG.items() if entry.installed is None), None)


@pytest.mark.skipif(ABSENT is None, reason="every framework is installed here")
async def test_a_framework_that_is_not_installed_is_told_on_every_way_in(on: Harness, world: Any) -> None:
    """What `apply` warns with, what a request is answered, and why a run that data start fails: what to install."""
    assert ABSENT is not None
    told = {"framework": ABSENT, "estimator": CATALOG[ABSENT].classifier, "params": {}, "on": ["new-data"]}
    await on.say(world.declared(training=told))
    await on.say(world.ingested(world.flights()))
    says = f"framework {ABSENT} is not installed where models are trained; install headrace-trainer[{ABSENT}] there"

    failed = await on.heard(TrainingFailed, timeout=60)
    answer = await on.http.post("/models/delay/runs", json={})
    await on.say(TrainingRequested(model="delay"), as_="operator")
    refused = await on.heard(RequestRefused)
    room = (await on.http.get("/room", params={"framework": ABSENT})).json()

    assert answer.is_client_error
    assert says in answer.json()["detail"]
    for reason in (failed.data.reason, refused.data.reason, room["lacks"]):
        assert says in reason
    assert f"or name another one: {', '.join(name for name, entry in CATALOG.items() if entry.installed)}" in reason


async def test_a_word_that_no_catalogue_knows_is_refused_on_every_way_in(on: Harness, world: Any) -> None:
    """With its place and the nearest right word."""
    await on.say(world.declared())
    await on.say(world.ingested(world.flights()))
    await on.quiet()

    answer = await on.http.post("/models/delay/runs", json={"data": "latset"})
    await on.say(TrainingRequested(model="delay", data="latset"), as_="operator")

    refused = await on.heard(RequestRefused)
    assert (answer.status_code, answer.json()["detail"]) == (422, "data: 'latset' is not known; did you mean 'latest'?")
    assert refused.data.reason == answer.json()["detail"]
    assert on.all(TrainingQueued) == []
