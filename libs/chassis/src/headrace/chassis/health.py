"""Whether a service is alive, and whether it is ready: the truth, with reasons."""

import asyncio

from sqlalchemy import text

from headrace.chassis.service import Runtime

LONGEST_S = 2.0  # whoever probes gives up soon after


async def problems(runtime: Runtime) -> dict[str, str]:
    """Everything that keeps the service from its work; empty when it is ready."""
    found = dict(runtime.problems)
    if not runtime.connection.connected:
        found["broker"] = "not connected; it is tried again and again"
    for subject, times in runtime.connection.denied.items():
        found[f"permission:{subject}"] = f"the broker refused to publish there, {times} times"
    if runtime.relay.problem:
        found["outbox"] = runtime.relay.problem
    found |= {f"consumer:{intake.spec.stream}": intake.problem for intake in runtime.intakes if intake.problem}
    if runtime.inlet is not None and runtime.inlet.problem:
        found["handling"] = runtime.inlet.problem
    if broken := await _database(runtime):
        found["database"] = broken
    return found


async def _database(runtime: Runtime) -> str | None:
    try:
        async with asyncio.timeout(LONGEST_S), runtime.store.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except TimeoutError:
        return f"no answer within {LONGEST_S} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
