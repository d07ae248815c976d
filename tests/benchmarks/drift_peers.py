"""A peer's drift of after.parquet against before.parquet: `drift_peers.py PEER FOLDER` prints seconds.

Run by the peer's own interpreter; imports and reading are not counted.
"""

import sys
import time
from pathlib import Path

import pandas as pd


def evidently(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """The preset for drifting data, with its own choice of methods."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    start = time.perf_counter()
    numbers = [name for name in before if name.startswith("n")]
    columns = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in before if name not in numbers]
    )
    sides = [Dataset.from_pandas(each, columns) for each in (after, before)]
    Report([DataDriftPreset()]).run(*sides).dict()
    return time.perf_counter() - start


def nannyml(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Jensen-Shannon and the usual test on every column, one chunk."""
    import nannyml as nml

    start = time.perf_counter()
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(before.columns),
        chunk_number=1,
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon"],
        categorical_methods=["chi2", "jensen_shannon"],
    )
    calculator.fit(before).calculate(after).to_df()
    return time.perf_counter() - start


def scipy(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """The Kolmogorov-Smirnov test on the numbers."""
    from scipy import stats

    start = time.perf_counter()
    for name in before:
        if name.startswith("n"):
            stats.ks_2samp(before[name], after[name], method="asymp")
    return time.perf_counter() - start


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    frames = [pd.read_parquet(folder / f"{side}.parquet") for side in ("before", "after")]
    print({"evidently": evidently, "nannyml": nannyml, "scipy": scipy}[sys.argv[1]](*frames))
