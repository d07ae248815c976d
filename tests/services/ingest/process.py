"""Ingest as a process of `headrace.testkit.preloaded`."""

from headrace.chassis import run
from headrace.ingest.service import build
from headrace.ingest.settings import IngestSettings


def start() -> None:
    """As `python -m headrace.ingest`."""
    run(build(IngestSettings()))
