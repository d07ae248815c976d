"""One supervised loop for every timer and all background work: `every(interval, due, handle)`.

`due` names the items of a tick, each by a key; `handle` is called for each of them apart from the others. An item that
fails is tried again, later each time, and set aside as a dead letter after a number of attempts; one that hangs is
given up after a while. Neither keeps the others waiting.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog

from headrace.bus.errors import NotYet, Refused
from headrace.bus.processor import HandlerBroke, guarded, is_away, reason_of
from headrace.bus.retry import RetryPolicy, jitter
from headrace.bus.tasks import cancel
from headrace.chassis.attempts import Attempts, GiveUp, MemoryAttempts, StoredAttempts
from headrace.chassis.service import Runtime
from headrace.contracts import ContractError

log = structlog.get_logger()

C = TypeVar("C")  # what a loop works with: the Runtime of a service, the connection of a replica
T = TypeVar("T")  # an item

LOOP_RETRY_POLICY = RetryPolicy(
    attempts=6, first_delay=timedelta(seconds=1), longest_delay=timedelta(minutes=2), longest=timedelta(minutes=1)
)
OUTAGE_S = 5.0  # between tries while something that everybody needs is away


@dataclass(frozen=True)
class Every(Generic[C, T]):
    """What a loop does, and how patient it is; see `every`."""

    interval: Callable[[], timedelta]
    due: Callable[[C], Awaitable[Mapping[str, T]]]
    handle: Callable[[C, T], Awaitable[bool | None]]
    name: str
    give_up: GiveUp | None = None
    held: Callable[[C], Awaitable[Collection[str]]] | None = None
    outages: tuple[type[Exception], ...] = ()
    retry_policy: RetryPolicy = LOOP_RETRY_POLICY
    for_ever: bool = False
    at_once: int = 4
    wake: asyncio.Event | None = None
    wait_first: bool = False

    @property
    def __name__(self) -> str:
        """What the loop is called where it fails."""
        return self.name

    async def __call__(self: "Every[Runtime, T]", runtime: Runtime) -> None:
        """Run as a service's background loop."""
        await self.ticker(runtime).run()

    def ticker(self: "Every[Runtime, T]", runtime: Runtime) -> "Ticker[Runtime, T]":
        """The loop over a service's own database, with the service's number of attempts."""
        attempts = StoredAttempts(runtime, self.name, self.give_up)
        retry_policy = replace(self.retry_policy, attempts=runtime.settings.dead_letter_after_attempts)
        return Ticker(replace(self, retry_policy=retry_policy), runtime, attempts, runtime.problems, runtime.degraded)

    def in_memory(self, context: C, problems: dict[str, str], degraded: dict[str, str]) -> "Ticker[C, T]":
        """The loop of a process that has no database: what was set aside is tried anew after a restart."""
        return Ticker(self, context, MemoryAttempts(self.name, degraded), problems, degraded)


def every(
    interval: timedelta | Callable[[], timedelta],
    due: Callable[[C], Awaitable[Mapping[str, T]]],
    handle: Callable[[C, T], Awaitable[bool | None]],
    *,
    name: str | None = None,
    longest: timedelta | None = None,
    **more: Any,
) -> Every[C, T]:
    """A loop that asks `due` once an `interval` and hands each item that it names to `handle`.

    - `due(context)` answers a mapping from key to item. It should only query: what can fail for one item alone belongs
      into `handle`. A key names one occurrence (`flights/window-3`, not `flights`), so that giving it up stops nothing
      else.
    - `handle(context, item)` reads anew what it needs, since an item may be some seconds old. Where it answers True,
      the next tick follows at once.
    - `Refused` sets an item aside at once, `NotYet` asks for another try that does not count, and so do errors of the
      database and those named in `outages`; anything else counts, and after DEAD_LETTER_AFTER_ATTEMPTS the item is set
      aside: a dead letter (`headrace dead-letters`), named by `/ready`, tried no more until it is replayed.
    - `give_up(work, item, reason)` joins the transaction that sets an item aside: it says what follows, for instance
      that the run has failed.
    - `held(context)` answers the keys of items that are not due because a process has them, or had them when it died.
      An item that is neither due nor held is over, and its tries are forgotten.
    - `for_ever` is for chores that must go on whatever happens: never set aside, only tried less often.
    - An item that takes longer than `longest`, a minute, is cut off, and counts as failed.
    - `at_once` items are handled at the same time; those that failed before come one by one, beside them.
    - `wake` starts a tick before the interval is over; `wait_first` begins with a pause.
    """
    wait = interval if callable(interval) else lambda: interval
    if longest is not None:
        more["retry_policy"] = replace(more.get("retry_policy", LOOP_RETRY_POLICY), longest=longest)
    return Every(wait, due, handle, name or called(handle), **more)


def chore(
    interval: timedelta | Callable[[], timedelta],
    handle: Callable[[C], Awaitable[object]],
    *,
    name: str | None = None,
    **more: Any,
) -> Every[C, None]:
    """A loop with one piece of work that must go on whatever happens: tried for ever, less often while it fails.

    Where `handle` answers True, the next tick follows at once.
    """

    async def due(_: C) -> Mapping[str, None]:
        return {"always": None}

    async def once(context: C, _: None) -> bool:
        return await handle(context) is True

    return every(interval, due, once, name=name or called(handle), for_ever=True, **more)


def called(handle: Any) -> str:
    """What a loop is called by default: after the function that handles its items."""
    return str(getattr(getattr(handle, "func", handle), "__name__", "loop")).strip("_")


class Ticker(Generic[C, T]):
    """A loop as it runs; `problems` and `degraded` name what keeps the loop, and single items, from their work."""

    def __init__(
        self,
        plan: Every[C, T],
        context: C,
        attempts: Attempts,
        problems: MutableMapping[str, str],
        degraded: MutableMapping[str, str],
    ) -> None:
        self._plan, self._context, self._attempts = plan, context, attempts
        self._problems, self._degraded = problems, degraded
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._suspects: dict[str, float] = {}  # tried and not handled well: when to try them again, monotonic seconds
        self._aside: set[str] = set()
        self._calm: set[str] = set()  # handled well by this process, and due ever since
        self._well: set[str] = set()  # handled well, and still counted as tried
        self._free = asyncio.Semaphore(plan.at_once)
        self._wake = plan.wake or asyncio.Event()
        self._loaded = False

    async def run(self) -> None:
        """Until it is cancelled."""
        failures = 0
        try:
            if self._plan.wait_first:
                await self._pause(self._plan.interval().total_seconds())
            while True:
                failures = 0 if await self._ticked() else failures + 1
                await self._pause(self._plan.retry_policy.delay(failures) if failures else self._rest())
        finally:
            await self.close()

    async def once(self) -> bool:
        """One tick to the end of all that it began; whether another one should follow at once."""
        self._wake.clear()
        await self.tick()
        await asyncio.gather(*self._running.values())
        return self._wake.is_set()

    async def close(self) -> None:
        """Leave what is in hand."""
        for task in [*self._running.values()]:
            await cancel(task)

    async def tick(self) -> None:
        """Begin what is due. A fresh item waits for a free place; those that failed before have one of their own."""
        in_hand = set(self._running)  # what ends while the question is asked may be in its answer all the same
        due = await self._plan.due(self._context)
        await self._take_stock(due)
        waiting = {key: item for key, item in due.items() if key not in in_hand and key not in self._aside}
        for key, item in waiting.items():
            if key not in self._suspects:
                await self._free.acquire()
                self._begin(key, item, self._free.release)
        self._begin_a_suspect(waiting)

    async def _ticked(self) -> bool:
        """One tick of the loop; False where the loop as a whole could not do its work."""
        try:
            await self.tick()
        except Exception as error:
            self._problems[self._plan.name] = reason_of(error)
            log.warning("loop_failed", loop=self._plan.name, exc_info=error)
            return False
        self._problems.pop(self._plan.name, None)
        return True

    def _rest(self) -> float:
        """Seconds to the next tick: the interval, or less where an item that failed is to be tried before."""
        interval = self._plan.interval().total_seconds()
        if not self._suspects or self._suspects.keys() & self._running.keys():
            return interval
        return min(interval, max(0.0, min(self._suspects.values()) - time.monotonic()))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            # not wait_for: Python 3.11's can swallow a cancellation, and the service would never stop
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _take_stock(self, due: Mapping[str, T]) -> None:
        """Bring what is known of items up to date."""
        if not self._loaded or self._aside:  # somebody may have replayed what was set aside
            settled = self._aside - self._running.keys()  # what is being set aside may not be stored yet
            tried, stored = await self._attempts.load()
            self._aside = stored | (self._aside - settled)
            for key in () if self._loaded else tried:
                self._suspects[key] = 0.0
            self._loaded = True
        over = (await self._gone(due)) | self._well
        if over:
            await self._attempts.ended(over)
        for key in over:
            self._well.discard(key)
            self._cleared(key)
        self._calm &= due.keys()

    async def _gone(self, due: Mapping[str, T]) -> set[str]:
        """Items that were tried, and are due no more; those that somebody holds are looked at again later."""
        gone = self._suspects.keys() - due.keys() - self._running.keys()
        held = gone & set(await self._plan.held(self._context)) if gone and self._plan.held else set[str]()
        again = time.monotonic() + self._plan.interval().total_seconds()
        self._suspects.update({key: max(again, self._suspects[key]) for key in held})
        return gone - held

    def _begin_a_suspect(self, waiting: Mapping[str, T]) -> None:
        """One of those that failed before: it may hang again, or end the process."""
        now = time.monotonic()
        ready = [key for key, since in self._suspects.items() if key in waiting and since <= now]
        if ready and not self._suspects.keys() & self._running.keys():
            first = min(ready, key=self._suspects.__getitem__)
            self._begin(first, waiting[first], self._wake.set if len(ready) > 1 else lambda: None)

    def _begin(self, key: str, item: T, after: Callable[[], None]) -> None:
        self._running[key] = task = asyncio.create_task(self._handle(key, item))

        def ended(done: "asyncio.Task[bool]") -> None:
            del self._running[key]
            after()
            if key in self._suspects or (not done.cancelled() and done.result()):
                self._wake.set()  # to reckon anew when the next tick is

        task.add_done_callback(ended)

    async def _handle(self, key: str, item: T) -> bool:
        """One try of one item; whatever becomes of it stays here. Whether the next tick should follow at once."""
        with structlog.contextvars.bound_contextvars(loop=self._plan.name, item=key):
            try:
                return await self._try(key, item)
            except Exception as error:  # what became of it could not be kept: the database is away
                log.warning("item_not_kept", error=reason_of(error))
                self._later(key, OUTAGE_S, reason_of(error))
                return False

    async def _try(self, key: str, item: T) -> bool:
        """The try is counted before it is made, unless this process has handled the item well just before."""
        number = 0 if key in self._calm else await self._attempts.begin(key)
        if self._is_last(number - 1):
            await self._set_aside(key, item, f"handling it ended the process, or was cut off, {number - 1} times")
            return False
        try:
            more = await guarded(self._plan.handle(self._context, item), self._plan.retry_policy)
        except asyncio.CancelledError:  # the service stops: no fault of the item
            if number:
                await self._attempts.failed(key, "the service was stopped", counted=False)
            raise
        except Exception as error:
            await self._judge(key, item, number or await self._attempts.begin(key), error)
            return False
        self._ended_well(key, counted=bool(number))
        return bool(more)

    async def _judge(self, key: str, item: T, number: int, error: Exception) -> None:
        """What becomes of an item whose handling failed."""
        reason = reason_of(error)
        self._calm.discard(key)
        self._well.discard(key)
        if isinstance(error, NotYet):
            await self._attempts.failed(key, reason, counted=False)
            self._later(key, error.delay.total_seconds(), None)
        elif self._is_outage(error):
            await self._attempts.failed(key, reason, counted=False)
            self._later(key, OUTAGE_S, reason)
        elif self._is_last(number) or self._is_refusal(error):
            await self._set_aside(key, item, reason)
        else:
            log.warning("item_failed", exc_info=error, attempt=number)
            await self._attempts.failed(key, reason, counted=True)
            self._later(key, self._plan.retry_policy.delay(number), reason)

    def _is_outage(self, error: Exception) -> bool:
        """Whether something is away that other items need as well."""
        cause = error.__cause__ if isinstance(error, HandlerBroke) else error
        return is_away(error) or isinstance(cause, self._plan.outages)

    def _is_refusal(self, error: Exception) -> bool:
        return isinstance(error, (Refused, ContractError)) and not self._plan.for_ever

    def _is_last(self, number: int) -> bool:
        return number >= self._plan.retry_policy.attempts and not self._plan.for_ever

    async def _set_aside(self, key: str, item: T, reason: str) -> None:
        self._cleared(key)
        self._aside.add(key)
        await self._attempts.set_aside(key, item, reason)
        log.error("item_set_aside", reason=reason)

    def _ended_well(self, key: str, *, counted: bool) -> None:
        self._cleared(key)
        self._calm.add(key)
        if counted:
            self._well.add(key)

    def _later(self, key: str, seconds: float, problem: str | None) -> None:
        self._suspects[key] = time.monotonic() + jitter(seconds)
        if problem is not None:
            self._degraded[self._label(key)] = problem

    def _cleared(self, key: str) -> None:
        self._suspects.pop(key, None)
        self._degraded.pop(self._label(key), None)

    def _label(self, key: str) -> str:
        return f"{self._plan.name}/{key}"
