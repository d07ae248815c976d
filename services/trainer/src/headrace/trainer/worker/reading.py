"""Dataset versions from the object store: only the columns that are needed, every part verified."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.contracts import Part
from headrace.objects import SyncObjectStore
from headrace.objects.manifest import version_parts
from headrace.trainer.worker.content import contents, identities
from headrace.trainer.worker.jobs import Data, Step, Tell


class MissingColumns(ValueError):
    """A part lacks a column that its dataset version promises."""


@dataclass(frozen=True)
class Rows:
    """The rows that have a label, in order."""

    frame: pd.DataFrame
    identity: Mapping[str, np.ndarray]
    """Under the name of each wanted set of columns, who every row is by its content in them."""
    unlabelled: int
    """Rows that were left out because their label is missing."""


def read_rows(
    store: SyncObjectStore,
    data: Data,
    columns: Sequence[str],
    target: str,
    tell: Tell,
    known_by: Mapping[str, Sequence[str]] | None = None,
) -> Rows:
    """The labelled rows of a dataset version; `known_by` names sets of columns by whose content rows are known."""
    frames: list[pd.DataFrame] = []
    total = 0
    known = known_by or {}
    hashes: dict[str, list[np.ndarray]] = {name: [] for name in known}
    needed = {*columns, target}.union(*known.values())
    for number, part in enumerate(version_parts(store, data.dataset, data.digest, data.manifest)):
        tell(Step(stage="loading", step=number, of=data.parts, message=f"{part.rows} rows"))
        rows = _read(store, part, sorted(needed), target)
        for name, wanted in known.items():
            hashes[name].append(contents(rows, sorted(wanted)))
        frames.append(rows[list(columns)])
        total += part.rows
    tell(Step(stage="loading", step=data.parts, of=data.parts))
    frame = pd.concat(frames, ignore_index=True)
    return Rows(
        frame=frame,
        identity={name: identities(np.concatenate(found)) for name, found in hashes.items()},
        unlabelled=total - len(frame),
    )


def _read(store: SyncObjectStore, part: Part, columns: Sequence[str], target: str) -> pd.DataFrame:
    """A part's rows with a label: left out before pandas sees them, which would make whole numbers floating point."""
    with pq.ParquetFile(io.BytesIO(store.get(part.object))) as file:
        if missing := sorted(set(columns) - set(file.schema_arrow.names)):
            raise MissingColumns(f"object {part.object.key} has no column {', '.join(missing)}")
        table = file.read(columns=list(columns))
    rows: pd.DataFrame = table.filter(pc.is_valid(table[target])).to_pandas()
    return rows
