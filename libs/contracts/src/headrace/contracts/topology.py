"""Who says and who hears each event, which streams carry them, and what the broker therefore allows whom.

Everything here is derived from schemas/topology.yaml: streams, durable consumers and permissions are never
written by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

SERVICE_KINDS = ("service", "replica")
ACK_WAIT_S = 10  # so long a killed reader's work waits; longer handling says in-progress every third of it
MAX_ACK_PENDING = 2048
DUPLICATE_WINDOW_S = 600


@dataclass(frozen=True)
class StreamSpec:
    """One stream: its subjects and limits; sizes in bytes, times in seconds (0: no limit)."""

    name: str
    subjects: tuple[str, ...]
    max_bytes: int
    max_age: int
    deny_delete: bool
    deny_purge: bool
    max_msg_size: int = -1
    allow_atomic: bool = False
    """Whether batches are stored as one: one sync of the disk for hundreds of messages."""


@dataclass(frozen=True)
class ConsumerSpec:
    """One durable pull consumer: an identity's place in a stream; no filters means the whole stream."""

    stream: str
    durable: str
    filters: tuple[str, ...]
    ack_wait: int = ACK_WAIT_S
    max_ack_pending: int = MAX_ACK_PENDING


@dataclass(frozen=True)
class Permissions:
    """The subjects that an identity may publish and subscribe to; everything else is refused by the broker."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    denied: tuple[str, ...] = ()
    """What it may not publish to, though a pattern of what it may covers it."""


@dataclass(frozen=True)
class Topology:
    """The whole picture; identities by kind, streams by name, speakers and listeners by event type."""

    identities: Mapping[str, str]
    streams: Mapping[str, StreamSpec]
    says: Mapping[str, tuple[str, ...]]
    hears: Mapping[str, tuple[str, ...]]
    taps: Mapping[str, tuple[str, ...]]
    rereads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def spoken_by(self, identity: str) -> tuple[str, ...]:
        """Types that `identity` says."""
        return tuple(kind for kind, speakers in self.says.items() if identity in speakers)

    def heard_by(self, identity: str) -> tuple[str, ...]:
        """Types that `identity` hears."""
        return tuple(kind for kind, listeners in self.hears.items() if identity in listeners)

    def consumers(self, identity: str) -> tuple[ConsumerSpec, ...]:
        """The durables of a service, one per stream that it listens to or taps; replicas follow without durables."""
        if self.identities[identity] != "service":
            return ()
        heard = {stream: self._filters(identity, stream) for stream in self.streams}
        tapped = self.taps.get(identity, ())
        return tuple(
            ConsumerSpec(stream, identity, () if stream in tapped else filters)
            for stream, filters in heard.items()
            if filters or stream in tapped
        )

    def all_consumers(self) -> tuple[ConsumerSpec, ...]:
        """The durables of every service."""
        return tuple(spec for identity in self.identities for spec in self.consumers(identity))

    def permissions(self, identity: str) -> Permissions:
        """What the broker allows an identity."""
        inbox = (f"_INBOX_{identity}.>",)
        match self.identities[identity]:
            case "admin":
                return Permissions((">",), (">",))
            case "person":
                return Permissions((*_pattern_all(self.spoken_by(identity)), *_READER), inbox, self._durables())
            case "publisher":
                return Permissions((*_pattern_all(self.spoken_by(identity)), "$JS.API.INFO"), inbox)
            case "replica":
                return Permissions(self._replica_publish(identity), inbox, self._durables())
            case _:
                return Permissions(self._service_publish(identity), inbox)

    def _durables(self) -> tuple[str, ...]:
        """What changes a durable. Making a consumer of a name that is there changes that one: with another filter its
        service would hear no more. Where the subject has no name, the request's body may.
        """
        names = dict.fromkeys(spec.durable for spec in self.all_consumers())
        named = (f"$JS.API.CONSUMER.CREATE.*.{name}{more}" for name in names for more in ("", ".>"))
        return ("$JS.API.CONSUMER.CREATE.*", *named)

    def _filters(self, identity: str, stream: str) -> tuple[str, ...]:
        heard = [kind for kind in self.heard_by(identity) if stream_of(kind) == stream]
        replays = (f"headrace.replay.{identity}.>",) if stream == "EVENTS" and self.heard_by(identity) else ()
        return (*_pattern_all(heard), *replays)

    def _service_publish(self, identity: str) -> tuple[str, ...]:
        own = (f"headrace.parked.{identity}.>", f"headrace.replay.{identity}.>", "$JS.API.INFO")
        return (
            *_pattern_all(self.spoken_by(identity)),
            *own,
            *_following(self.rereads.get(identity, ())),
            *(s for c in self.consumers(identity) for s in _binding(c)),
        )

    def _replica_publish(self, identity: str) -> tuple[str, ...]:
        """Replicas make short-lived consumers, each limited to one filter; they cannot touch anybody's durable."""
        reading = _following(self.heard_by(identity))
        return (*_pattern_all(self.spoken_by(identity)), *reading, "$JS.API.INFO")


# A person reads every stream through short-lived consumers of their own.
_READER = ("headrace.replay.>", "$JS.API.INFO", "$JS.API.CONSUMER.CREATE.>", "$JS.API.STREAM.INFO.*")


def stream_of(kind: str) -> str:
    """The stream that carries a type, or a subject."""
    aggregate = kind.split(".")[1]
    return {"request": "REQUESTS", "prediction": "PREDICTIONS", "parked": "PARKED"}.get(aggregate, "EVENTS")


def pattern(kind: str) -> str:
    """The subjects of a type, whatever the key."""
    return f"{kind.rpartition('.')[0]}.*"


@cache
def load_topology() -> Topology:
    """The topology that this installation was built with."""
    text = (files("headrace.contracts") / "generated" / "topology.yaml").read_text()
    return read_topology(yaml.safe_load(text))


def read_topology(document: Mapping[str, Any]) -> Topology:
    """A topology from its parsed YAML."""
    events = {f"headrace.{name}": spec for name, spec in document["events"].items()}
    return Topology(
        identities={name: spec["kind"] for name, spec in document["identities"].items()},
        streams={name: _stream(name, spec) for name, spec in document["streams"].items()},
        says={kind: tuple(spec["says"]) for kind, spec in events.items()},
        hears={kind: tuple(spec["hears"]) for kind, spec in events.items()},
        taps={identity: tuple(streams) for identity, streams in document["taps"].items()},
        rereads={who: tuple(f"headrace.{name}" for name in names) for who, names in document["rereads"].items()},
    )


def _stream(name: str, spec: Mapping[str, Any]) -> StreamSpec:
    return StreamSpec(name, tuple(spec["subjects"]), **{key: spec[key] for key in spec if key != "subjects"})


def _pattern_all(kinds: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(pattern, kinds))


def _following(kinds: Sequence[str]) -> tuple[str, ...]:
    """What reading types through short-lived consumers takes, each limited to one filter."""
    return tuple(f"$JS.API.CONSUMER.CREATE.{stream_of(kind)}.*.{pattern(kind)}" for kind in kinds)


def _binding(spec: ConsumerSpec) -> tuple[str, ...]:
    """What binding to a durable takes: pulling, looking at it, acknowledging in both of the broker's shapes, and
    setting it back where the service's database was restored from an older copy.
    """
    place = f"{spec.stream}.{spec.durable}"
    return (
        f"$JS.API.CONSUMER.MSG.NEXT.{place}",
        f"$JS.API.CONSUMER.INFO.{place}",
        f"$JS.API.CONSUMER.RESET.{place}",
        f"$JS.API.STREAM.INFO.{spec.stream}",
        f"$JS.ACK.{place}.>",
        f"$JS.ACK.*.*.{place}.>",
    )
