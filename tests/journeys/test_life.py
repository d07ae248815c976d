"""The whole life of a model by events alone, from a CSV to retraining; and who may say what."""

import asyncio
import json
from typing import Any

import nats
import pytest

from headrace.client.sdk import Client
from headrace.contracts.services import EVERY

World = Any


def test_drift_is_seen_and_new_data_bring_a_new_version(world: World) -> None:
    """Traffic unlike the training data makes monitor ask for training, which waits for newer data and uses them."""
    strange = world.first().head(80).assign(mean_radius=90.0, mean_texture=95.0, mean_smoothness=3.0)
    world.predict("tumours", strange)
    world.predict("tumours", strange.head(1))
    drift = world.wait("drift.detected", model="tumours")
    asked = world.wait("request.training", data="newer")
    world.wait("training.queued", model="tumours", waits_for="data")
    world.wait_until_good(  # while the version that drifted is champion
        lambda: json.dumps(world.client.http.json("GET", "registry", "/models/tumours/risk")),
        lambda risk: "drift" in risk,
    )

    version = world.version_of("tumours", world.upload("patients", world.more()))
    world.wait("rollout.completed", model="tumours", version=version)

    assert {"mean_radius", "mean_texture", "mean_smoothness"} <= set(drift.data["columns"])
    assert asked.source == "headrace/monitor"


def test_one_trace_id_from_upload_to_prediction_in_all_logs(world: World, trace_client: Client) -> None:
    """The trace that a person begins is in the log of every service that had a part in it."""
    frame = world.more()
    version = world.version_of("tumours", world.upload("patients", frame, trace_client))
    world.wait("rollout.completed", model="tumours", version=version)
    world.predict("tumours", frame, client=trace_client)

    trace = trace_client.http.trace_id
    for part in EVERY:
        world.wait_until_good(lambda part=part: trace in world.log(part), bool)


async def test_a_plain_nats_client_gets_a_new_version(world: World) -> None:
    """Bare JSON from an outsider, on a request subject, is all it takes."""
    before = len(world.client.versions("tumours"))
    seed = world.stack.layout.seed("outsider").read_text().strip()
    plain = await nats.connect(world.stack.layout.nats_url, nkeys_seed_str=seed)
    await plain.publish("headrace.request.training.tumours", b'{"reason": "new season"}')
    await plain.drain()

    made = await asyncio.to_thread(world.wait, "version.registered", model="tumours", version=before + 1)
    completed = await asyncio.to_thread(world.wait, "training.completed", run=made.data["lineage"]["run"])
    assert completed.data["reason"] == "new season"
    assert completed.data["requested_by"] == "nats:outsider"
    await asyncio.to_thread(world.wait, "rollout.completed", model="tumours", version=before + 1)


async def test_a_program_outside_is_let_in_while_everything_runs_and_hears_its_answers(world: World) -> None:
    """Added by name, it asks with any client, and hears on its own connection why it was refused."""
    world.stack.outsiders().add("partner")
    assert await asyncio.to_thread(world.stack.reload_broker)
    seed = world.stack.outsiders().seed("partner").read_text()
    plain = await nats.connect(world.stack.layout.nats_url, nkeys_seed_str=seed)
    heard = await plain.subscribe("headrace.answers.>")
    await plain.flush()

    stored = json.loads((await plain.request("headrace.request.training.nobody", b"{}")).data)

    answer = json.loads((await heard.next_msg(timeout=60)).data)
    assert answer["type"] == "headrace.request.refused.v1"
    assert answer["data"]["request_id"] == f"partner:{stored['stream']}-{stored['seq']}"
    assert answer["authid"] == "nats:partner"
    await plain.close()


@pytest.mark.parametrize(
    ("identity", "subject"),
    [
        ("ingest", "headrace.alias.moved.tumours"),
        ("monitor", "headrace.version.approved.tumours"),
        ("outsider", "headrace.training.completed.tumours"),
    ],
)
async def test_the_broker_refuses_a_foreign_subject(world: World, identity: str, subject: str) -> None:
    """Nobody says another's facts: the broker itself refuses."""
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        await refused.put(str(error))

    seed = world.stack.layout.seed(identity).read_text().strip()
    plain = await nats.connect(world.stack.layout.nats_url, nkeys_seed_str=seed, error_cb=note)
    await plain.publish(subject, b"{}")
    told = await asyncio.wait_for(refused.get(), 10)
    await plain.close()

    assert "permissions violation" in told.lower()
    assert subject in told
