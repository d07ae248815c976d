"""Each service is killed in mid-story, and the story ends the same."""

from typing import Any

import pytest

pytestmark = pytest.mark.resilience

World = Any
KILLED_AT = {
    "ingest": "dataset.ingested",
    "trainer": "training.started",
    "registry": "training.completed",
    "deployer": "rollout.started",
    "inference": "rollout.started",
    "monitor": "training.completed",
    "audit": "training.completed",
}


@pytest.mark.parametrize("part", KILLED_AT)
def test_the_story_ends_the_same_after_kill_9(world: World, part: str) -> None:
    """New data become one version that serves, is traced and is judged, whichever service died on the way."""
    before, restarts = len(world.client.versions("tumours")), world.restarts(part)
    frame = world.more()
    dataset_version = world.upload("patients", frame)
    if part == "ingest":
        world.kill(part)  # it has answered: what it promised must happen
    else:
        kind = KILLED_AT[part]
        world.event_log.wait_for(
            lambda e: e.type == kind and (e.data.get("version") == before + 1 or _dataset(e) == dataset_version),
            kind,
            timeout=45,
        )
        world.kill(part)

    version = world.version_of("tumours", dataset_version)
    world.wait("rollout.completed", model="tumours", version=version)
    answer = world.wait_until_good(
        lambda: world.predict("tumours", frame), lambda a: a["model_version"] == str(version)
    )
    prediction = answer["parameters"]["prediction_id"]
    world.wait_until_good(lambda: world.client.truth("tumours", [{"prediction_id": prediction, "value": 1}]))
    trace = world.wait_until_good(lambda: world.client.trace(prediction), lambda t: not t.get("missing"))

    world.wait_until_good(lambda: world.restarts(part), lambda count: count > restarts)
    assert version == before + 1
    assert len(world.client.versions("tumours")) == before + 1
    assert trace
    for kind in ("version.registered", "version.approved", "rollout.completed"):
        assert len({e.id for e in world.event_log.all(kind, lambda d: d["version"] == version)}) == 1
    world.predict("tumours", frame)  # an hour later: the window before is over
    world.event_log.wait_for(
        lambda e: e.type == "window.evaluated" and e.data["truths"] > 0 and version in e.data["versions"],
        "window.evaluated with truth",
        timeout=45,
    )
    dead_letters = world.wait_until_good(lambda: list(world.client.dead_letters()))
    assert not [each for each in dead_letters if each["service"] == part]


def _dataset(event: object) -> int | None:
    dataset = getattr(event, "data", {}).get("dataset")
    return dataset.get("version") if isinstance(dataset, dict) else None
