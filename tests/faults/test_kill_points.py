"""Each service dies at each fault point that it passes, one death after the other, while requests come in."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from headrace.contracts.services import SERVICES
from headrace.faults.catalog import places

pytestmark = pytest.mark.resilience

EVERY = sorted(place.name for place in places())
COMMON = [place.name for place in places() if place.member == "bus"]
FAULT = "a service killed at each fault point"
PASSING_S = 4.0  # within which a ready service passes a point, or it is none of its own under this load


def chain(rig: Any, service: str, points: list[str], seed: int) -> set[str]:
    """Kill the service at one point after the other, each time in its recovery from the last; returns where it died."""
    chance, covered = random.Random(seed), set[str]()
    rig.stop(service)
    for point in points:
        rig.start(service, FAULT_AT=f"{point}:{chance.randint(1, 3)}")
        if dies(rig, service):
            rig.processes.pop(service)
            covered.add(point)
        else:
            rig.stop(service)
    rig.start(service)
    rig.ready(service)
    return covered


def dies(rig: Any, service: str) -> bool:
    """Whether it has come to its end before it was ready, or soon afterwards."""
    rig.until(lambda: rig.wait_dead(service, 0) or rig.is_ready(service), f"{service} is ready, or dead")
    return bool(rig.wait_dead(service, PASSING_S))


@pytest.mark.faults
@pytest.mark.parametrize("third", range(3))
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_killed_at_every_point_loses_nothing_and_does_nothing_twice(
    rig: Any, service: str, third: int, trial: Any, judged: Any, row: Callable[[str], Any]
) -> None:
    """One load lasts over a third of the deaths of a service."""
    own = [place.name for place in places() if place.member == service]
    load = trial(count=20_000, pace_s=0.05).start()
    covered = chain(rig, service, (COMMON + own)[third::3], seed=3 * SERVICES.index(service) + third)
    load.enough()
    judged(FAULT, load, trials=len(covered))
    row(FAULT).points, row(FAULT).points_of = sorted(covered), len(EVERY)
    assert covered, f"{service} died nowhere"


@pytest.mark.faults
@pytest.mark.parametrize("service", ["registry", "trainer"])  # who hears several messages at once
def test_a_service_killed_while_it_counts_what_the_last_one_may_have_died_of(
    rig: Any, service: str, trial: Any, judged: Any, row: Callable[[str], Any]
) -> None:
    """What was in its hands is counted before it is tried again; only a second death comes to that point for sure."""
    points = ["processor.handled", "processor.counted"]
    rig.stop(service)
    rig.start(service, FAULT_AT=f"{points[0]}:1")
    load = trial().start()
    for following in (*points[1:], None):
        assert rig.wait_dead(service)
        rig.processes.pop(service)
        rig.start(service, **({"FAULT_AT": f"{following}:1"} if following else {}))
    load.finish()
    judged(FAULT, load, trials=len(points))
    row(FAULT).points, row(FAULT).points_of = points, len(EVERY)


@pytest.mark.timeout(900)  # the first of them starts everything
@pytest.mark.parametrize("service", ["registry", "trainer"])
def test_a_sample_a_service_killed_between_commit_and_acknowledgement(
    rig: Any, service: str, trial: Any, judged: Any
) -> None:
    """The moment that everybody else gets wrong."""
    rig.stop(service)
    rig.start(service, FAULT_AT="processor.committed:2")
    load = trial().start()
    assert rig.wait_dead(service)
    rig.processes.pop(service)
    rig.start(service)
    load.finish()
    judged(FAULT, load)
