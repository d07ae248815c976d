"""`point(name)` does nothing, unless `FAULT_AT=<name>:<n>` is set: then its n-th passing is the process's last act.

`FAULT_AT=later` is for a process that loads a program and forks: each of its children is told with `later.arm`.
The end is SIGKILL by the process to itself: no handler, no `finally`, no flushing, as when the machine is switched off.
"""

import os
import signal
from collections.abc import Callable, Mapping

VARIABLE = "FAULT_AT"
LATER = "later"


def read(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """The name and the passing that `FAULT_AT` names; None where it is not set; raises ValueError where it is wrong."""
    told = environment.get(VARIABLE, "")
    if not told:
        return None
    name, colon, number = told.rpartition(":")
    if not colon or not name or not number.isdigit() or int(number) < 1:
        raise ValueError(f"{VARIABLE}={told!r}: give a fault point and its passing, such as relay.stored:1")
    return name, int(number)


def armed(name: str, passing: int, end: Callable[[], None]) -> Callable[[str], None]:
    """A `point` that calls `end` at the given passing of the given name."""
    left = passing

    def point(here: str) -> None:
        nonlocal left
        if here == name:
            left -= 1
            if left == 0:
                end()

    return point


def _off(_name: str) -> None:
    """No fault was asked for."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _point(told: tuple[str, int] | None) -> Callable[[str], None]:
    return armed(*told, _die) if told else _off


class Later:
    """A `point` that does nothing until it is told."""

    def __init__(self) -> None:
        self._point: Callable[[str], None] = _off

    def arm(self, environment: Mapping[str, str]) -> None:
        """Be what `FAULT_AT` says in this environment; raises ValueError where it is wrong."""
        self._point = _point(read(environment))

    def __call__(self, here: str) -> None:
        """Pass a point."""
        self._point(here)


later = Later()
point = later if os.environ.get(VARIABLE) == LATER else _point(read(os.environ))
