"""All services keep their state on PostgreSQL, which dies."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from load import settled
from rig import Rig

from headrace.contracts.services import SERVICES
from headrace.testkit.databases import Postgres

pytestmark = pytest.mark.faults
FAULT = "PostgreSQL killed under load"


class PostgresRig(Rig):
    """Services with a database each on one server, brokers and object store as ever."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = Postgres()
        self.server.start()
        self.urls = {name: self.server.new_database() for name in SERVICES}
        self.environment = {name: {"HEADRACE_DATABASE_URL": url} for name, url in self.urls.items()}

    def down(self) -> None:
        """Everything."""
        super().down()
        self.server.stop()

    def rows(self, service: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a service's database, read beside it."""
        for number in range(1, query.count("?") + 1):
            query = query.replace("?", f"${number}", 1)

        async def ask() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.urls[service].replace("+asyncpg", ""))
            try:
                return [tuple(row) for row in await connection.fetch(query, *values)]
            finally:
                await connection.close()

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresRig]:
    """It goes by the name that every fixture of this suite knows."""
    found = PostgresRig(tmp_path_factory.mktemp("postgres"))
    try:
        found.up()
        found.declare_idle()
        yield found
    finally:
        found.down()


@pytest.fixture(scope="module")
def reference(rig: PostgresRig) -> Any:
    """The end of a run without faults, on PostgreSQL."""
    return settled(rig)


@pytest.mark.parametrize("seed", range(4))
def test_killed_under_load(rig: PostgresRig, seed: int, trial: Any, judged: Any) -> None:
    """At any moment of it, and started again: nothing is acknowledged that it does not hold."""
    load = trial().start()
    load.sent(random.Random(seed).uniform(0.1, 0.8))
    rig.server.kill()
    rig.server.serve()
    judged(FAULT, load.finish())


def test_away_for_a_while(rig: PostgresRig, trial: Any, judged: Any) -> None:
    """Everybody who needs it says so, nobody ends, and there are no dead letters."""
    load = trial().start()
    load.sent(0.2)
    rig.server.kill()
    for service in ("registry", "trainer", "monitor"):
        rig.until(lambda service=service: not rig.is_ready(service), f"{service} misses its database")
    load.finish()
    time.sleep(5.0)  # the fault itself lasts this long
    alive = [name for name in SERVICES if not rig.wait_dead(name, 0)]
    rig.server.serve()
    judged("PostgreSQL away", load)
    assert alive == list(SERVICES)
