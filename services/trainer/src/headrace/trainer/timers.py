"""Checkpoints of runs that have ended: removed at once where there is a model, else after a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from headrace.chassis import Every, Runtime, every
from headrace.objects import ObjectStore, StoreAway
from headrace.trainer.dispatch import work_for
from headrace.trainer.handlers import keep
from headrace.trainer.tables import Repository, RunRow
from headrace.trainer.worker.checkpoints import BUCKET, in_order_of_removal, prefix_of

log = structlog.get_logger(__name__)

_LONGEST = timedelta(minutes=10)  # for the checkpoints of one run: a thousand files take some seconds


@dataclass(frozen=True)
class Retention:
    """Removes what nothing goes on from any more."""

    store: ObjectStore
    look_every: timedelta

    def loop(self) -> Every[Runtime, str]:
        """Each run apart from the others."""
        return every(self.look_every, self.due, self.remove, name="checkpoints", longest=_LONGEST, outages=(StoreAway,))

    async def due(self, runtime: Runtime) -> Mapping[str, str]:
        """The ids of runs whose checkpoints have had their time: one that cannot be read keeps no other waiting."""
        async with runtime.session() as session:
            return {run: run for run in await Repository(session).with_old_checkpoints(runtime.clock())}

    async def remove(self, runtime: Runtime, run: str) -> None:
        """Remove all that lies there, also what was never told of, and note it."""
        async with runtime.session() as session:
            seen = await session.get_one(RunRow, run)
        prefix = prefix_of(seen.model, seen.run)
        keys = [each.key for each in await self.store.list(BUCKET, prefix)]
        for key in in_order_of_removal(keys, prefix):
            await self.store.remove(BUCKET, key)
        async with work_for(runtime, seen) as work:
            row = await work.session.get_one(RunRow, seen.run)
            keep(work, row, row.as_run.checkpoints_removed())
            await Repository(work.session).remove_checkpoints(seen.run, work.now)
        log.info("checkpoints_removed", run=seen.run, objects=len(keys))
