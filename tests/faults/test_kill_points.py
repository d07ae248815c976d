"""Each service dies at each fault point that it passes, one death after the other, while requests come in."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from headrace.faults.catalog import places
from headrace.local.layout import SERVICES

EVERY = sorted(place.name for place in places())
COMMON = [place.name for place in places() if place.member == "bus"]
COVERED: set[str] = set()
FAULT = "a service killed at each fault point"
PASSING_S = 6.0  # within which a point is passed, or is none of this service's under this load


def chain(rig: Any, service: str, points: list[str], seed: int) -> tuple[int, set[str]]:
    """Kill the service at one point after the other; returns how often it died, and where."""
    chance, deaths, covered = random.Random(seed), 0, set[str]()
    for point in points:
        rig.stop(service)
        rig.start(service, FAULT_AT=f"{point}:{chance.randint(1, 3)}")
        if rig.wait_dead(service, PASSING_S):
            rig.processes.pop(service)
            deaths += 1
            covered.add(point)
            rig.start(service)
            rig.ready(service)
    rig.stop(service)
    rig.start(service)
    rig.ready(service)
    return deaths, covered


@pytest.mark.faults
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_killed_at_every_point_loses_nothing_and_does_nothing_twice(
    rig: Any, service: str, trial: Any, judged: Any, row: Callable[[str], Any]
) -> None:
    """One load lasts over all the deaths of a service."""
    own = [place.name for place in places() if place.member == service]
    load = trial(count=1500, pace_s=0.05).start()
    deaths, covered = chain(rig, service, COMMON + own, seed=SERVICES.index(service))
    load.finish(120)
    COVERED.update(covered)
    judged(FAULT, load, trials=deaths)
    row(FAULT).points = f"{len(COVERED)} of {len(EVERY)}"
    assert deaths >= 4, f"{service} died only at {sorted(covered)}"


@pytest.mark.timeout(900)  # the first of them starts everything
@pytest.mark.parametrize("service", ["registry", "trainer"])
def test_a_sample_a_service_killed_between_commit_and_acknowledgement(
    rig: Any, service: str, trial: Any, judged: Any
) -> None:
    """The moment that everybody else gets wrong."""
    rig.stop(service)
    rig.start(service, FAULT_AT="inlet.committed:2")
    load = trial().start()
    assert rig.wait_dead(service)
    rig.processes.pop(service)
    rig.start(service)
    load.finish()
    judged(FAULT, load)
