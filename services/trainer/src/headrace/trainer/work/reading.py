"""Dataset versions from the object store: only the columns that are needed, every part verified."""

import io
from collections.abc import Sequence

import pandas as pd
import pyarrow.parquet as pq

from headrace.contracts import Part
from headrace.objects import SyncObjectStore
from headrace.trainer.work.jobs import Step, Tell


class MissingColumns(ValueError):
    """A part lacks a column that its dataset version promises."""


def read_parts(store: SyncObjectStore, parts: Sequence[Part], columns: Sequence[str], tell: Tell) -> pd.DataFrame:
    """The rows of all parts, in order."""
    frames = []
    for number, part in enumerate(parts):
        tell(Step(stage="loading", step=number, of=len(parts), message=f"{part.rows} rows"))
        frames.append(_read(store, part, columns))
    tell(Step(stage="loading", step=len(parts), of=len(parts)))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def _read(store: SyncObjectStore, part: Part, columns: Sequence[str]) -> pd.DataFrame:
    with pq.ParquetFile(io.BytesIO(store.get(part.object))) as file:
        if missing := sorted(set(columns) - set(file.schema_arrow.names)):
            raise MissingColumns(f"object {part.object.key} has no column {', '.join(missing)}")
        rows: pd.DataFrame = file.read(columns=list(columns)).to_pandas()
    return rows
