"""What can be set of ingest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from headrace.chassis import ServiceSettings
from headrace.objects import ObjectSettings


class IngestSettings(ServiceSettings):
    """Settings of ingest, read from HEADRACE_INGEST_... and the common HEADRACE_..."""

    objects: ObjectSettings = Field(default_factory=ObjectSettings)
    ingest_spool: Path = Path(".headrace/spool")  # holds each file while it is worked on, twice its size
    ingest_threads: int = 2  # that parse and check one file; the writing thread is one more
    ingest_at_once: int = 2  # files checked at the same time; each takes up to 200 MB, the others wait on disk
    ingest_block: int = 4 << 20  # bytes of CSV parsed at once
    ingest_line: int = 4 << 20  # bytes a line may have
    ingest_columns: int = 4096  # a file may have; each has a profile and a rule in every version
    ingest_rows: int = 1_000_000_000  # a Parquet file may have: a constant column takes next to nothing
    ingest_file_gb: int = 64  # an upload may have; it lies in the spool, twice at most
    ingest_keep: int = 10  # offending rows named for each violation
    ingest_lease: timedelta = timedelta(seconds=10)  # after which another process takes up a job whose holder is silent
