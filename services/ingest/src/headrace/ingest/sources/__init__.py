"""Where rows come from: one module a file format, one line here; each yields checked Arrow tables.

To add one: write a module with its `Format`, whose `open` gives a `Source`, and name it below.
"""

from collections.abc import Mapping

from headrace.contracts.catalogs import Catalog
from headrace.ingest.sources.csv import CSV
from headrace.ingest.sources.formats import Format
from headrace.ingest.sources.parquet import PARQUET

SOURCES: Mapping[str, Format] = {each.name: each for each in (CSV, PARQUET)}
USUAL = CSV  # of what states no format and begins like none
FILE_FORMATS = Catalog("file format", lambda: {name: each.about for name, each in SOURCES.items()})


def stated_format(given: str | None, content_type: str | None, name: str | None) -> str | None:
    """The format that the deliverer states, by request, media type or name; None: its first bytes decide."""
    if given is not None:
        return given
    plain = (name or "").lower().removesuffix(".gz")
    found = (each.name for each in SOURCES.values() if each.is_stated_by(content_type or "", plain))
    return next(found, None)
