"""A peer's CSV to Parquet: `ingest_peers.py PEER FILE` prints MB/s and the peak of memory in MB.

Run by the peer's own interpreter; imports are not counted.
"""

import resource
import sys
import time
from pathlib import Path


def plain(file: Path, out: Path) -> float:
    """Pandas alone: no checks."""
    import pandas as pd

    start = time.perf_counter()
    pd.read_csv(file).to_parquet(out)
    return time.perf_counter() - start


def pandera(file: Path, out: Path) -> float:
    """pandas, with a range, a set or uniqueness checked on every column."""
    import pandas as pd
    import pandera.pandas as pa

    start = time.perf_counter()
    columns = {f"n{at}": pa.Column(float, pa.Check.in_range(-10, 10)) for at in range(18)}
    columns |= {
        "id": pa.Column(int, unique=True),
        "cat": pa.Column(str, pa.Check.isin(list("abcd"))),
        "label": pa.Column(int, pa.Check.isin([0, 1])),
    }
    pa.DataFrameSchema(columns).validate(pd.read_csv(file)).to_parquet(out)
    return time.perf_counter() - start


def polars(file: Path, out: Path) -> float:
    """polars, streaming: no checks."""
    import polars as pl

    start = time.perf_counter()
    pl.scan_csv(file).sink_parquet(out)
    return time.perf_counter() - start


if __name__ == "__main__":
    source = Path(sys.argv[2])
    works = {"pandas": plain, "pandas + Pandera": pandera, "polars, no checks": polars}
    seconds = works[sys.argv[1]](source, source.with_suffix(".parquet"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(source.stat().st_size / 1e6 / seconds, peak)
