"""One rig for the session, and the table that the suite writes at its end."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from invariants import Findings, check
from load import Load
from report import FIGURES, Report, Row
from rig import Rig

WHOLE = os.environ.get("HEADRACE_FAULTS") == "all"  # `make faults`, or pieces of it, fill the table of the README
REPORT = Report(FIGURES if WHOLE else Path(".headrace/faults/figures.json"))
ROUNDS = int(os.environ.get("HEADRACE_FAULT_ROUNDS", "1"))  # how often a fault is put into a load of its own
_TRIALS = count()
Trial = Callable[..., Load]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """More trials of the same fault; the figures of all rounds are the test's."""
    if ROUNDS > 1 and "trial" in metafunc.fixturenames:
        metafunc.fixturenames.append("_round")
        metafunc.parametrize("_round", range(ROUNDS), ids=[f"round{number}" for number in range(ROUNDS)])


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Every part, running; tests leave it as they found it."""
    rig = Rig(tmp_path_factory.mktemp("faults"))
    try:
        rig.up()
        rig.declare_idle()
        yield rig
    finally:
        rig.down()


@pytest.fixture(scope="session")
def reference(rig: Rig) -> Any:
    """The state that a run of the usual load without faults ends in."""
    load = Load(rig, f"t{next(_TRIALS)}").run()
    rig.quiet()
    found = check(load)
    assert found.held, f"without any fault: {found}"
    return load.state()


@pytest.fixture
def trial(rig: Rig) -> Trial:
    """A new load under a name of its own."""
    return lambda **settings: Load(rig, f"t{next(_TRIALS)}", **settings)


@pytest.fixture
def judged(rig: Rig, reference: Any) -> Callable[..., Findings]:
    """Wait until every request is handled and all is quiet, check every invariant, and fill the fault's row."""

    def judge(fault: str, load: Load, *, trials: int = 1, **settings: Any) -> Findings:
        row = REPORT.row(fault)
        began = time.monotonic()
        rig.until(load.is_handled, f"every request of {load.trial} is handled")
        row.recovery.append(time.monotonic() - began)
        rig.quiet()
        found = check(load, reference=reference if load.count == 300 and load.seed == 1 else None, **settings)
        row.trials += trials
        row.events += found.events
        row.lost += len(found.lost)
        row.doubled += len(found.doubled)
        assert found.held, f"{fault}: {found}"
        return found

    return judge


@pytest.fixture
def row() -> Callable[[str], Row]:
    """The row of a fault, for tests that count by themselves."""
    return REPORT.row


@pytest.fixture(autouse=True)
def _reported(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test finds is in the table as soon as it ends, however it ends."""
    named = request.node.nodeid.partition("tests/faults/")[2].partition("@")[0]
    REPORT.begin(re.sub(r"\[round\d+\]|-round\d+(?=\])|(?<=\[)round\d+-", "", named))
    yield
    REPORT.write(told=WHOLE)
