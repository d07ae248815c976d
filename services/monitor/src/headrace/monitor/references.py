"""The drift references of the models that serve: Parquet samples from the object store, a few kept in memory."""

import io
from collections import OrderedDict

import pandas as pd
import pyarrow.parquet as pq

from headrace.contracts import ObjectRef
from headrace.objects import ObjectStore

KEPT = 32  # at most 20,000 rows each, some megabytes


class References:
    """Reads a reference once and keeps the newest."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, pd.DataFrame] = OrderedDict()

    async def get(self, ref: ObjectRef) -> pd.DataFrame:
        """The sample that `ref` names; raises what the store raises."""
        if ref.sha256 not in self._kept:
            self._kept[ref.sha256] = pq.read_table(io.BytesIO(await self._store.get(ref))).to_pandas()
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(ref.sha256)
        return self._kept[ref.sha256]
