"""The composition root of ingest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from headrace.chassis import Dependency, Service
from headrace.contracts import IngestRequested, ModelDeclared
from headrace.ingest import api
from headrace.ingest.engine import Options
from headrace.ingest.handlers import on_ingest_requested, on_model_declared
from headrace.ingest.jobs import Jobs
from headrace.ingest.pipeline import STORE, UPLOADS, Ingestion
from headrace.ingest.settings import IngestSettings
from headrace.ingest.sources.blocks import Limits
from headrace.objects import StoreAway, object_store


def build(settings: IngestSettings) -> Service:
    """Wire ingest: what it hears, what it needs, what it shows."""
    store = object_store(settings.objects)
    ingestion = Ingestion(store, options(settings), settings.ingest_spool, settings.ingest_at_once)
    jobs = Jobs(settings, store, ingestion)
    return Service(
        name="ingest",
        settings=settings,
        subscriptions={
            IngestRequested: partial(on_ingest_requested, store=store, jobs=jobs),
            ModelDeclared: on_model_declared,
        },
        routes=[api.router],
        provides={Ingestion: ingestion},
        background=[jobs.loop()],
        dependencies=[Dependency(STORE, partial(store.probe, UPLOADS), (StoreAway,))],
        migrations=Path(__file__).parent / "migrations",
    )


def options(settings: IngestSettings) -> Options:
    """The engine's bounds, out of the settings."""
    limits = Limits(
        block=settings.ingest_block,
        line=settings.ingest_line,
        columns=settings.ingest_columns,
        rows=settings.ingest_rows,
        file=settings.ingest_file_gb << 30,
    )
    return Options(limits=limits, threads=settings.ingest_threads, keep=settings.ingest_keep)
