"""Fault points: off unless asked for, exact when asked for, and listed from the source."""

import os
import signal
import subprocess
import sys

import pytest

from headrace.faults.catalog import places
from headrace.faults.points import armed, read


def test_without_the_variable_nothing_is_armed() -> None:
    """The usual case."""
    assert read({}) is None
    assert read({"FAULT_AT": ""}) is None


@pytest.mark.parametrize("told", ["relay.stored", "relay.stored:", ":3", "relay.stored:0", "relay.stored:-1", "x:y"])
def test_a_variable_that_names_no_passing_is_an_error(told: str) -> None:
    """A fault that was asked for and does not happen would prove nothing."""
    with pytest.raises(ValueError, match="give a fault point and its passing"):
        read({"FAULT_AT": told})


def test_the_named_passing_ends_it_and_no_other() -> None:
    """Other names do not count."""
    ends: list[str] = []
    point = armed("here", 3, lambda: ends.append("end"))
    for name in ("here", "there", "here", "there", "there"):
        point(name)
    assert ends == []
    point("here")
    point("here")
    assert ends == ["end"]


def test_the_process_ends_there_as_in_a_power_cut() -> None:
    """No handler, no finally, nothing flushed."""
    tried = "try:\n    print('buffered', end='')\n    point('a.b')\nfinally:\n    print('x', flush=True)"
    program = f"from headrace.faults import point\n{tried}"
    environment = {**os.environ, "FAULT_AT": "a.b:1"}
    environment.pop("PYTHONUNBUFFERED", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""


def test_a_point_that_is_told_later_ends_it_then() -> None:
    """For a process that has loaded everything before it is known at which point its children die."""
    tried = "point('a.b')\nlater.arm({'FAULT_AT': 'a.b:2'})\npoint('a.b')\nprint('once', flush=True)\npoint('a.b')"
    program = f"from headrace.faults import point\nfrom headrace.faults.points import later\n{tried}"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "FAULT_AT": "later"}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"once\n")


def test_names_are_unique_and_say_where_they_are() -> None:
    """One name, one place; `part.what_happened`."""
    found = places()
    names = [place.name for place in found]
    assert len(names) > 20
    assert len(set(names)) == len(names)
    for name in names:
        part, dot, what = name.partition(".")
        assert dot, name
        assert part.isidentifier(), name
        assert what.isidentifier(), name
