"""Whether a service is alive, and whether it is ready: the truth, with reasons."""

import asyncio
from contextlib import suppress
from itertools import islice

from sqlalchemy import text

from headrace.bus.dead_letters import failures
from headrace.bus.tables import DeadLetter
from headrace.chassis.service import Runtime

LONGEST_S = 2.0  # whoever probes gives up soon after
MOST_NAMED = 20


async def problems(runtime: Runtime) -> dict[str, str]:
    """Everything that keeps the service from its work; empty when it is ready."""
    found = dict(runtime.problems)
    if not runtime.connection.connected:
        found["broker"] = "not connected; it is tried again and again"
    for subject, times in runtime.connection.denied.items():
        found[f"permission:{subject}"] = f"the broker refused to publish there, {times} times"
    if runtime.relay.problem:
        found["outbox"] = runtime.relay.problem
    found |= {
        f"consumer:{consumer.spec.stream}": consumer.problem for consumer in runtime.consumers if consumer.problem
    }
    if runtime.processor is not None and runtime.processor.problem:
        found["handling"] = runtime.processor.problem
    found |= {
        f"batch:{stream}": processor.problem
        for stream, processor in runtime.batch_processors.items()
        if processor.problem
    }
    if broken := await _database(runtime):
        found["database"] = broken
    return found


async def degraded(runtime: Runtime) -> dict[str, str]:
    """Single pieces of work that fail or were set aside, while the rest goes on; a few of them, where they are many.

    Refused requests are not among them: their sender was told. Events of a version that is newer than the service are:
    it goes on with the rest, so nothing is gained by sending it no requests.
    """
    waiting = runtime.deferred.problems if runtime.deferred is not None else {}
    found = dict(islice({**waiting, **runtime.degraded}.items(), MOST_NAMED))
    limit = runtime.settings.dead_letter_after_attempts
    with suppress(Exception):  # `problems` tells of a database that is away
        async with asyncio.timeout(LONGEST_S), runtime.session() as session:
            found |= {f"dead-letter:{row.id}": _told(row) for row in await failures(session, limit, most=MOST_NAMED)}
    return found


def _told(row: DeadLetter) -> str:
    return f"{row.type} {row.key}: {row.reason}; see `headrace dead-letters show {row.id}`"[:500]


async def _database(runtime: Runtime) -> str | None:
    try:
        async with asyncio.timeout(LONGEST_S), runtime.store.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except TimeoutError:
        return f"no answer within {LONGEST_S} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
