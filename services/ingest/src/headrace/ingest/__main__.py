"""`python -m headrace.ingest`."""

from headrace.chassis import run
from headrace.ingest.service import build
from headrace.ingest.settings import IngestSettings

if __name__ == "__main__":
    run(build(IngestSettings()))
