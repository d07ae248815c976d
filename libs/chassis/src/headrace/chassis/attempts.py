"""How often each item of a loop was tried: in a service's database, or in the memory of a process that has none."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

from pydantic_core import to_json

from headrace.bus.dead_letters import set_aside
from headrace.bus.items import count_try, forget_items, note_failure, tried
from headrace.bus.unit_of_work import UnitOfWork
from headrace.chassis.service import Runtime

GiveUp = Callable[[UnitOfWork, Any, str], Awaitable[None]]


class Attempts(Protocol):
    """What a loop knows of the items that it has tried."""

    async def load(self) -> tuple[set[str], set[str]]:
        """The keys of the items that were tried and not handled well, and of those that are set aside."""
        ...

    async def begin(self, key: str) -> int:
        """Count a try that is about to be made; returns its number."""
        ...

    async def failed(self, key: str, error: str, *, counted: bool) -> None:
        """Keep why a try failed; one that is not counted is taken back."""
        ...

    async def ended(self, keys: Collection[str]) -> None:
        """Forget items that were handled well."""
        ...

    async def set_aside(self, key: str, item: Any, reason: str) -> None:
        """Try an item no more, and let people know."""
        ...


class StoredAttempts:
    """Attempts in the service's own database: they outlive the process, since an item may end it."""

    def __init__(self, runtime: Runtime, loop: str, give_up: GiveUp | None) -> None:
        self._runtime, self._loop, self._give_up = runtime, loop, give_up

    async def load(self) -> tuple[set[str], set[str]]:
        """See Attempts."""
        async with self._runtime.session() as session:
            rows = await tried(session, self._loop)
        aside = {row.key for row in rows if row.dead_letter}
        return {row.key for row in rows} - aside, aside

    async def begin(self, key: str) -> int:
        """See Attempts."""
        async with self._runtime.store.write() as session:
            return (await count_try(session, self._loop, key, self._runtime.clock())).attempts

    async def failed(self, key: str, error: str, *, counted: bool) -> None:
        """See Attempts."""
        async with self._runtime.store.write() as session:
            await note_failure(session, self._loop, key, error, counted=counted)

    async def ended(self, keys: Collection[str]) -> None:
        """See Attempts."""
        async with self._runtime.store.write() as session:
            await forget_items(session, self._loop, keys)

    async def set_aside(self, key: str, item: Any, reason: str) -> None:
        """See Attempts. Where the service's own way of giving an item up fails, the dead letter stands alone."""
        try:
            await self._set_aside(key, item, reason, self._give_up)
        except Exception as error:
            if self._give_up is None:
                raise
            await self._set_aside(key, item, f"{reason}; and it could not be given up: {error!r}", None)

    async def _set_aside(self, key: str, item: Any, reason: str, give_up: GiveUp | None) -> None:
        service = self._runtime.service.name
        async with self._runtime.work(f"service:{service}") as work:
            row = await note_failure(work.session, self._loop, key, reason, counted=True)
            if row is None or row.dead_letter:  # another copy of this service was faster
                return
            set_aside(work, row, described(key, item), reason)
            if give_up is not None:
                await give_up(work, item, reason)


class MemoryAttempts:
    """Attempts in memory, for a process without a database; a restart forgets them, and tries everything anew."""

    def __init__(self, loop: str, problems: dict[str, str]) -> None:
        self._loop, self._problems = loop, problems
        self._tried: dict[str, int] = {}
        self._aside: set[str] = set()

    async def load(self) -> tuple[set[str], set[str]]:
        """See Attempts."""
        return set(self._tried), set(self._aside)

    async def begin(self, key: str) -> int:
        """See Attempts."""
        self._tried[key] = self._tried.get(key, 0) + 1
        return self._tried[key]

    async def failed(self, key: str, error: str, *, counted: bool) -> None:
        """See Attempts."""
        self._tried[key] = max(0, self._tried.get(key, 0) - int(not counted))

    async def ended(self, keys: Collection[str]) -> None:
        """See Attempts."""
        for key in keys:
            self._tried.pop(key, None)

    async def set_aside(self, key: str, item: Any, reason: str) -> None:
        """See Attempts."""
        self._aside.add(key)
        self._tried.pop(key, None)
        self._problems[f"{self._loop}/{key}"] = f"set aside: {reason}; mend the cause, then restart this process"


def described(key: str, item: Any) -> bytes:
    """An item as a person may read it."""
    return to_json(
        {"key": key, "item": item}, fallback=repr, indent=1, serialize_unknown=True, inf_nan_mode="constants"
    )
