"""Older versions of events, read as the newest one.

For each step there is one pure function, named after the schema that it reads: `training_completed_v1` takes a
TrainingCompletedV1 and returns version 2 of it. It stays for as long as streams hold the older version, which in EVENTS
is for ever. Writers say the newest version alone, so nothing leads back.
"""

from collections.abc import Callable, Mapping
from typing import Any

from headrace.contracts.base import Event

Upcaster = Callable[[Any], Event]

UPCASTERS: Mapping[str, Upcaster] = {}
"""The step from each older version to the next, by the type that it reads: headrace.training.completed.v1."""


def upcast(event: Event) -> Event:
    """The same event in its newest version."""
    while (step := UPCASTERS.get(event.TYPE)) is not None:
        event = step(event)
    return event
