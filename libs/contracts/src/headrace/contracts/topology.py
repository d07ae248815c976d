"""Who says and who hears each event, which streams carry them, and what the broker therefore allows whom.

Everything here is derived from schemas/topology.yaml: streams, durable consumers and permissions are never
written by hand.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import yaml

from headrace.contracts.subjects import (
    ANONYMOUS,
    ATTRIBUTED,
    FROM,
    HEARD,
    LAST,
    OWN,
    answer_subject,
    local,
    pattern,
    stream_of,
)

SERVICE_KINDS = ("service", "replica")
AUTHENTICATING = (*SERVICE_KINDS, "console")  # kinds of identities that know the person who asked: theirs is `authid`
OUTSIDER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
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
    discard: str = "new"
    """What a full stream gives up: `new` messages, so that whoever says them waits, or `old` ones."""
    copies: bool = False
    """Whether it holds nothing but copies of what other streams hold, which the record has already."""


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
    batch_subscriptions: Mapping[str, tuple[str, ...]]
    rereads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def spoken_by(self, identity: str) -> tuple[str, ...]:
        """Types that `identity` says."""
        return tuple(kind for kind, speakers in self.says.items() if identity in speakers)

    def heard_by(self, identity: str) -> tuple[str, ...]:
        """Types that `identity` hears."""
        return tuple(kind for kind, listeners in self.hears.items() if identity in listeners)

    def speaker(self, subject: str) -> str | None:
        """Who alone the broker lets publish to a subject; None where nobody may.

        An event that several identities say carries the name in its subject; any other has one speaker.
        """
        parts = [*subject.split("."), ""]
        if parts[1] in ATTRIBUTED.values() and len(parts) > 3:
            return parts[2]
        if parts[1] == "request":
            return ANONYMOUS
        prefix = ".".join(parts[:3]) + "."
        speakers = {who for kind, says in self.says.items() if kind.startswith(prefix) for who in says}
        return speakers.pop() if len(speakers) == 1 else None

    def authenticates(self, identity: str) -> bool:
        """Whether an identity knows the person who asked; what any other says of that is a claim."""
        return self.identities.get(identity) in AUTHENTICATING

    def is_outsider(self, identity: str) -> bool:
        """Whether an identity is a program outside: the anonymous one, or any that was added by name."""
        return bool(OUTSIDER_NAME.fullmatch(identity)) and self.identities.get(identity, "publisher") == "publisher"

    def outsiders_may(self) -> tuple[str, ...]:
        """Types of requests that outsiders may make."""
        return self.spoken_by(ANONYMOUS)

    def consumers(self, identity: str) -> tuple[ConsumerSpec, ...]:
        """A service's durables, one per stream that it hears or reads whole; replicas follow without durables."""
        return self._consumers[identity]

    @cached_property
    def _consumers(self) -> Mapping[str, tuple[ConsumerSpec, ...]]:
        """The durables of each identity; every permission asks for all of them."""
        return {name: self._consumers_of(name) if kind == "service" else () for name, kind in self.identities.items()}

    def _consumers_of(self, identity: str) -> tuple[ConsumerSpec, ...]:
        heard = {stream: self._filters(identity, stream) for stream in self.streams}
        whole = self.batch_subscriptions.get(identity, ())
        return tuple(
            ConsumerSpec(stream, identity, () if stream in whole else filters)
            for stream, filters in heard.items()
            if filters or stream in whole
        )

    def all_consumers(self) -> tuple[ConsumerSpec, ...]:
        """The durables of every service."""
        return tuple(spec for identity in self.identities for spec in self.consumers(identity))

    def permissions(self, identity: str) -> Permissions:
        """What the broker allows an identity."""
        inbox = (f"_INBOX_{identity}.>",)
        match self.identities.get(identity, "publisher"):
            case "admin":
                return Permissions((">",), (">",))
            case "person":
                return Permissions((*self._said(identity), *_READER), inbox, self._durables())
            case "console":
                return Permissions((*self._said(identity), "$JS.API.INFO"), inbox)
            case "publisher":
                return self.outsider(identity, self.outsiders_may())
            case "replica":
                return Permissions(self._replica_publish(identity), inbox, self._durables())
            case _:
                return Permissions(self._service_publish(identity), inbox, self._durables())

    def outsider(self, name: str, may: Sequence[str]) -> Permissions:
        """What an outsider may do in its own account, where no subject carries its name: the broker adds that.

        Inboxes are its own there, whatever their prefix.
        """
        return Permissions((*map(local, may), LAST), (HEARD, "_INBOX.>", f"_INBOX_{name}.>"))

    def _said(self, identity: str) -> tuple[str, ...]:
        """The subjects of what an identity says."""
        return tuple(pattern(kind, identity) for kind in self.spoken_by(identity))

    def _durables(self) -> tuple[str, ...]:
        """What changes a durable. Making a consumer of a name that is there changes that one: with another filter its
        service would hear no more. Where the subject has no name, the request's body may.
        """
        names = dict.fromkeys(spec.durable for spec in self.all_consumers())
        named = (f"$JS.API.CONSUMER.CREATE.*.{name}{more}" for name in names for more in ("", ".>"))
        return ("$JS.API.CONSUMER.CREATE.*", *named)

    def _filters(self, identity: str, stream: str) -> tuple[str, ...]:
        heard = [kind for kind in self.heard_by(identity) if stream_of(kind) == stream]
        return tuple(pattern(kind, identity if kind.startswith(OWN) else "*") for kind in heard)

    def _service_publish(self, identity: str) -> tuple[str, ...]:
        said = self._said(identity)
        return (
            *said,
            *(answer_subject("*", each) for each in said if not each.startswith(f"{FROM}{identity}.message.")),
            f"headrace.parked.{identity}.>",
            "$JS.API.INFO",
            *_following(self.rereads.get(identity, ())),
            *(s for c in self.consumers(identity) for s in _binding(c)),
        )

    def _replica_publish(self, identity: str) -> tuple[str, ...]:
        """Replicas make short-lived consumers, each limited to one filter; they cannot touch anybody's durable."""
        return (*self._said(identity), *_following(self.heard_by(identity)), "$JS.API.INFO")


# A person reads every stream through short-lived consumers of their own.
_READER = ("$JS.API.INFO", "$JS.API.CONSUMER.CREATE.>", "$JS.API.STREAM.INFO.*")


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
        batch_subscriptions={identity: tuple(streams) for identity, streams in document["batch_subscriptions"].items()},
        rereads={who: tuple(f"headrace.{name}" for name in names) for who, names in document["rereads"].items()},
    )


def _stream(name: str, spec: Mapping[str, Any]) -> StreamSpec:
    return StreamSpec(name, tuple(spec["subjects"]), **{key: spec[key] for key in spec if key != "subjects"})


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
