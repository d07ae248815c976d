"""Objects that no event speaks of: left by a process that died between the object and its event.

The streams are the measure, and no service's database: one that was restored from an older copy has forgotten what its
events still say.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from headrace.objects.sync import TOUCHED_AFTER, Found, SyncObjectStore

SERVICES_WRITE: Mapping[str, str] = {"uploads": "sha256/", "datasets": "sha256/", "models": ""}  # bucket to prefix
YOUNGEST = 2 * TOUCHED_AFTER  # an object is older than its event by what a long ingestion takes, and that is hours


class TooYoung(ValueError):
    """Objects of this age may still wait for their event."""


class References:
    """Every object that the documents given to it speak of."""

    def __init__(self) -> None:
        self._objects: set[tuple[str, str]] = set()
        self._folders: set[tuple[str, str]] = set()

    def add(self, document: Any) -> None:
        """Note each {bucket, key} (an object) and {bucket, prefix} (a directory), however deep it lies."""
        if isinstance(document, list):
            for each in document:
                self.add(each)
        elif isinstance(document, dict):
            self._note(document)
            for each in document.values():
                self.add(each)

    def __contains__(self, found: Found) -> bool:
        folders = PurePosixPath(found.key).parents
        return (found.bucket, found.key) in self._objects or any(
            (found.bucket, str(folder)) in self._folders for folder in folders
        )

    def _note(self, document: Mapping[str, Any]) -> None:
        bucket, key, prefix = (document.get(name) for name in ("bucket", "key", "prefix"))
        if isinstance(bucket, str) and isinstance(key, str):
            self._objects.add((bucket, key))
        if isinstance(bucket, str) and isinstance(prefix, str):
            self._folders.add((bucket, prefix.rstrip("/")))


def candidates(store: SyncObjectStore, now: datetime, age: timedelta) -> Iterator[Found]:
    """What services wrote, and was last written more than `age` ago; raises TooYoung where that is.

    To be listed before the streams are read, so that every event about what is listed is among those read.
    """
    if age < YOUNGEST:
        raise TooYoung(f"objects younger than {YOUNGEST} may still wait for their event; give a greater age")
    for bucket, prefix in SERVICES_WRITE.items():
        yield from (each for each in store.list(bucket, prefix) if each.modified and each.modified < now - age)


def remove(store: SyncObjectStore, orphan: Found) -> bool:
    """Remove an object unless it was written again since it was listed; whether it is gone.

    Where the bucket keeps versions, it is that one version which goes.
    """
    there = store.stat(orphan.bucket, orphan.key)
    if there is None or there.modified != orphan.modified:
        return False
    store.remove(there.bucket, there.key, there.version_id)
    return True
