"""One service's delivery against a broker that is only a model, on a database that is real, all in one thread.

Every decision comes from one seed: what is asked, what is delivered when and how often, which acknowledgements are
lost, what the broker refuses or forgets, and at which await the process dies. A seed that fails fails again:
`python tests/libs/bus/simulation.py SEED...` lives them anew, and `--many COUNT` as many as one wants.
"""

import asyncio
import json
import logging
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar, cast

import structlog
from sqlalchemy import StaticPool, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel

from headrace.bus import (
    BrokerAway,
    MessageProcessor,
    NotYet,
    PublishRefused,
    Refused,
    Relay,
    RetryPolicy,
    Store,
    UnitOfWork,
)
from headrace.bus.connection import PubAck
from headrace.bus.messages import RawMessage
from headrace.bus.prune import prune
from headrace.contracts import CONTENT_TYPE, DatasetRef, TrainingRequested, TrainingStarted, encode, stream_of, wrap
from headrace.testkit.clock import FakeClock

ATTEMPTS = 3
ROUNDS = 12  # steps of trouble, before the calm in which all must come right; many short lives find more than few long
KNOWN_IN_BATCH = 10201
_NAMES = count()
Answer = TypeVar("Answer")
MEMBERS = ("inbox", "deduplication", "stream_checkpoint", "outbox", "dead_letter", "simulated_effect")


class Effect(SQLModel, table=True):
    """What handling a message left behind."""

    __tablename__ = "simulated_effect"

    number: int | None = Field(default=None, primary_key=True)
    message_id: str


class PowerCut(BaseException):
    """The process is gone: nothing of it happens any more, no `finally` has any effect."""


class Power:
    """Counts the awaits on the world outside; at the chosen one it goes off, and stays off."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.off = False

    def passing(self) -> None:
        """One await."""
        if self.left is not None:
            self.left -= 1
            self.off = self.off or self.left <= 0
        if self.off:
            raise PowerCut


# --- the database: SQLite itself, without the threads that would make time matter


class Inline:
    """A connection as aiosqlite's, but every call is done when it returns."""

    def __init__(self, name: str, power: Power) -> None:
        self._connection = sqlite3.connect(f"file:{name}?mode=memory&cache=shared", uri=True)
        self._power = power

    def cursor(self) -> "InlineCursor":
        """A cursor."""
        return InlineCursor(self._connection.cursor(), self._power)

    async def visit(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Several statements in one visit."""
        self._power.passing()
        return work(self._connection)

    def here(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """The same without a visit."""
        self._power.passing()
        return work(self._connection)

    async def create_function(self, *told: Any, **named: Any) -> None:
        """What the dialect wants to have (regular expressions)."""
        self._connection.create_function(*told, **named)

    async def commit(self) -> None:
        """On the disk, or not."""
        self._power.passing()
        self._connection.commit()
        self._power.passing()

    async def rollback(self) -> None:
        """Back."""
        self._connection.rollback()

    async def close(self) -> None:
        """Closed."""
        self._connection.close()

    def cut(self) -> None:
        """As when the process ends: what was begun is rolled back."""
        self._connection.close()


class InlineCursor:
    """A cursor as aiosqlite's."""

    def __init__(self, cursor: sqlite3.Cursor, power: Power) -> None:
        self._cursor, self._power = cursor, power

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    async def __aenter__(self) -> "InlineCursor":
        return self

    async def execute(self, statement: str, told: Any = ()) -> "InlineCursor":
        """One statement."""
        self._power.passing()
        self._cursor.execute(statement, told)
        return self

    async def executemany(self, statement: str, told: Any) -> "InlineCursor":
        """The same for many rows."""
        self._power.passing()
        self._cursor.executemany(statement, told)
        return self

    async def fetchall(self) -> list[Any]:
        """What was found."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Closed."""
        self._cursor.close()


# One engine for all lives: what it has compiled stays compiled. Its connections are those of the present process.
_process: list[Callable[[], Inline]] = []


async def _creator(*_: Any, **__: Any) -> Inline:
    return _process[0]()


ENGINE = create_async_engine("sqlite+aiosqlite://", async_creator=_creator, poolclass=StaticPool)


def _empty() -> sqlite3.Connection:
    """A database with every table, to be copied."""
    made = create_engine("sqlite://", poolclass=StaticPool)
    SQLModel.metadata.create_all(made, tables=[SQLModel.metadata.tables[name] for name in MEMBERS])
    connection: Any = made.raw_connection().driver_connection
    return cast("sqlite3.Connection", connection)


EMPTY = _empty()

# --- the broker


@dataclass
class Stream:
    """Stored messages and the ids that are known (for a while)."""

    messages: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)

    def store(self, subject: str, headers: Mapping[str, str], body: bytes) -> int:
        """Store unless the id is known; the sequence either way."""
        name = headers.get("Nats-Msg-Id", "")
        if name in self.ids:
            return self.ids[name]
        self.messages.append((subject, dict(headers), body))
        self.ids[name] = len(self.messages)
        return len(self.messages)


class ModelBroker:
    """Streams and one durable; loses, forgets, refuses, repeats and reorders as chance says."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.streams = {name: Stream() for name in ("REQUESTS", "EVENTS", "PARKED")}
        self.acknowledged: list[int] = []  # in the order of the acknowledgements, since the latest are forgotten
        self.delivered: Counter[int] = Counter()
        self.trouble = 0.25  # how likely anything goes wrong

    def bad(self) -> bool:
        """Whether this goes wrong."""
        return self.chance.random() < self.trouble

    def waiting(self) -> list[int]:
        """What the durable has not been told is done."""
        done = set(self.acknowledged)
        return [seq for seq in range(1, len(self.streams["REQUESTS"].messages) + 1) if seq not in done]

    def deliver(self, seqs: Sequence[int], clock: FakeClock) -> list[RawMessage]:
        """Messages, with the number of deliveries as far as the broker remembers it."""
        found = []
        for seq in seqs:
            self.delivered[seq] += 1
            subject, headers, body = self.streams["REQUESTS"].messages[seq - 1]
            told = self.delivered[seq]
            found.append(RawMessage("REQUESTS", seq, subject, headers, body, clock(), told, f"ack.{seq}"))
        return found

    def restart(self) -> None:
        """Killed: the latest acknowledgements and all counts of deliveries are forgotten, some ids too."""
        del self.acknowledged[max(0, len(self.acknowledged) - self.chance.randint(0, 6)) :]
        self.delivered.clear()
        if self.bad():
            for stream in self.streams.values():
                stream.ids.clear()  # away for longer than the duplicate window


class Line:
    """A process's connection to the model; as much of Connection as delivery uses."""

    def __init__(self, broker: ModelBroker, power: Power) -> None:
        self._broker, self._power = broker, power
        self.connected = True
        self.reconnected: list[Any] = []

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
        """Stored or not, told or not."""
        return self._publish([(subject, body, headers or {})])

    async def publish_batch(self, messages: Sequence[tuple[str, bytes, Mapping[str, str] | None]]) -> Any:
        """All or none."""
        stream = self._broker.streams[stream_of(messages[0][0])]
        if any((headers or {}).get("Nats-Msg-Id", "") in stream.ids for _, _, headers in messages):
            self._power.passing()
            return self._told(PublishRefused(KNOWN_IN_BATCH, "known"))
        return self._publish([(subject, body, headers or {}) for subject, body, headers in messages])

    def _publish(self, messages: Sequence[tuple[str, bytes, Mapping[str, str]]]) -> Any:
        self._power.passing()
        if self._broker.bad():
            return self._told(self._broker.chance.choice([BrokerAway("lost"), PublishRefused(10077, "full")]))
        stream = stream_of(messages[0][0])
        seq = 0
        for subject, body, headers in messages:
            seq = self._broker.streams[stream].store(subject, headers, body)
        self._power.passing()
        return self._told(BrokerAway("the answer was lost") if self._broker.bad() else PubAck(stream, seq))

    @staticmethod
    def _told(answer: PubAck | Exception) -> "asyncio.Future[PubAck]":
        future: asyncio.Future[PubAck] = asyncio.get_running_loop().create_future()
        if isinstance(answer, Exception):
            future.set_exception(answer)
            future.exception()
        else:
            future.set_result(answer)
        return future

    async def send(self, subject: str, payload: bytes = b"", reply: str = "") -> None:
        """An acknowledgement that arrives, or does not."""
        self._power.passing()
        if payload == b"+ACK" and not self._broker.bad():
            seq = int(subject.rpartition(".")[2])
            if seq not in self._broker.acknowledged:
                self._broker.acknowledged.append(seq)


# --- the service


class Flaky(Exception):
    """What a handler raises that works the next time."""


class World:
    """One seed's life."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.broker = ModelBroker(self.chance)
        self.clock = FakeClock()
        self.name = f"simulated-{next(_NAMES)}"
        self.keeper = sqlite3.connect(f"file:{self.name}?mode=memory&cache=shared", uri=True)
        EMPTY.backup(self.keeper)
        self._connections: list[Inline] = []
        self.asked: dict[str, str] = {}  # request id -> what its handler does
        self.deaths = 0
        self._tries: Counter[str] = Counter()

    async def live(self) -> None:
        """Trouble, then calm."""
        self._boot()
        for _ in range(ROUNDS):
            await self._step()
        self.broker.trouble = 0.0
        self._boot()
        for _ in range(200):
            if not self.broker.waiting() and not await self.relay.unsent():
                break
            self.clock.advance(timedelta(minutes=3))
            await self._deliver(self.broker.waiting())
            await self._drain()
        await self._prune()

    def _boot(self) -> None:
        """A new process on the same database; what the last one had not committed is gone."""
        self.end_process()
        self.power = power = Power()

        def connection() -> Inline:
            self._connections.append(made := Inline(self.name, power))
            return made

        _process[:] = [connection]
        ENGINE.sync_engine.dispose(close=False)
        self.store = Store(ENGINE)
        line: Any = Line(self.broker, power)
        self.relay = Relay(self.store, line, clock=self.clock)
        handlers: dict[Any, Any] = {TrainingRequested: self._handle}
        retry_policy = RetryPolicy(attempts=ATTEMPTS, not_yet=timedelta(days=30))
        self.processor = MessageProcessor(
            "trainer", self.store, line, handlers, clock=self.clock, retry_policy=retry_policy
        )

    def end_process(self) -> None:
        """Its connections go with it."""
        while self._connections:
            self._connections.pop().cut()

    async def _step(self) -> None:
        if self.chance.random() < 0.15:
            self.power.left = self.chance.randint(1, 60)
        try:
            await self._something()
        except PowerCut:
            self.deaths += 1
            self._boot()

    async def _something(self) -> None:
        kinds = ("ask", "deliver", "drain", "restart", "again", "prune", "time")
        (kind,) = self.chance.choices(kinds, weights=(30, 35, 20, 4, 6, 2, 3))
        waiting = self.broker.waiting()
        if kind == "ask":
            self._ask()
        elif kind == "deliver" and waiting:
            chosen = self.chance.sample(waiting, self.chance.randint(1, min(len(waiting), 8)))
            if self.broker.bad():
                chosen.append(self.chance.choice(chosen))  # twice in one batch
            await self._deliver(chosen)
        elif kind == "drain":
            await self._drain()
        elif kind == "restart":
            self.broker.restart()
        elif kind == "again" and self.asked:  # a client that was not told sends it again, and the broker forgot
            self._say(self.chance.choice(list(self.asked)))
        elif kind == "prune":
            await self._prune()
        elif kind == "time":
            self.clock.advance(timedelta(seconds=self.chance.randint(-3600, 7200)))

    async def _deliver(self, seqs: Sequence[int]) -> None:
        if seqs:
            await self.processor.process(self.broker.deliver(seqs, self.clock))

    async def _drain(self) -> None:
        try:
            await self.relay._drain()
        except (BrokerAway, PublishRefused):
            return

    async def _prune(self) -> None:
        await prune(self.store, self.clock)

    def _ask(self) -> None:
        kinds = ("fine", "fine", "fine", "flaky", "early", "refused", "broken", "silent")
        name = f"request-{len(self.asked)}"
        self.asked[name] = self.chance.choice(kinds)
        self._say(name)

    def _say(self, name: str) -> None:
        request = TrainingRequested(model=self.asked[name], reason=name)
        envelope = wrap(request, source="headrace/monitor", id=name, time=self.clock())
        stream = self.broker.streams["REQUESTS"]
        stream.ids.clear()
        stream.store(envelope.nats_subject, {"Content-Type": CONTENT_TYPE}, encode(envelope))

    async def _handle(self, event: TrainingRequested, work: UnitOfWork) -> None:
        assert work.cause is not None
        name = work.cause.id
        self._tries[name] += 1
        work.session.add(Effect(message_id=name))
        if event.model == "refused":
            raise Refused("never")
        if event.model == "broken":
            raise ValueError("always")
        if event.model == "flaky" and self._tries[name] == 1:
            raise Flaky("once")
        if event.model == "early" and self._tries[name] < 3:
            raise NotYet("not yet")
        if event.model != "silent":
            data = DatasetRef(name="d", version=1, digest="f" * 64)
            told = {"framework": "f", "estimator": "e", "params": {}, "seed": 0}
            work.emit(TrainingStarted.model_validate({"run": name, "model": "m", "dataset": data, **told}))

    # --- judging

    def faults(self) -> Iterator[str]:
        """What did not hold."""
        rows = self.keeper.execute
        effects = Counter(name for (name,) in rows("SELECT message_id FROM simulated_effect"))
        dead_letter = Counter(name for (name,) in rows("SELECT message_id FROM dead_letter"))
        said = Counter({cause: len(ids) for cause, ids in self._ids().items()})
        bad = {name for name, kind in self.asked.items() if kind in {"refused", "broken"}}
        for name, kind in self.asked.items():
            wanted = 0 if name in bad else 1
            if effects[name] != wanted:
                yield f"{effects[name]} effects of {name} ({kind}), not {wanted}"
            if said[name] != (0 if kind == "silent" or name in bad else 1):
                yield f"{said[name]} events of {name} ({kind})"
            if dead_letter[name] != int(name in bad):
                yield f"{name} ({kind}) is set aside {dead_letter[name]} times"
        if unsent := rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL").fetchone()[0]:
            yield f"{unsent} events wait in the outbox"
        if waiting := self.broker.waiting():
            yield f"{len(waiting)} messages were never acknowledged"

    def _ids(self) -> dict[str, set[str]]:
        """The distinct events of each cause; the stream may hold one twice, under one id."""
        found: dict[str, set[str]] = {}
        for _, headers, body in self.broker.streams["EVENTS"].messages:
            found.setdefault(_field(body, "causationid"), set()).add(headers["Nats-Msg-Id"])
        return found

    def end(self) -> None:
        """Forget the database."""
        self.end_process()
        self.keeper.close()


def _field(body: bytes, name: str) -> str:
    return str(json.loads(body).get(name) or "")


RUNNER = asyncio.Runner()


def simulate(seed: int) -> tuple[list[str], int, int]:
    """Live one seed; returns what did not hold, the requests, and how often the process died."""
    world = World(seed)
    try:
        RUNNER.run(world.live())
        return list(world.faults()), len(world.asked), world.deaths
    finally:
        world.end()


def main(told: Sequence[str]) -> int:
    """Live the seeds that are named, or many; says what did not hold, and how fast it went."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    seeds = range(int(told[1])) if told[0] == "--many" else [int(each) for each in told]
    began, failed = time.monotonic(), 0
    with ProcessPoolExecutor() as processes:
        for seed, (faults, asked, deaths) in zip(seeds, processes.map(simulate, seeds, chunksize=50), strict=True):
            failed += bool(faults)
            if faults or len(seeds) < 10:
                print(f"seed {seed}: {asked} requests, {deaths} deaths: {faults or 'all held'}")
    print(f"{len(seeds)} seeds, {failed} failed, {60 * len(seeds) / (time.monotonic() - began):,.0f} a minute")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
