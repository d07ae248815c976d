"""Where published checkpoints lie outside this service's database: the stream EVENTS, and the bucket.

A database that was cut off, or written anew with the stolen key, does not continue them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from headrace.audit.bookkeeping import note_of, parsed
from headrace.audit.checks import Unreadable, Witness
from headrace.bus import BrokerAway, Connection, Follower, PublishRefused
from headrace.contracts import CheckpointSigned, subject_of
from headrace.objects import ObjectStore
from headrace.tlog import Past

STREAM = "EVENTS"
BUCKET = "audit"
PREFIX = "checkpoints/"
NEWEST = 50  # of the bucket: all of them are in EVENTS, too


def witnesses(connection: Connection, store: ObjectStore, origin: str) -> Sequence[Witness]:
    """Everything outside the database that knows checkpoints of the log `origin`."""
    return (partial(in_events, connection, origin), partial(in_bucket, store, origin))


async def in_events(connection: Connection, origin: str) -> Sequence[Past]:
    """Every checkpoint of the log `origin` that was said as an event; raises Unreadable without a broker."""
    filter_ = subject_of(CheckpointSigned, origin)
    if not connection.connected:
        raise Unreadable(STREAM, "the broker is away")
    found = list[Past]()
    try:
        async with Follower(connection, STREAM, filter_, start="all") as follower:
            async for message in follower.until_caught_up():
                found += _past(message.data, origin, f"{STREAM} {message.seq}")
    except (BrokerAway, PublishRefused) as error:
        raise Unreadable(STREAM, str(error)) from error
    return found


async def in_bucket(store: ObjectStore, origin: str) -> Sequence[Past]:
    """The newest checkpoints that were copied to the bucket; raises Unreadable without a store."""
    try:
        keys = sorted(found.key for found in await store.list(BUCKET, PREFIX))[-NEWEST:]
        notes = {key: b"".join([block async for block in store.read(BUCKET, key)]) for key in keys}
    except Exception as error:  # whatever a store and its client raise: the log was not compared
        raise Unreadable(f"bucket {BUCKET}", f"{type(error).__name__}: {error}".splitlines()[0]) from error
    return [past for key, note in notes.items() for past in parsed(note.decode(), origin, f"bucket {BUCKET}, {key}")]


def _past(body: bytes, origin: str, where: str) -> list[Past]:
    return [past for note in note_of(body) for past in parsed(note, origin, where)]
