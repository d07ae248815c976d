"""Priorities, quotas and resources by name, where runs really run: who goes first, who waits, and who gives way."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.contracts import (
    RequestRefused,
    TrainingCheckpointed,
    TrainingCompleted,
    TrainingPreempted,
    TrainingQueued,
    TrainingRequested,
    TrainingStarted,
)
from headrace.testkit import Harness, eventually

from .test_resume import OWN, packed

# Each step waits in the first attempt, so that somebody may ask for its place; PATIENT makes a checkpoint when asked.
PATIENT = """
import time
from sklearn.linear_model import LogisticRegression

def train(context):
    begun = context.resumed_step or 0
    for step in range(begun + 1, 4):
        context.checkpoint(str(step).encode(), step)
        while context.attempt == 1 and not ANSWERS:
            time.sleep(0.02)
    rows = context.frame
    context.save(LogisticRegression().fit(rows[context.features], rows[context.target]))
"""
ASKED, DEAF = (
    PATIENT.replace("ANSWERS", "(step == 1 and context.checkpoint_asked)"),
    PATIENT.replace("ANSWERS", "False"),
)
SHELL = """
import json, os, pathlib, time
asked, at = pathlib.Path(os.environ["HEADRACE_CHECKPOINT_ASKED"]), pathlib.Path(os.environ["HEADRACE_CHECKPOINTS"])

def keep(step):
    draft = at / f".{step}"
    draft.write_text(str(step))
    draft.rename(at / str(step))
    with open(os.environ["HEADRACE_EVENTS"], "a") as events:
        events.write(json.dumps({"checkpoint": {"path": f"checkpoints/{step}", "step": step}}) + "\\n")

keep(1)
while not asked.exists():
    time.sleep(0.02)
keep(2)
time.sleep(600)
"""


async def two_models(on: Harness, world: Any, folder: Path, program: str, how: Any = OWN, **low: Any) -> str:
    """A model `low` of own code at work, with a checkpoint, and `delay` declared; answers with the run of `low`."""
    assert (await on.http.post("/code/net/files", content=packed(folder, program))).status_code == 201
    told = world.declared(training={**how, **low}, data={"features": ["wind"]})
    named = told.declaration.model_copy(update={"name": "low"})
    await on.say(told.model_copy(update={"name": "low", "declaration": named}))
    await on.say(world.declared(training={"priority": "high"}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    run = (await on.http.post("/models/low/runs", json={})).json()["run"]
    await on.heard(TrainingCheckpointed, timeout=120)
    return str(run)


@pytest.mark.resilience
async def test_a_run_gives_its_place_to_a_higher_one_and_goes_on_from_its_checkpoint(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """Asked first, ended when its checkpoint is kept, queued again; no step is done twice, and everybody is told."""
    async with trainer(capacity=1) as on:
        low = await two_models(on, world, tmp_path / "net", ASKED)

        high = (await on.http.post("/models/delay/runs", json={})).json()
        told = (await on.heard(TrainingPreempted, timeout=60)).data
        await on.heard(TrainingCompleted, "low", timeout=120)

        seen = (await on.http.get(f"/runs/{low}")).json()
        lines = [line["detail"] for line in seen["history"]]
        again = on.all(TrainingStarted)[-1].data
        assert (told.run, told.for_run, told.for_model) == (low, high["run"], "delay")
        assert (told.priority, told.for_priority, told.in_time, told.checkpoint.step) == (0, 5, True, 2)
        assert [each.data.model for each in on.all(TrainingCompleted)] == ["delay", "low"]
        assert [each.data.checkpoint.step for each in on.all(TrainingCheckpointed)] == [1, 2, 3]
        assert (again.run, again.attempt, again.resumed_from.step) == (low, 2, 2)
        assert (seen["preemptions"], seen["attempt"], seen["yields"], high["priority"]) == (1, 2, None, 5)
        assert any("asked to make a checkpoint until" in line for line in lines)
        assert any(f"gave its place to run {high['run']} of delay" in line for line in lines)
        waits = [each.data.detail for each in on.all(TrainingQueued) if each.data.run == low]
        assert "it goes on from the checkpoint of step 2" in waits[-1]


@pytest.mark.resilience
async def test_a_run_that_does_not_answer_is_ended_when_its_time_is_over(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """It goes on from the last checkpoint that it has."""
    async with trainer(capacity=1, preemption_grace=timedelta(seconds=1)) as on:
        low = await two_models(on, world, tmp_path / "net", DEAF)

        await on.http.post("/models/delay/runs", json={})
        told = (await on.heard(TrainingPreempted, timeout=60)).data
        await on.heard(TrainingCompleted, "low", timeout=120)

        assert (told.run, told.in_time, told.checkpoint.step) == (low, False, 1)
        assert [each.data.model for each in on.all(TrainingCompleted)] == ["delay", "low"]


@pytest.mark.resilience
async def test_a_command_in_any_language_is_asked_by_a_file(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """It is there while a checkpoint is wanted."""
    command = {"framework": "code", "estimator": None, "code": {"package": "net", "command": ["python", "train.py"]}}
    async with trainer(capacity=1) as on:
        low = await two_models(on, world, tmp_path / "net", SHELL, command)

        await on.http.post("/models/delay/runs", json={})

        told = (await on.heard(TrainingPreempted, timeout=60)).data
        assert (told.run, told.in_time, told.checkpoint.step) == (low, True, 2)
        await on.heard(TrainingCompleted, "delay", timeout=120)


@pytest.mark.resilience
async def test_a_run_keeps_its_place_where_the_higher_one_is_cancelled_meanwhile(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """And where it is of equal priority nobody is asked at all."""
    async with trainer(capacity=1, preemption_grace=timedelta(minutes=5)) as on:
        low = await two_models(on, world, tmp_path / "net", DEAF)
        await on.http.post("/models/delay/runs", json={"priority": 0})
        high = (await on.http.post("/models/delay/runs", json={})).json()["run"]

        async def yields() -> Any:
            return (await on.http.get(f"/runs/{low}")).json()["yields"]

        assert (await eventually(yields, 60))["run"] == high
        await on.http.post(f"/runs/{high}/cancel")

        async def stays() -> bool:
            return await yields() is None

        await eventually(stays, 60)
        assert (await on.http.get(f"/runs/{low}")).json()["history"][-1]["detail"] == "it keeps its place after all"
        assert on.all(TrainingPreempted) == []
        await on.http.post(f"/runs/{low}/cancel")


@pytest.mark.resilience
async def test_a_run_over_its_owners_quota_waits_and_says_so(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """The owner is the one that is declared. It starts when the other one has ended; at `apply` it is told, too."""
    file = tmp_path / "quotas.yaml"
    file.write_text("owners: {ops: {runs: 1, cpus: 2}, none: {runs: 0}}\n")
    async with trainer(capacity=4, quotas_file=file) as on:
        await on.say(world.declared(owner={"team": "ops"}))
        await on.say(world.ingested(world.flights()))
        await on.quiet()

        for _ in range(3):
            await on.say(TrainingRequested(model="delay"), as_="operator")
        told = await on.heard(TrainingQueued, where=lambda event: event.waits_for == "quota", timeout=120)
        await eventually(lambda: len(on.all(TrainingCompleted)) == 3, 120)

        room = [
            (await on.http.get("/room", params=asked)).json()["lacks"]
            for asked in ({"owner": "ops"}, {"owner": "ops", "cpus": 3}, {"owner": "none"}, {"owner": "lab"})
        ]
        assert "owner ops has" in (told.data.detail or "")
        assert "may have runs 1 (quota)" in (told.data.detail or "")
        assert (room[0], room[3]) == (None, None)
        assert "owner ops may have no more than cpus 2" in room[1]
        assert "owner none may have no more than runs 0" in room[2]
        starts = [each.data.run for each in on.all(TrainingStarted)]
        ends = [each.data.run for each in on.all(TrainingCompleted)]
        assert starts == ends  # one after the other, though there are four places


async def test_a_run_that_its_quota_never_lets_start_is_told_to_who_asks(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """Over HTTP in the answer, at the queue, and as an event; it keeps nobody else back."""
    file = tmp_path / "quotas.yaml"
    file.write_text("default: {runs: 0}\nowners: {ops: {runs: 1}}\n")
    async with trainer(quotas_file=file) as on:
        told = world.declared()
        await on.say(world.declared(owner={"team": "ops"}))
        other = told.declaration.model_copy(update={"name": "nobodys"})
        await on.say(told.model_copy(update={"name": "nobodys", "declaration": other}))
        await on.say(world.ingested(world.flights()))
        await on.quiet()
        await on.say(TrainingRequested(model="nobodys"), as_="operator")
        heard = await on.heard(TrainingQueued, where=lambda event: event.waits_for == "quota", timeout=120)

        answer = (await on.http.post("/models/nobodys/runs", json={})).json()
        await on.say(TrainingRequested(model="delay"), as_="operator")
        await on.heard(TrainingCompleted, "delay", timeout=120)

        assert "runs without an owner may have no more than runs 0" in (heard.data.detail or "")
        assert (answer["state"], answer["waits_for"], answer["waits_detail"]) == ("queued", "quota", heard.data.detail)
        queue = (await on.http.get("/queue")).json()
        assert [each["model"] for each in queue["waiting_for_quota"]] == ["nobodys", "nobodys"]
        assert queue["queued"] == queue["waiting_for_resources"] == []


async def test_a_resource_that_no_node_has_is_waited_for_and_told_before(on: Harness, world: Any) -> None:
    """As for GPUs; a bad amount is refused with its form."""
    await on.say(world.declared(training={"resources": {"custom": {"fpga": 1}}}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    await on.say(TrainingRequested(model="delay"), as_="operator")
    told = await on.heard(TrainingQueued, where=lambda event: event.waits_for == "resources", timeout=120)

    room = await on.http.get("/room", params={"custom": ["fpga=1"]})
    bad = await on.http.get("/room", params={"custom": ["fpga"]})

    assert "none has a resource 'fpga'" in (told.data.detail or "")
    assert room.json()["lacks"] == told.data.detail
    assert (bad.status_code, bad.json()["detail"].startswith("custom takes NAME=AMOUNT")) == (422, True)
    assert (await on.http.get(f"/runs/{told.data.run}")).json()["custom"] == {"fpga": 1}


@pytest.mark.faults
async def test_a_run_gets_the_resource_that_it_names_from_ray(on: Harness, world: Any, ray_head: Any) -> None:
    """It starts when a node comes that has it."""
    await on.say(world.declared(training={"resources": {"custom": {"fpga": 1}}}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    await on.say(TrainingRequested(model="delay"), as_="operator")
    await on.heard(TrainingQueued, where=lambda event: event.waits_for == "resources", timeout=120)

    with ray_head.another_node(cpus=2, resources='{"fpga": 1}'):
        await on.heard(TrainingCompleted, timeout=180)

    assert [each.data.waits_for for each in on.all(TrainingQueued)] == ["capacity", "resources", "capacity"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [("hihg", "priority: 'hihg' is not known; did you mean 'high'?"), (11, "priority: 11 is no priority")],
)
async def test_a_priority_that_is_none_is_refused_on_every_way_in(
    on: Harness, world: Any, asked: int | str, says: str
) -> None:
    """With the nearest right one, or the bounds."""
    await on.say(world.declared())
    await on.quiet()

    answer = await on.http.post("/models/delay/runs", json={"priority": asked})
    await on.say(TrainingRequested(model="delay", priority=asked), as_="operator")

    refused = await on.heard(RequestRefused)
    assert answer.status_code == 422
    assert says in str(answer.json()["detail"])
    assert says in refused.data.reason
    assert on.all(TrainingQueued) == []


async def test_only_a_person_asks_for_more_than_is_declared(on: Harness, world: Any) -> None:
    """Who is known by a connection alone may ask for less; a person has what it asks for, by name or number."""
    await on.say(world.declared(training={"priority": "low"}))
    await on.quiet()

    await on.say(TrainingRequested(model="delay", priority="high"), as_="operator")
    refused = await on.heard(RequestRefused)
    await on.say(TrainingRequested(model="delay", priority=-9), as_="operator")
    lower = await on.heard(TrainingQueued)
    person = [
        (await on.http.post("/models/delay/runs", json=wish)).json()["priority"]
        for wish in ({"priority": "urgent"}, {"priority": 3}, {})
    ]

    assert "delay is declared with priority -5, and nats:operator is no person" in refused.data.reason
    assert lower.data.priority == -9
    assert person == [10, 3, -5]


async def test_runs_start_in_the_order_of_their_priorities(trainer: Callable[..., Harness], world: Any) -> None:
    """Whoever asked first; the first one may have begun before the others were asked for."""
    async with trainer(capacity=1) as on:
        await on.say(world.declared())
        await on.say(world.ingested(world.flights()))
        await on.quiet()
        first, low, normal, high = [
            (await on.http.post("/models/delay/runs", json={"priority": each})).json()["run"]
            for each in ("urgent", "low", "normal", 7)
        ]
        queued = [each["run"] for each in (await on.http.get("/queue")).json()["queued"]]

        await eventually(lambda: len(on.all(TrainingCompleted)) == 4, 120)

        assert [each.data.run for each in on.all(TrainingStarted)] == [first, high, normal, low]
        assert queued[-3:] == [high, normal, low]
