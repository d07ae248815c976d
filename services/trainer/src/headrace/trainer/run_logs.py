"""The log of a run, as it lies in the object store: whole, or followed while the run goes on."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass

from headrace.chassis import Runtime
from headrace.objects import ObjectStore
from headrace.trainer.domain import State
from headrace.trainer.tables import RunRow

_LOOK_S = 0.5
_MOST_LOOKS = 10  # for a piece that a listing lacks, once the run has ended


@dataclass(frozen=True)
class RunLogs:
    """Reads what workers have kept of what runs print."""

    store: ObjectStore
    bucket: str

    async def pieces(self, runtime: Runtime, run: str, *, follow: bool) -> AsyncIterator[bytes]:
        """The log so far; with `follow` also what comes, until the run has ended."""
        seen: list[str] = []
        for look in itertools.count():
            row = await _row(runtime, run)  # before the pieces are listed: what ends a run comes after its last piece
            ended = State(row.state).ended
            listed = [each.key for each in await self.store.list(self.bucket, f"{row.model}/{run}/logs/")]
            fresh, waits = following(listed, seen)
            for key in fresh:
                seen.append(key)
                async for block in self.store.read(self.bucket, key):
                    yield block
            if (ended or not follow) and not (waits and look < _MOST_LOOKS):
                break
            await asyncio.sleep(_LOOK_S)
        if ended and not seen:
            yield str((row.outcome or {}).get("log", "")).encode()


def following(listed: Iterable[str], seen: Collection[str]) -> tuple[list[str], bool]:
    """The pieces that follow on those seen, and whether others wait for one that is not listed yet.

    Pieces of an attempt are numbered from 0 on; a listing may lack one that was written just before another.
    """
    counts = Counter(key.rpartition("-")[0] for key in seen)
    fresh, waits = [], False
    for key in sorted(set(listed) - set(seen)):
        attempt, _, number = key.rpartition("-")
        if int(number) == counts[attempt]:
            counts[attempt] += 1
            fresh.append(key)
        else:
            waits = True
    return fresh, waits


async def _row(runtime: Runtime, run: str) -> RunRow:
    async with runtime.session() as session:
        return await session.get_one(RunRow, run)
