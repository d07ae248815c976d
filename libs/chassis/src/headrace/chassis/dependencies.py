"""What a service needs beside its database and the broker: looked at now and then, and named where it is away.

One look every few seconds is made whatever callers ask, so that a readiness probe costs the other side nothing.
"""

from datetime import timedelta

import structlog

from headrace.bus.processor import reason_of
from headrace.chassis.every import Every, chore
from headrace.chassis.service import Dependency, Runtime

log = structlog.get_logger()

LOOK_EVERY = timedelta(seconds=5)  # with the deadline of a look: an outage is known after some eight seconds
AWAY = "it does not answer; it is asked again and again"


def looking_at(dependency: Dependency) -> Every[Runtime, None]:
    """The loop that names a dependency at `/ready` while it does not answer."""

    async def look(runtime: Runtime) -> None:
        await look_once(dependency, runtime.problems if dependency.vital else runtime.degraded)

    return chore(LOOK_EVERY, look, name=f"look:{dependency.name}")


async def look_once(dependency: Dependency, named: dict[str, str]) -> None:
    """Look whether a dependency answers, and keep `named` true of it."""
    try:
        await dependency.look()
    except dependency.errors as error:
        if dependency.name not in named:
            log.warning("dependency_away", dependency=dependency.name, reason=reason_of(error))
        named[dependency.name] = AWAY
    else:
        if named.pop(dependency.name, None):
            log.info("dependency_back", dependency=dependency.name)
