"""`point(name)` does nothing, unless `FAULT_AT=<name>:<n>` is set: then its n-th passing is the process's last act.

The end is SIGKILL by the process to itself: no handler, no `finally`, no flushing, as when the machine is switched off.
"""

import os
import signal
from collections.abc import Callable, Mapping

VARIABLE = "FAULT_AT"


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


_told = read(os.environ)
point = armed(*_told, _die) if _told else _off
