"""Ingest in the harness: a real broker, a real store, each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headrace.ingest.service import build
from headrace.ingest.settings import IngestSettings
from headrace.testkit import Harness
from headrace.testkit.preloaded import Preloaded
from headrace.testkit.s3 import S3


@pytest.fixture
async def on(harness: Any, database_url: str, s3: S3, tmp_path: Path) -> AsyncIterator[Harness]:
    """A running ingest."""
    async with harness(
        build,
        IngestSettings,
        database_url=database_url,
        objects=s3.settings,
        ingest_spool=tmp_path / "spool",
        ingest_lease=timedelta(seconds=1),
    ) as running:
        yield running
    assert not [*(tmp_path / "spool").glob("*/*")], "every file is removed behind its work"


@pytest.fixture(scope="session")
def loaded() -> Iterator[Preloaded]:
    """The program of which ingest's own processes are made."""
    with Preloaded(Path(__file__).with_name("process.py")) as program:
        yield program
