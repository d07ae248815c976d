"""Dataset versions in an object store, as ingest would have put them."""

from collections.abc import Sequence
from typing import Any

from headrace.contracts import DatasetIngested, Manifest, Part
from headrace.contracts.versions import version_digest
from headrace.objects import SyncObjectStore
from headrace.testkit.builders import a


def a_version(store: SyncObjectStore, parts: Sequence[Part], **fields: Any) -> DatasetIngested:
    """The event of a version of some parts that are in the store, whose manifest then is there, too."""
    dataset, digest = str(fields.get("dataset", "data")), None
    for part in parts:
        digest = version_digest(dataset, digest, part.object.sha256)
    manifest = Manifest(segments=[], parts=list(parts)).model_dump_json(exclude_none=True).encode()
    told = {
        "dataset": dataset,
        "digest": digest,
        "part": parts[-1],
        "parts": len(parts),
        "rows": sum(part.rows for part in parts),
        "manifest": store.put("datasets", manifest),
    }
    return a(DatasetIngested, **{**told, **fields})
