"""`python counting.py URL SEED_FILE DATABASE`: a service that counts by model, and says one event for each it hears."""

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
COUNT = text("INSERT INTO counted VALUES (:model, 1) ON CONFLICT (model) DO UPDATE SET n = n + 1")


async def on_alias_moved(event: AliasMoved, work: UnitOfWork) -> None:
    """One more."""
    connection = await work.session.connection()
    await connection.execute(text("CREATE TABLE IF NOT EXISTS counted (model TEXT PRIMARY KEY, n INTEGER)"))
    await connection.execute(COUNT, {"model": event.model})
    work.emit(a(RolloutCompleted, model=event.model))


settings = DeployerSettings(
    nats_url=URL, nats_nkey_seed_file=Path(SEED), database_url=f"sqlite+aiosqlite:///{DATABASE}", http_port=0
)
run(replace(build(settings), subscriptions={AliasMoved: on_alias_moved}, background=()))
