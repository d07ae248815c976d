"""Runs of own code that make checkpoints: what is lost goes on from the last one, and never from nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.code.archive import pack
from headrace.contracts import (
    TrainingCancelled,
    TrainingCheckpointed,
    TrainingCompleted,
    TrainingFailed,
    TrainingProgressed,
    TrainingStarted,
)
from headrace.testkit import FakeClock, Harness, eventually
from headrace.testkit.s3 import S3

from .conftest import workers

pytestmark = pytest.mark.resilience

STEPS = """
import time
from sklearn.linear_model import LogisticRegression

def train(context):
    begun = int((context.resumed / "checkpoint.bin").read_bytes()) if context.resumed else 0
    assert begun == (context.resumed_step or 0)
    for step in range(begun + 1, 6):
        context.checkpoint(str(step).encode(), step, loss=1 / step)
        while step == 3 and context.attempt == 1:
            time.sleep(0.02)
    rows = context.frame
    context.save(LogisticRegression().fit(rows[context.features], rows[context.target]))
"""
OWN = {"estimator": None, "framework": "code", "code": {"package": "net", "entry": "train:train"}}


def packed(folder: Path, program: str) -> bytes:
    """The archive of a package of one file."""
    folder.mkdir()
    (folder / "train.py").write_text(program)
    return pack(folder, folder.with_suffix(".tar")).archive.read_bytes()


async def begin(on: Harness, world: Any, folder: Path, program: str = STEPS, **training: Any) -> str:
    """Ask for a run, and wait until its third checkpoint is kept; answers with its id."""
    assert (await on.http.post("/code/net/files", content=packed(folder, program))).status_code == 201
    await on.say(world.declared(training={**OWN, **training}, data={"features": ["wind"]}))
    await on.say(world.ingested(world.flights()))
    await on.quiet()
    run = (await on.http.post("/models/delay/runs", json={})).json()["run"]
    await on.heard(TrainingCheckpointed, where=lambda event: event.checkpoint.step == 3, timeout=120)
    return str(run)


def made(on: Harness) -> list[tuple[int, int]]:
    """The attempt and the step of each checkpoint that was told of, in order."""
    return [(each.data.attempt, each.data.checkpoint.step) for each in on.all(TrainingCheckpointed)]


def kept(buckets: S3, run: str) -> list[str]:
    """What lies in the store of a run's checkpoints."""
    return [each.key for each in buckets.sync.list("checkpoints", f"delay/{run}/")]


async def test_a_run_whose_worker_dies_goes_on_from_its_last_checkpoint(
    on: Harness, world: Any, ray_head: Any, buckets: S3, tmp_path: Path
) -> None:
    """Killed -9 in the middle: no step is done twice, events, history and HTTP say so, and nothing is left behind."""
    run = await begin(on, world, tmp_path / "net")
    assert {key.split("/")[2][:11] for key in kept(buckets, run)} == {f"0001-00000{number}" for number in range(3)}

    for worker in workers(ray_head):
        worker.kill()

    await on.heard(TrainingCompleted, timeout=120)
    last = on.all(TrainingStarted)[-1].data
    found = (await on.http.get(f"/runs/{run}")).json()
    assert [step for _, step in made(on)] == [1, 2, 3, 4, 5]
    assert [attempt for attempt, _ in made(on)][:3] == [1, 1, 1]
    assert last.attempt == made(on)[-1][0] == found["attempt"] > 1
    assert last.resumed_from == on.all(TrainingCheckpointed)[2].data.checkpoint
    assert (last.resumed_from.step, last.resumed_from.metrics) == (3, {"loss": 1 / 3})
    assert last.warnings is None
    assert (found["resumed_from"]["name"], found["checkpoint"]["step"]) == ("0001-000002", 5)
    lines = [each["detail"] for each in found["history"]]
    assert any(each.startswith("attempt 1 is lost: ") for each in lines)
    assert f"attempt {last.attempt} goes on from the checkpoint of step 3" in lines
    await eventually(lambda: not kept(buckets, run))
    await eventually(lambda: all_removed(on, run, 5))


async def all_removed(on: Harness, run: str, many: int) -> bool:
    """Whether all checkpoints of a run are told to be gone, newest first."""
    items = (await on.http.get(f"/runs/{run}/checkpoints")).json()["items"]
    assert [each["step"] for each in items] == [*range(many, 0, -1)]
    until = (await on.http.get(f"/runs/{run}")).json()["checkpoints_until"]
    return until is None and all(each["removed_at"] for each in items)


async def test_a_damaged_checkpoint_and_a_new_trainer_cost_a_run_one_step(
    on: Harness, world: Any, ray_head: Any, buckets: S3, tmp_path: Path
) -> None:
    """The trainer stops, the last checkpoint is cut in half, the worker dies: the one before it is taken, and said."""
    run = await begin(on, world, tmp_path / "net")

    await on.restart()
    last = on.all(TrainingCheckpointed)[-1].data.checkpoint
    key = next(each for each in kept(buckets, run) if each.endswith(f"{last.name}/checkpoint.bin"))
    buckets.sync.remove("checkpoints", key)
    buckets.sync.put("checkpoints", b"", key=key)
    for worker in workers(ray_head):
        worker.kill()

    done = (await on.heard(TrainingCompleted, timeout=120)).data
    resumed = next(each.data for each in on.all(TrainingStarted) if each.data.attempt == 2)
    assert [step for _, step in made(on)] == [1, 2, 3, 3, 4, 5]
    assert resumed.resumed_from is not None
    assert resumed.resumed_from.step == 2
    assert resumed.warnings is not None
    assert f"checkpoint {last.name} is damaged and was passed over" in resumed.warnings[0]
    assert resumed.warnings[0] in [line["detail"] for line in (await on.http.get(f"/runs/{run}")).json()["history"]]
    assert f"CheckpointWarning: {resumed.warnings[0]}" in (done.warnings or [])
    assert last.name in on.all(TrainingCheckpointed)[3].data.removed
    assert f"[{resumed.warnings[0]}]" in (await on.http.get(f"/runs/{run}/logs")).text


async def test_checkpoints_of_a_cancelled_run_are_kept_for_a_while(
    trainer: Callable[..., Harness], world: Any, buckets: S3, clock: FakeClock, tmp_path: Path
) -> None:
    """Its author may want to look at them; it ends at once all the same, and they go after the time that is set."""
    async with trainer(clock=clock, checkpoints_for=timedelta(days=2), checkpoints=2) as on:
        run = await begin(on, world, tmp_path / "net", timeout="P3D")
        assert (await on.http.post(f"/runs/{run}/cancel")).status_code == 200
        await on.heard(TrainingCancelled)

        found = (await on.http.get(f"/runs/{run}")).json()
        assert found["checkpoints_until"] is not None
        clock.advance(timedelta(days=1))
        items = (await on.http.get(f"/runs/{run}/checkpoints", params={"limit": 2})).json()
        assert [(each["step"], each["removed_at"] is None) for each in items["items"]] == [(3, True), (2, True)]
        more = {"limit": 2, "cursor": items["next_cursor"]}
        older = (await on.http.get(f"/runs/{run}/checkpoints", params=more)).json()["items"]
        assert [(each["step"], each["removed_at"] is None) for each in older] == [(1, False)]
        assert {key.split("/")[2][:11] for key in kept(buckets, run)} == {"0001-000001", "0001-000002"}

        clock.advance(timedelta(days=1))
        await eventually(lambda: not kept(buckets, run))
        await eventually(lambda: all_removed(on, run, 3))
        assert not on.all(TrainingFailed)
        assert made(on) == [(1, 1), (1, 2), (1, 3)]


async def test_checkpoints_of_a_run_that_is_not_there_are_not_found(on: Harness) -> None:
    """As the run itself."""
    assert (await on.http.get("/runs/none/checkpoints")).status_code == 404


@pytest.mark.faults
async def test_a_run_on_a_lost_node_goes_on_where_there_is_room(
    on: Harness, world: Any, ray_head: Any, tmp_path: Path
) -> None:
    """The only node that is large enough dies with its worker; the run waits for another one, and goes on there."""
    with ray_head.another_node(cpus=3):
        await begin(on, world, tmp_path / "net", resources={"cpus": 3}, timeout="PT30M")
    with ray_head.another_node(cpus=3):
        await on.heard(TrainingCompleted, timeout=180)

    assert [step for _, step in made(on)] == [1, 2, 3, 4, 5]
    assert on.all(TrainingStarted)[-1].data.resumed_from.step == 3


@pytest.mark.faults
async def test_a_run_goes_on_when_ray_comes_back(
    alone: Harness, world: Any, ray_head: Any, kept_drivers: Any, tmp_path: Path
) -> None:
    """The head dies with everything on it."""
    on = alone
    kept_drivers.end()
    await begin(on, world, tmp_path / "net")

    ray_head.kill()
    ray_head.start()

    await on.heard(TrainingCompleted, timeout=180)
    assert [step for _, step in made(on)] == [1, 2, 3, 4, 5]
    assert on.all(TrainingStarted)[-1].data.resumed_from.step == 3


@pytest.mark.faults
async def test_a_run_goes_on_after_a_trainer_that_had_ray_on_its_own(
    trainer: Callable[..., Harness], world: Any, tmp_path: Path
) -> None:
    """There all workers end with the trainer."""
    async with trainer(own_driver=True, ray_address=None, ray_token_file=None) as on:
        await begin(on, world, tmp_path / "net")

        await on.restart()

        await on.heard(TrainingCompleted, timeout=240)
        assert [step for _, step in made(on)] == [1, 2, 3, 4, 5]
        assert on.all(TrainingStarted)[-1].data.resumed_from.step == 3


@pytest.mark.faults
async def test_training_goes_on_while_the_store_hangs(trainer: Any, own_s3: Any, world: Any, tmp_path: Path) -> None:
    """The author is told, and the newest checkpoints are kept when it is back: one attempt, and nothing is lost."""
    server, own = own_s3
    objects = own.settings.model_copy(update={"read_timeout_s": 3.0})
    slow = STEPS.replace("range(begun + 1, 6)", "range(begun + 1, 26)").replace(
        "while step == 3 and context.attempt == 1:\n            time.sleep(0.02)", "time.sleep(0.5)"
    )
    async with trainer(own_driver=True, objects=objects) as on:
        await begin(on, type(world)(own), tmp_path / "net", slow)

        server.suspend()
        waits = await on.heard(
            TrainingProgressed, where=lambda event: "waits for the object store" in (event.message or ""), timeout=60
        )
        server.resume()

        done = (await on.heard(TrainingCompleted, timeout=120)).data
        assert waits.data.message is not None
        assert f"CheckpointWarning: {waits.data.message}" in (done.warnings or [])
        assert made(on)[-1] == (1, 25)
        assert on.all(TrainingStarted)[-1].data.attempt is None
