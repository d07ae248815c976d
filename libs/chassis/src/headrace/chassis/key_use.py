"""When each API key was last presented: noted in memory, written down in batches, so that no request waits for it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus.store import Store
from headrace.bus.tables import UtcTime
from headrace.bus.upsert import put_rows
from headrace.chassis.auth import Gate
from headrace.chassis.every import Every, chore
from headrace.chassis.service import Runtime

EVERY = timedelta(seconds=30)  # who asks whether a key is still in use counts in days


class KeyUse(SQLModel, table=True):
    """One row a key that was ever presented to this service."""

    __tablename__ = "key_use"

    id: str = Field(primary_key=True)
    used_at: datetime = Field(sa_type=UtcTime)


def keep_uses(gate: Gate) -> Every[Runtime, None]:
    """The loop that writes down what was noted."""
    return chore(EVERY, lambda runtime: flush(gate, runtime.store), name="key_use", wait_first=True)


async def flush(gate: Gate, store: Store) -> None:
    """Write down what was noted since the last time; what cannot be written stays noted."""
    noted, gate.used = gate.used, {}
    try:
        if noted:
            await _write(store, noted)
    except BaseException:
        gate.used = {**noted, **gate.used}
        raise


async def last_used(session: AsyncSession, gate: Gate) -> dict[str, datetime]:
    """When each key was last presented to this service, by its id."""
    written = (await session.exec(select(KeyUse))).all()
    return {**{row.id: row.used_at for row in written}, **gate.used}


async def _write(store: Store, noted: Mapping[str, datetime]) -> None:
    rows = [{"id": key_id, "used_at": at} for key_id, at in sorted(noted.items())]
    async with store.write() as session:  # several copies of a service share one database
        await put_rows(session, KeyUse, rows, highest=("used_at",))
