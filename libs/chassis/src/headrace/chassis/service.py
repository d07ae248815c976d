"""A service as its composition root declares it, and what it is given at run time."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import (
    BatchHandler,
    BatchProcessor,
    Clock,
    Connection,
    Consumer,
    Handler,
    LastResort,
    MessageProcessor,
    Relay,
    Store,
    UnitOfWork,
    utc_now,
)
from headrace.bus.checkpoints import CheckpointWatch
from headrace.bus.deferred import Deferred
from headrace.bus.processor import LONGEST_BEHIND_S
from headrace.bus.progress import Progress
from headrace.bus.trace import follow
from headrace.chassis.errors import Unavailable
from headrace.chassis.settings import ServiceSettings
from headrace.contracts import Envelope, Event

Loop = Callable[["Runtime"], Awaitable[None]]


@dataclass(frozen=True)
class Dependency:
    """Something outside, beside database and broker: `look` raises one of `errors` where it does not answer.

    Without one that is `vital` the service is not ready; without another one it is ready, and degraded. A route that
    raises one of `errors` answers 503.
    """

    name: str
    look: Callable[[], Awaitable[None]]
    errors: tuple[type[Exception], ...]
    vital: bool = True


@dataclass(frozen=True)
class Service:
    """What a service hears, needs and shows."""

    name: str
    settings: ServiceSettings
    subscriptions: Mapping[type[Event], Handler]
    routes: Sequence[APIRouter] = ()
    batch_subscriptions: Mapping[str, BatchHandler] = field(default_factory=dict)
    last_resorts: Mapping[str, LastResort] = field(default_factory=dict)  # by stream; unset: a message is set aside
    background: Sequence[Loop] = ()
    resources: Sequence[AbstractAsyncContextManager[Any]] = ()
    dependencies: Sequence[Dependency] = ()
    provides: Mapping[type, Any] = field(default_factory=dict)  # to its routes, by type: see http.provided
    migrations: Path | None = None
    clock: Clock = utc_now


@dataclass
class Runtime:
    """A running service: its database, its broker, its clock."""

    service: Service
    store: Store
    connection: Connection
    relay: Relay
    consumers: list[Consumer] = field(default_factory=list)
    progress: Progress | None = None
    checkpoints: list[CheckpointWatch] = field(default_factory=list)
    deferred: Deferred | None = None
    processor: MessageProcessor | None = None
    batch_processors: dict[str, BatchProcessor] = field(default_factory=dict)  # by stream
    problems: dict[str, str] = field(default_factory=dict)
    degraded: dict[str, str] = field(default_factory=dict)  # items of loops that wait, or fail

    @property
    def settings(self) -> ServiceSettings:
        """The service's settings."""
        return self.service.settings

    @property
    def clock(self) -> Clock:
        """What time it is."""
        return self.service.clock

    async def catch_up(self, longest: float = LONGEST_BEHIND_S) -> bool:
        """Wait until every fact is handled that the stream EVENTS holds now; False where that takes longer.

        For whoever would say that something is not known: another service may have told the caller of it just now.
        """
        return self.progress is None or await self.progress.catch_up(longest)

    def must_answer(self, name: str) -> None:
        """Raise Unavailable while a dependency is known to be away: work that needs it would only wait."""
        if why := self.problems.get(name) or self.degraded.get(name):
            raise Unavailable(f"{name}: {why}; nothing was changed, try again in a moment")

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session for queries."""
        return self.store.read()

    @asynccontextmanager
    async def work(
        self,
        actor: str,
        *,
        traceparent: str | None = None,
        correlationid: str | None = None,
        cause: Envelope | None = None,
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction of an HTTP request or a timer; what it says goes out when it has committed.

        With a `cause` the work continues that event: its ids, correlation and trace derive from it, so that doing it
        again says the same events.
        """
        async with self.store.write() as session:
            yield UnitOfWork(
                session,
                self.service.name,
                actor,
                self.clock(),
                root=f"{cause.id}/work" if cause else secrets.token_hex(16),
                cause=cause,
                correlationid=correlationid or (cause.correlationid if cause else None),
                traceparent=follow(traceparent or (cause.traceparent if cause else None)),
            )
