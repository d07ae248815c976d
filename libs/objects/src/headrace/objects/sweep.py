"""Objects that no event refers to: left by a process that died between the object and its event."""

from collections.abc import Iterable, Iterator

from headrace.objects.sync import Found, SyncObjectStore


def unreferenced(store: SyncObjectStore, bucket: str, referenced: Iterable[str], prefix: str = "") -> Iterator[Found]:
    """The objects of a bucket whose keys nobody refers to.

    The caller keeps those that may still be written about: an object comes first, its event a moment later.
    """
    known = set(referenced)
    return (each for each in store.list(bucket, prefix) if each.key not in known)
