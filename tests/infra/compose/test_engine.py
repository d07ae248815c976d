"""`make compose-test`: containers die in mid-story, and it ends the same; what was there is there after down and up."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.client.verify import verify

from .conftest import CONTAINERS, JOBS, LASTING
from .containers import Containers, Story, wait_until_good

WANTED = os.environ.get("HEADRACE_COMPOSE")
KILLED = [name for name in LASTING if "profiles" not in CONTAINERS[name]]
LATER = {"deployer", "inference-1", "inference-2", "balancer"}  # they take part from when a version is registered
DEAD_S = 3.0  # long enough for everybody to notice


def _engine() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not WANTED, reason="`make compose-test` runs these: they build images and take minutes"),
    pytest.mark.skipif(not _engine(), reason="no Docker engine answers here"),
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("compose"),
]


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    """Everything, healthy; it runs on afterwards where HEADRACE_COMPOSE=keep."""
    stack = Containers()
    stack.up()
    yield stack
    if WANTED != "keep":
        stack.down()


@pytest.fixture(scope="module")
def story(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A model whose first version serves."""
    folder = tmp_path_factory.mktemp("compose")
    with containers.attached(folder) as client:
        told = Story(client, folder)
        told.begin()
        yield told


def test_everything_is_healthy(containers: Containers) -> None:
    """Every container of the default run, and every job done."""
    states = containers.states()

    assert states == dict.fromkeys(KILLED, "healthy") | dict.fromkeys(JOBS, "done")


@pytest.mark.parametrize("name", KILLED)
def test_the_story_ends_the_same_when_a_container_is_killed(containers: Containers, story: Story, name: str) -> None:
    """New data become one version that answers, is told the truth and is traced, whatever died on the way."""
    began = time.monotonic()
    story.upload()
    if name in LATER:
        story.registered()

    containers.kill(name)
    time.sleep(DEAD_S)
    containers.start(name)

    story.serves()
    assert len(wait_until_good(lambda: story.client.versions(story.model))) == story.versions
    assert not wait_until_good(lambda: list(story.client.dead_letter()))
    print(f"{name}: {time.monotonic() - began:.1f} s from the upload to the traced answer")
    wait_until_good(containers.states, lambda found: found[name] == "healthy")


def test_while_one_replica_is_dead_the_other_answers(containers: Containers, story: Story) -> None:
    """No request fails: the balancer asks again where one got no answer."""
    containers.kill("inference-1")
    answers = [story.ask() for _ in range(50)]
    containers.start("inference-1")

    assert {each["model_version"] for each in answers} == {str(story.versions)}


def test_what_ends_by_itself_comes_back_by_itself(containers: Containers) -> None:
    """Nobody has to look."""
    before = containers.restarts("registry")

    containers.crash("registry")

    wait_until_good(lambda: containers.restarts("registry"), lambda count: count > before)
    wait_until_good(containers.states, lambda found: found["registry"] == "healthy")


def test_everything_is_still_there_after_down_and_up(containers: Containers, story: Story, tmp_path: Path) -> None:
    """Versions, their files, answers, the trace and the log; keys and addresses too."""
    before = verify(story.client.http)

    containers.down()
    containers.up()

    answer = wait_until_good(story.ask)
    after = wait_until_good(lambda: verify(story.client.http))
    assert answer["model_version"] == str(story.versions)
    assert len(story.client.versions(story.model)) == story.versions
    story.is_traced()
    assert after["whole"]
    assert after["entries"] >= before["entries"]
    with containers.attached(tmp_path) as again:
        assert again.http.stack.key == story.client.http.stack.key
