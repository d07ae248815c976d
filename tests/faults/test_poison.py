"""A handler that cannot cope with one message: it raises, it is killed, or it never ends."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from load import declaration

from headrace.bus import BusSettings, connect, utc_now
from headrace.contracts import DeclarationRequested, encode, wrap

pytestmark = pytest.mark.faults
PROGRAM = Path(__file__).with_name("poisoned.py")
ATTEMPTS, LONGEST_S = 2, 2.0


@contextmanager
def poisoned(rig: Any) -> Iterator[None]:
    """The registry with the handler that breaks; few attempts and a short patience, so that it does not take long."""
    usual = rig.programs["registry"]
    short = {"HEADRACE_DEAD_LETTER_AFTER_ATTEMPTS": str(ATTEMPTS), "HEADRACE_LONGEST_HANDLER_S": str(LONGEST_S)}
    rig.stop("registry")
    command, told = [sys.executable, str(PROGRAM)], {**usual.environment, **short}
    rig.programs["registry"] = replace(usual, command=command, environment=told)
    rig.start("registry")
    rig.ready("registry")
    try:
        yield
    finally:
        rig.stop("registry")
        rig.programs["registry"] = usual
        rig.start("registry")
        rig.ready("registry")


@pytest.mark.parametrize("how", ["raises", "killed", "hangs"])
def test_a_handler_that(rig: Any, how: str, trial: Any, judged: Any) -> None:
    """The message is set aside within a few attempts, nothing of it is kept, and everybody else's work is done."""
    with poisoned(rig):
        load = trial().start()
        load.sent(0.3)
        poison = publish(rig, load.trial, how)
        load.finish()
        rig.until(
            lambda: dead_letters(rig, poison), f"{poison} is set aside", 400
        )  # ten seconds between deaths, and a start
        assert rig.rows("registry", "SELECT attempts FROM dead_letter WHERE message_id = ?", poison) == [(ATTEMPTS,)]
        assert not rig.rows("registry", "SELECT name FROM models WHERE name = ?", f"poison-{load.trial}")
        judged(f"poison: handler {how}", load, poison={poison})


def dead_letters(rig: Any, message: str) -> bool:
    """Whether it lies there; a service that was killed is started again meanwhile, as whoever watches it does."""
    if rig.wait_dead("registry", 0):
        rig.start("registry")
    return bool(rig.rows("registry", "SELECT 1 FROM dead_letter WHERE message_id = ?", message))


def publish(rig: Any, trial: str, how: str) -> str:
    """Say the declaration that breaks the handler; returns its id."""
    event = DeclarationRequested.model_validate(declaration(f"poison-{trial}", how))
    envelope = wrap(event, source="headrace/operator", id=f"operator:{trial}-poison", time=utc_now())

    async def say() -> None:
        connection = await connect(BusSettings(rig.layout.nats_url, "operator", rig.layout.seed("operator")), name="p")
        headers = {"Nats-Msg-Id": envelope.id, "Content-Type": "application/cloudevents+json"}
        await connection.publish_and_wait(envelope.nats_subject, encode(envelope), headers)
        await connection.close()

    asyncio.run(say())
    return envelope.id
