"""What identifies a dataset version: a digest that grows with it, part by part."""

import hashlib
import json


def version_digest(dataset: str, before: str | None, part: str) -> str:
    """The digest of a version that adds a part to another one, or to none.

    `before` is the digest of the version that the part is added to, `part` the SHA-256 of the part's Parquet file. The
    digest names what was ingested in which order, wherever it lies; each costs the same, however many parts there are.
    """
    named = json.dumps([dataset, before, part], separators=(",", ":"))
    return hashlib.sha256(named.encode()).hexdigest()
