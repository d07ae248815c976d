"""Profile documents in the object store: each part has one; those of many parts are merged when that is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.contracts import ObjectRef
from headrace.ingest.profile import Column
from headrace.objects import ObjectStore

DATASETS = "datasets"


@dataclass(frozen=True)
class Profile:
    """What some rows hold, column by column."""

    rows: int
    columns: Mapping[str, Column]

    def merged(self, other: Profile) -> Profile:
        """The profile of both; `other` came later."""
        known = self.columns
        both = {n: known[n].merge(column) if n in known else column for n, column in other.columns.items()}
        return Profile(self.rows + other.rows, both)

    def as_json(self) -> bytes:
        """The document."""
        columns = {name: column.as_dict() for name, column in self.columns.items()}
        return json.dumps({"rows": self.rows, "columns": columns}, allow_nan=False).encode()

    @classmethod
    def of_json(cls, document: bytes) -> Profile:
        """Read back what `as_json` wrote, in order to merge it."""
        told = json.loads(document)
        return cls(told["rows"], {name: Column.from_dict(each) for name, each in told["columns"].items()})


class Profiles:
    """Profile documents in the store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, document: bytes) -> ObjectRef:
        """Write a document once."""
        return await self._store.put(DATASETS, document, content_type="application/json")

    async def merged(self, refs: Sequence[ObjectRef]) -> bytes:
        """The document of all of them together, as it is where there is one; memory holds two at a time."""
        first, *others = refs
        document = await self._store.get(first)
        if not others:
            return document
        total = await asyncio.to_thread(Profile.of_json, document)
        for ref in others:
            total = await asyncio.to_thread(_added, total, await self._store.get(ref))
        return await asyncio.to_thread(total.as_json)


def _added(total: Profile, document: bytes) -> Profile:
    return total.merged(Profile.of_json(document))
