"""Writing the list of a dataset version's parts: a tree to which a part is added at a cost that does not grow.

The root lists at most FAN - 1 parts and, of each level below it, at most FAN - 1 nodes. Parts that fill a node are
sealed into one of their own, and so are nodes; a sealed node is never written again, and later versions refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from headrace.bus import Refused
from headrace.contracts import Manifest, ObjectRef, Part, Segment
from headrace.faults import point
from headrace.ingest.profiles import DATASETS, Profiles
from headrace.objects import Corrupt, Missing, ObjectStore
from headrace.objects.manifest import manifest_of

FAN = 8  # entries of a node: more make roots larger, which each version writes anew; fewer make more nodes to read
WAY_ON = "restore the object, or begin anew with mode=replace"
EMPTY = Manifest(segments=[], parts=[])


@dataclass(frozen=True)
class Grown:
    """A manifest with one more part: its root, and the nodes that were sealed on the way."""

    root: ObjectRef
    sealed: tuple[Segment, ...]


class Manifests:
    """Manifests in the store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store, self._profiles = store, Profiles(store)

    async def add(self, before: ObjectRef | None, part: Part) -> Grown:
        """The manifest at `before`, or an empty one, with one more part; raises Refused where it cannot be read."""
        with _whole():
            old = EMPTY if before is None else manifest_of(await self._store.get(before), before)
            root, sealed = Manifest(segments=old.segments, parts=[*old.parts, part]), []
            while (full := fullest(root)) is not None:
                sealed.append(await self._seal(full))
                root = folded(root, sealed[-1])
            return Grown(await self._put(root), tuple(sealed))

    async def profile(self, root: ObjectRef) -> bytes:
        """The profile of all parts of a manifest, whose nodes have theirs; raises Refused where one cannot be read."""
        with _whole():
            node = manifest_of(await self._store.get(root), root)
            return await self._profiles.merged([entry.profile for entry in entries(node)])

    async def _seal(self, node: Manifest) -> Segment:
        """Write a full node, and the profile of its parts together."""
        profile = await self._profiles.put(await self._profiles.merged([entry.profile for entry in entries(node)]))
        segment = Segment(
            object=await self._put(node),
            level=node.segments[0].level + 1 if node.segments else 0,
            parts=sum(entry.parts for entry in node.segments) + len(node.parts),
            rows=sum(entry.rows for entry in entries(node)),
            profile=profile,
        )
        point("ingest.sealed")
        return segment

    async def _put(self, node: Manifest) -> ObjectRef:
        document = node.model_dump_json(exclude_none=True).encode()
        return await self._store.put(DATASETS, document, content_type="application/json")


@contextmanager
def _whole() -> Iterator[None]:
    """What is gone from the store, or is not what was written, is for people to restore: trying again helps nobody."""
    try:
        yield
    except (Missing, Corrupt) as error:
        raise Refused(f"what lies in the store of this dataset is not whole: {error}; {WAY_ON}") from error


def entries(node: Manifest) -> list[Segment | Part]:
    """What a node lists, oldest first."""
    return [*node.segments, *node.parts]


def fullest(root: Manifest) -> Manifest | None:
    """The entries at the end of a root that fill a node of their own; None where nothing does."""
    if len(root.parts) >= FAN:
        return Manifest(segments=[], parts=root.parts)
    last = root.segments[-FAN:]
    if root.parts or len(last) < FAN or last[0].level != last[-1].level:
        return None
    return Manifest(segments=last, parts=[])


def folded(root: Manifest, segment: Segment) -> Manifest:
    """The root with a sealed node in place of the entries that it was made of."""
    kept = root.segments if segment.level == 0 else root.segments[:-FAN]
    return Manifest(segments=[*kept, segment], parts=[])
