"""The stated load: requests from outside that every service has work with, and what must be there afterwards.

Of ten requests four declare models (each a revision: a declaration handled twice would make one too many), two ask for
trainings of a model without data (each a waiting run, and one line in its history), one asks for a rollout that nobody
has, one cancels a run that nobody has (both are refused, by one event each), and two report truths.
"""

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rig import IDLE_MODEL, Rig

from headrace.bus import BrokerAway, BusSettings, Follower, PublishRefused, connect
from headrace.bus.deduplication import mark_of
from headrace.bus.messages import RawMessage
from headrace.contracts import (
    CancelRequested,
    DeclarationRequested,
    Envelope,
    Event,
    RolloutRequested,
    TrainingRequested,
    TruthReported,
    encode,
    wrap,
)

HEARD_BY = {
    "declaration": "registry",
    "training": "trainer",
    "cancel": "trainer",
    "rollout": "deployer",
    "truth": "monitor",
}
PACE_S = 0.004
WINDOW = 32


def declaration(name: str, purpose: str) -> dict[str, Any]:
    """A model of a dataset that is never ingested."""
    return {
        "kind": "Model",
        "name": name,
        "purpose": purpose,
        "data": {"dataset": f"{name}-data", "target": "target"},
        "training": {"estimator": "sklearn.linear_model.LogisticRegression", "on": []},
    }


@dataclass
class Load:
    """`count` requests of one trial; the same seed makes the same requests, under the trial's name."""

    rig: Rig
    trial: str
    count: int = 300
    seed: int = 1
    pace_s: float = PACE_S
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)  # request id -> stream and sequence

    def __post_init__(self) -> None:
        self.requests = list(self._make())
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._ended, self.asked = threading.Event(), 0
        self.first = {stream: self.last(stream) + 1 for stream in ("EVENTS", "REQUESTS", "PARKED")}

    def _make(self) -> Iterator[tuple[Event, Envelope]]:
        chance = random.Random(self.seed)
        kinds = ["model"] * 4 + ["training"] * 2 + ["rollout", "cancel"] + ["truth"] * 2
        for number in range(self.count):
            event = self._event(chance.choice(kinds), number, chance)
            at = datetime(2026, 1, 5, 12, tzinfo=UTC)
            yield event, wrap(event, source="headrace/operator", id=f"operator:{self.trial}-{number}", time=at)

    def _event(self, kind: str, number: int, chance: random.Random) -> Event:
        if kind == "model":
            document = declaration(f"{self.trial}-m{chance.randrange(10)}", f"Purpose number {number}.")
            return DeclarationRequested.model_validate(document)
        if kind == "training":
            return TrainingRequested(model=IDLE_MODEL, reason=f"{self.trial}-{number}")
        if kind == "rollout":
            return RolloutRequested(model=f"{self.trial}-nobody", action="pause")
        if kind == "cancel":
            return CancelRequested(model=f"{self.trial}-nobody", run=f"{self.trial}-{number}")
        labels = [{"prediction_id": f"{self.trial}-{number}-{row}", "value": row} for row in range(3)]
        return TruthReported.model_validate({"model": IDLE_MODEL, "labels": labels})

    # --- driving

    def start(self) -> "Load":
        """Begin to send, beside whatever else happens."""
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()
        return self

    def sent(self, share: float) -> None:
        """Wait until a share of the requests is acknowledged."""
        self.rig.until(lambda: len(self.acknowledged) >= share * self.count, f"{share:.0%} of the load is acknowledged")

    def finish(self, wait: float = 90) -> "Load":
        """Wait until the broker has acknowledged every request."""
        assert self._thread is not None
        self._thread.join(wait)
        assert not self._thread.is_alive(), f"only {len(self.acknowledged)} of {self.count} requests were taken"
        if self._error is not None:
            raise self._error
        return self

    def enough(self) -> "Load":
        """Ask for no more than has been asked; the rest was never part of the load."""
        self._ended.set()
        self.finish()
        self.requests = self.requests[: self.asked]
        self.count = self.asked
        return self

    def run(self) -> "Load":
        """All of it."""
        return self.start().finish()

    def _send(self) -> None:
        try:
            asyncio.run(self._sending())
        except BaseException as error:
            self._error = error

    async def _sending(self) -> None:
        """As a careful client does: what is not acknowledged is sent again, under the same id."""
        layout = self.rig.layout
        settings = BusSettings(layout.nats_url, "operator", layout.seed("operator"))
        connection = await connect(settings, name=f"load-{self.trial}")
        gate = asyncio.Semaphore(WINDOW)

        async def one(envelope: Envelope) -> None:
            headers = {"Nats-Msg-Id": envelope.id, "Content-Type": "application/cloudevents+json"}
            async with gate:
                while True:
                    try:
                        ack = await connection.publish_and_wait(envelope.nats_subject, encode(envelope), headers, 2.0)
                    except (BrokerAway, PublishRefused):
                        await asyncio.sleep(0.05)
                    else:
                        self.acknowledged[envelope.id] = (ack.stream, ack.seq)
                        return

        sending = []
        for _, envelope in self.requests:
            if self._ended.is_set():
                break
            self.asked += 1
            sending.append(asyncio.create_task(one(envelope)))
            await asyncio.sleep(self.pace_s)
        await asyncio.gather(*sending)
        await connection.close()

    # --- looking

    def last(self, stream: str) -> int:
        """The last sequence of a stream."""

        async def ask(connection: Any) -> int:
            return int((await connection.request(f"STREAM.INFO.{stream}"))["state"]["last_seq"])

        return self.rig.admin(ask)

    def messages(self, stream: str) -> list[RawMessage]:
        """What a stream has got since the trial began."""
        first, last = self.first[stream], self.last(stream)

        async def read(connection: Any) -> list[RawMessage]:
            found: list[RawMessage] = []
            async with Follower(connection, stream, ">", first) as follower:
                async for message in follower:
                    found.append(message)
                    if message.seq >= last:
                        break
            return found

        return self.rig.admin(read) if last >= first else []

    def is_handled(self) -> bool:
        """Whether every request of this load was handled by the service that hears it."""
        return all(self._missing(service, ids) == 0 for service, ids in self._heard().items())

    def _missing(self, service: str, ids: set[str]) -> int:
        """How many a service has not handled; of those that were handled long ago only a mark is left."""
        query = "SELECT message_id FROM inbox WHERE message_id LIKE ? AND done_at IS NOT NULL"
        left = ids - {name for (name,) in self.rig.rows(service, query, f"operator:{self.trial}-%")}
        if left:
            marks = {bytes(mark) for (mark,) in self.rig.rows(service, "SELECT mark FROM deduplication")}
            left = {each for each in left if mark_of(each) not in marks}
        return len(left)

    def _heard(self) -> Mapping[str, set[str]]:
        heard: dict[str, set[str]] = {}
        for event, envelope in self.requests:
            heard.setdefault(HEARD_BY[event.TYPE.split(".")[2]], set()).add(envelope.id)
        return heard

    def state(self) -> Mapping[str, Any]:
        """What the services hold of this load; trials of one seed end in the same state."""
        mine = f"{self.trial}-%"
        ask = self.rig.rows
        declared = {
            service: Counter(
                name for (name,) in ask(service, f"SELECT {column} FROM {table} WHERE {column} LIKE ?", mine)
            )
            for service, table, column in (
                ("registry", "models", "name"),
                ("registry", "revisions", "name"),
                ("trainer", "trainer_declaration", "model"),
                ("monitor", "declared", "model"),
            )
        }
        runs = "SELECT reason, state FROM trainer_run WHERE reason LIKE ?"
        history = (
            "SELECT c.detail, c.state FROM trainer_run_change c JOIN trainer_run r USING (run) WHERE r.reason LIKE ?"
        )
        truths = "SELECT prediction_id, row, value FROM truths WHERE prediction_id LIKE ?"
        found: dict[str, Any] = {
            "revisions": Counter(n for (n,) in ask("registry", "SELECT name FROM revisions WHERE name LIKE ?", mine)),
            "declared": declared,
            "runs": sorted(ask("trainer", runs, mine)),
            "history": sorted(ask("trainer", history, mine)),
            "truths": sorted(ask("monitor", truths, mine)),
        }
        return json.loads(json.dumps(found).replace(self.trial, "trial"))


def settled(rig: Rig) -> Any:
    """The state that a run without faults ends in, on a rig of its own kind."""
    load = Load(rig, "whole").run()
    rig.until(load.is_handled, "the load is handled")
    rig.quiet()
    return load.state()
