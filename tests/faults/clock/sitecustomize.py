"""Loaded by Python at the start of a service whose clock a test moves: the offset in seconds is in a file."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import headrace.bus
import headrace.bus.store

_offset = Path(os.environ["FAULT_CLOCK"])


def _moved() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(_offset.read_text() or 0))


headrace.bus.store.utc_now = headrace.bus.utc_now = _moved
