"""Whole lives of models, while the parts that they need die under them."""

import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from story import Story
from test_kill_points import EVERY, FAULT

from headrace.contracts.services import SERVICES

pytestmark = pytest.mark.faults
# where each point of a service's own is passed: by whom
POINTS = {
    "ingest.spooled": "ingest",
    "ingest.converted": "ingest",
    "ingest.stored": "ingest",
    "objects.before_put": "ingest",
    "objects.put": "ingest",
    "trainer.begun": "trainer",
    "trainer.releasing": "trainer",
    "inference.loaded": "inference",
    "wal.written": "inference",
    "log_relay.stored": "inference",
    "audit.tile_copied": "audit",
    "audit.checkpoint_copied": "audit",
    "store.committed": "deployer",
}


@pytest.fixture(scope="session")
def usual(rig: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How a story ends where nothing happens to anybody."""
    rig.complete()
    return Story(rig, "undisturbed", tmp_path_factory.mktemp("story")).tell()


@pytest.fixture
def told(rig: Any, usual: Any, row: Callable[[str], Any], tmp_path: Path) -> Callable[..., None]:
    """Tell a story with a fault in it, and compare its end."""

    def tell(fault: str, name: str, disturb: Callable[[Story], None], *, trials: int = 1) -> None:
        story, line = Story(rig, name, tmp_path), row(fault)
        before = rig.said()
        disturbing = threading.Thread(target=disturb, args=(story,))
        disturbing.start()
        state = story.tell()
        disturbing.join(60)
        rig.quiet()
        line.trials += trials
        line.events += rig.said() - before
        if state != usual:
            line.lost += 1
        assert state == usual, fault

    return tell


@pytest.mark.parametrize("point", POINTS)
def test_a_part_killed_at_a_point_of_its_own(rig: Any, point: str, told: Any, row: Any) -> None:
    """It dies where it passes the point, is started again, and the story ends as ever."""
    part = POINTS[point]
    rig.stop(part)
    rig.start(part, FAULT_AT=f"{point}:1")

    def again(_story: Story) -> None:
        if rig.wait_dead(part, 60):
            began = time.monotonic()
            rig.processes.pop(part)
            rig.start(part)
            rig.ready(part)
            row(FAULT).points, row(FAULT).points_of = [point], len(EVERY)
            row(FAULT).recovery.append(time.monotonic() - began)

    told(FAULT, point.replace(".", "-").replace("_", "-"), again)
    assert row(FAULT).points == [point], f"{part} never came to {point}"


@pytest.mark.parametrize("who", ["worker", "head"])
def test_ray_killed_in_a_run(rig: Any, who: str, told: Any) -> None:
    """The run is resumed, or has failed once: one last event."""

    def kill(story: Story) -> None:
        query = "SELECT count(*) FROM trainer_run WHERE model = ? AND begun = 1"
        rig.until(lambda: rig.rows("trainer", query, story.name)[0][0], "the run has begun")
        if who == "head":
            rig.kill("ray")
            rig.start("ray")
            rig.ready("ray")
        else:
            for process in psutil.Process(rig.processes["ray"].pid).children(recursive=True):
                title = " ".join(process.cmdline())
                # not Ray's own agents, whose death is the death of the node
                if "ray::" in title and "IDLE" not in title and "Agent" not in title:
                    process.send_signal(signal.SIGKILL)

    told(f"Ray {who} killed in a run", f"ray-{who}", kill)


@pytest.mark.parametrize("how", ["down", "slow", "errors", "torn"])
def test_the_object_store_misbehaves(rig: Any, how: str, told: Any, row: Any) -> None:
    """Away, slow, answering 500, or breaking off in the middle of a write: tried again, one version in the end."""

    def misbehave(_story: Story) -> None:
        if how == "down":
            rig.kill("s3")
            time.sleep(3.0)  # the fault lasts this long
            rig.start("s3")
            rig.ready("s3")
        elif how == "slow":
            rig.store_proxy.latency = 0.3
            time.sleep(8.0)
            rig.store_proxy.heal()
        elif how == "errors":
            rig.store_proxy.answer = (
                b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            rig.store_proxy.reset()
            time.sleep(4.0)
            rig.store_proxy.heal()
        else:
            rig.store_proxy.cut_after = 9_000  # the file has 20,000 bytes
            rig.store_proxy.reset()
            time.sleep(4.0)
            rig.store_proxy.heal()

    told(f"object store: {how}", f"store-{how}", misbehave)
    rig.remove_orphans()
    assert rig.remove_orphans() == 0, "what was removed is gone"
    assert rig.missing() == [], "and nothing that anybody speaks of"


def test_two_writers_of_the_same_file(rig: Any, told: Any) -> None:
    """The same upload twice at once: one version, one object."""

    def also(story: Story) -> None:
        story.upload()

    told("object store: conflicting write", "store-conflict", also)


def test_rolling_restart_of_everything_under_load(
    rig: Any, usual: Any, row: Any, tmp_path: Path, trial: Any, judged: Any
) -> None:
    """Every service in turn, the inference server as two replicas behind one port: no request fails."""
    from balance import Balancer

    story = Story(rig, "rolling", tmp_path)
    assert story.tell() == usual
    fault = "rolling restart of everything under load"
    load = trial(count=2000, pace_s=0.02).start()
    with Balancer(rig) as balancer:
        balancer.asking(story)
        for service in random.Random(1).sample(SERVICES, len(SERVICES)):
            assert rig.stop(service) < 6.0, f"{service} took longer than its 5 s"
            rig.start(service)
            rig.ready(service)
        balancer.roll()
        asked, failed = balancer.stop()
    load.finish()
    judged(fault, load, trials=8)
    row(fault).events += asked
    row(fault).lost += len(failed)
    assert asked > 100
    assert not failed, failed[:3]
