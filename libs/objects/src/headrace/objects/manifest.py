"""Reading the list of a dataset version's parts: a tree of small documents, each verified by its digest."""

from collections.abc import Iterator

from pydantic import ValidationError

from headrace.contracts import Manifest, ObjectRef, Part
from headrace.contracts.versions import version_digest
from headrace.objects.errors import Corrupt
from headrace.objects.sync import SyncObjectStore


def manifest_of(content: bytes, ref: ObjectRef) -> Manifest:
    """A node of a manifest; raises Corrupt where the object is none."""
    try:
        return Manifest.model_validate_json(content, extra="ignore")
    except ValidationError as error:
        raise Corrupt(f"{ref.bucket}/{ref.key} is no manifest: {error.error_count()} fields are wrong") from error


def parts_of(store: SyncObjectStore, root: ObjectRef) -> Iterator[Part]:
    """Every part under a node, oldest first; memory holds one node for each level of the tree.

    Raises Missing or Corrupt where a node is not there or not what its reference promises.
    """
    node = manifest_of(store.get(root), root)
    for segment in node.segments:
        yield from parts_of(store, segment.object)
    yield from node.parts


def version_parts(store: SyncObjectStore, dataset: str, digest: str, root: ObjectRef) -> Iterator[Part]:
    """Every part of the dataset version with this digest; raises Corrupt at the end where they are another one's."""
    found: str | None = None
    for part in parts_of(store, root):
        found = version_digest(dataset, found, part.object.sha256)
        yield part
    if found != digest:
        raise Corrupt(f"{root.bucket}/{root.key} lists the parts of another version of {dataset!r} than {digest[:12]}")
