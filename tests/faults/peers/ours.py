"""`ours.py URL SEED_FILE DATABASE`: a service of the chassis that writes a row for each event, and says one event."""

import sys
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from headrace.bus import UnitOfWork
from headrace.chassis import run
from headrace.contracts import AliasMoved, RolloutCompleted
from headrace.deployer.service import build
from headrace.deployer.settings import DeployerSettings
from headrace.testkit.builders import a

URL, SEED, DATABASE = sys.argv[1:4]
TRIED: set[str] = set()


async def on_alias_moved(event: AliasMoved, work: UnitOfWork) -> None:
    """A row, and an event that follows."""
    connection = await work.session.connection()
    await connection.execute(text("CREATE TABLE IF NOT EXISTS effect (name TEXT)"))
    await connection.execute(text("INSERT INTO effect VALUES (:name)"), {"name": event.model})
    if event.model.endswith("7") and event.model not in TRIED:  # what fails once would succeed the next time
        TRIED.add(event.model)
        raise ConnectionError("a neighbour is away for a moment")
    work.emit(a(RolloutCompleted, model=event.model))


settings = DeployerSettings(
    nats_url=URL, nats_nkey_seed_file=Path(SEED), database_url=f"sqlite+aiosqlite:///{DATABASE}", http_port=0
)
run(replace(build(settings), subscriptions={AliasMoved: on_alias_moved}, background=()))
