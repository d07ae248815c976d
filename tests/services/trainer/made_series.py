"""Series that are made up: a level of the store, a week, a promotion, and noise."""

import io

import numpy as np
import pandas as pd

from headrace.contracts import Part
from headrace.testkit import a
from headrace.testkit.datasets import a_version
from headrace.testkit.s3 import S3
from headrace.trainer.worker.jobs import Data

TYPES = {"day": "timestamp", "store": "string", "promotion": "number", "sold": "number"}


def sales(stores: int, days: int) -> pd.DataFrame:
    """One row a day and store, day by day."""
    chance = np.random.default_rng(5)
    day = pd.date_range("2025-01-01", periods=days, tz="UTC")
    frame = pd.DataFrame(
        {
            "day": np.tile(day, stores),
            "store": np.repeat([f"s{at}" for at in range(stores)], days),
            "promotion": chance.integers(0, 2, stores * days).astype(float),
        }
    )
    level = np.repeat(60 + 15 * np.arange(stores), days)
    week = 12 * np.sin(2 * np.pi * frame["day"].dt.day_of_week.to_numpy() / 7)
    return frame.assign(sold=level + week + chance.normal(0, 1.5, len(frame))).sort_values("day", ignore_index=True)


def stored(buckets: S3, frame: pd.DataFrame) -> Data:
    """A dataset version of one part, as a worker is told of it."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    part = a(Part, object=buckets.sync.put("datasets", buffer.getvalue()), rows=len(frame))
    event = a_version(buckets.sync, [part])
    return Data(dataset=event.dataset, digest=event.digest, manifest=event.manifest, parts=event.parts)
