"""Finding, and removing, the objects of an installation that no event of its streams speaks of."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headrace.bus import BusSettings, Connection, Follower, connect
from headrace.objects import ObjectSettings, SyncObjectStore
from headrace.objects.orphans import References, candidates, remove
from headrace.objects.sync import Found

LOG = "EVENTS"  # nothing in it is ever deleted
STREAMS = (LOG, "REQUESTS", "PARKED")  # what speaks of objects: also what was only asked, or could not be handled


class NoAge(ValueError):
    """What was said is no number of days."""


def age_of(days: str | float) -> timedelta:
    """An age in days, as people say it; raises NoAge."""
    try:
        return timedelta(days=float(days))
    except (ValueError, OverflowError) as error:
        raise NoAge(f"{days!r} is no number of days; say for instance 7") from error


class Incomplete(Exception):
    """The streams do not hold every event any more, so that nobody can say what is an orphan."""


@dataclass(frozen=True)
class Orphans:
    """What was found. `older` objects are older than the stream of events, and so not judged."""

    found: tuple[Found, ...]
    kept: int
    older: int

    def as_document(self) -> dict[str, Any]:
        """For people and programs; sizes in bytes."""
        found = [{"bucket": each.bucket, "key": each.key, "size": each.size} for each in self.found]
        return {"orphans": found, "size": sum(each.size for each in self.found), "kept": self.kept, "older": self.older}


def sweep(bus: BusSettings, objects: ObjectSettings, age: timedelta, *, delete: bool) -> Orphans:
    """Find the orphans of an installation, and remove them where that is asked for; returns those found or removed.

    Raises what `find_orphans` raises.
    """

    async def find() -> Orphans:
        connection = await connect(bus, name="orphans")
        try:
            return await find_orphans(connection, store, age)
        finally:
            await connection.close()

    store = SyncObjectStore(objects)
    orphans = asyncio.run(find())
    return remove_orphans(store, orphans) if delete else orphans


async def find_orphans(
    connection: Connection, store: SyncObjectStore, age: timedelta, now: datetime | None = None
) -> Orphans:
    """The objects that services wrote more than `age` ago and that no event, request or dead letter speaks of.

    Raises Incomplete where the stream of events lacks its beginning or anything in between, TooYoung for an age in
    which an event may still be to come.
    """
    listed = [*candidates(store, now or datetime.now(UTC), age)]  # before the events about them are read
    began = await _began(connection)
    references = References()
    for stream in STREAMS:
        await _read(connection, stream, references)
    judged = [each for each in listed if each.modified and each.modified >= began]
    found = tuple(each for each in judged if each not in references)
    return Orphans(found, len(judged) - len(found), len(listed) - len(judged))


def remove_orphans(store: SyncObjectStore, orphans: Orphans) -> Orphans:
    """Remove them, but for those that were written again meanwhile; returns those that are gone."""
    return replace(orphans, found=tuple(each for each in orphans.found if remove(store, each)))


async def _began(connection: Connection) -> datetime:
    """Since when the stream of events is there, and whole, to the second, as object stores count."""
    info = await connection.request(f"STREAM.INFO.{LOG}")
    state: Mapping[str, Any] = info["state"]
    if state["messages"] != state["last_seq"]:
        missing = state["last_seq"] - state["messages"]
        raise Incomplete(f"{missing} events are missing in the stream {LOG}; nothing can be called an orphan")
    return datetime.fromisoformat(info["created"]).replace(microsecond=0)


async def _read(connection: Connection, stream: str, references: References) -> None:
    async with Follower(connection, stream, ">", "all") as follower:
        async for message in follower.until_caught_up():
            try:
                references.add(json.loads(message.data))
            except ValueError:  # set aside for just that; it speaks of nothing
                continue
