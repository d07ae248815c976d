"""When a key was last used: kept by every service, without a write for each request."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.bus import Store
from headrace.chassis.auth import Gate, new_key, new_keys, write_keys
from headrace.chassis.database import create_engine, migrate
from headrace.chassis.key_use import flush, last_used

MIGRATIONS = Path(__file__).with_name("migrations")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def store(database_url: str) -> Any:
    """A service's database."""
    engine = create_engine(database_url)
    await migrate(engine, MIGRATIONS)
    yield Store(engine)
    await engine.dispose()


def noting(**used: datetime) -> Gate:
    """A gate at which keys were presented."""
    gate = Gate(None, open_to_all=False)
    gate.used = dict(used)
    return gate


async def read(store: Store, gate: Gate) -> dict[str, datetime]:
    """What is known of the last uses."""
    async with store.read() as session:
        return await last_used(session, gate)


async def test_the_newest_use_is_kept_whoever_writes_last(store: Store) -> None:
    """Several copies of a service share one database, and their batches come in any order."""
    await flush(noting(a=NOON, b=NOON), store)
    await flush(noting(a=NOON - timedelta(hours=1), b=NOON + timedelta(hours=1)), store)

    assert await read(store, noting(c=NOON)) == {"a": NOON, "b": NOON + timedelta(hours=1), "c": NOON}


async def test_what_cannot_be_written_stays_noted(store: Store) -> None:
    """The next batch has it; what was noted meanwhile is newer."""
    gate = noting(a=NOON, b=NOON)

    class Broken:
        def write(self) -> Any:
            gate.used["b"] = NOON + timedelta(minutes=1)
            raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        await flush(gate, Broken())  # type: ignore[arg-type]
    await flush(gate, store)

    assert gate.used == {}
    assert await read(store, gate) == {"a": NOON, "b": NOON + timedelta(minutes=1)}


async def test_last_use_is_shown_and_survives_a_restart(on_harness: Any, tmp_path: Path) -> None:
    """Refused requests of a known key count too; a key that was never presented has none; no secret is shown."""
    file = tmp_path / "keys.json"
    ann, keys = new_key(new_keys(), "ann", ["admin"])
    bob, keys = new_key(keys, "bob", ["ingest:read"], datetime.now(UTC) + timedelta(days=1))
    _, keys = new_key(keys, "cleo", ["predict"])
    write_keys(file, keys)

    async with on_harness(api_keys_file=file) as on:

        async def shown() -> dict[str, Any]:
            answer = await on.http.get("/keys", headers={"authorization": f"Bearer {ann}"})
            assert bob.split("_", 2)[2] not in answer.text
            return {key["name"]: SimpleNamespace(**key) for key in answer.json()["items"]}

        denied = await on.http.get("/notes", headers={"authorization": f"Bearer {bob}"})
        first = await shown()
        await on.restart()
        second = await shown()

    assert denied.status_code == 403
    assert first["cleo"].last_used is None
    assert first["bob"].last_used == second["bob"].last_used
    assert first["bob"].last_used is not None
    assert second["ann"].last_used > first["ann"].last_used
