"""Drift of 1,000,000 rows x 35 columns (30 numbers, 5 words) against as many, as monitor judges a window."""

import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from harness import Bench, Target, peer

from headrace.contracts import DriftPolicy
from headrace.monitor.drift import FEATURE, drift_of, pairs_of

ROWS, NUMBERS, WORDS, ROUNDS = 1_000_000, 30, 5, 3
WORK = f"drift of {ROWS:,} x {NUMBERS + WORDS}"
PEERS = {
    "Evidently": ("evidently", "pandas<3"),
    "NannyML": ("nannyml", "statsmodels", "pandas<3"),
    "scipy KS, numbers only": ("scipy", "pandas", "pyarrow"),
}
PROGRAM = Path(__file__).with_name("drift_peers.py")


def run() -> Bench:
    """Measure; the peers read the same rows from Parquet, which is not counted."""
    bench = Bench("drift", targets=[Target(WORK, "Evidently", 100), Target(WORK, "NannyML", 10)])
    rng = np.random.default_rng(0)
    before, after = _sample(rng, 0.0), _sample(rng, 0.1)
    bench.add(WORK, "headrace", "s", [_ours(before, after) for _ in range(ROUNDS)])
    with TemporaryDirectory() as folder:
        before.to_parquet(Path(folder) / "before.parquet")
        after.to_parquet(Path(folder) / "after.parquet")
        for name, packages in PEERS.items():
            python = peer(bench, name.split()[0].lower(), *packages)
            if python is not None:
                _peer(bench, name, python, Path(folder))
    return bench


def _sample(rng: np.random.Generator, shift: float) -> pd.DataFrame:
    """Three numbers are shifted, the others are alike."""
    numbers = {f"n{at}": rng.normal(shift if at < 3 else 0.0, 1.0, ROWS) for at in range(NUMBERS)}
    return pd.DataFrame(numbers | {f"c{at}": rng.choice(list("abcdefgh"), ROWS) for at in range(WORDS)})


def _ours(before: pd.DataFrame, after: pd.DataFrame) -> float:
    start = time.perf_counter()
    found, _ = drift_of(pairs_of(before, after, list(before.columns), FEATURE), DriftPolicy(), 200)
    assert len(found) == NUMBERS + WORDS
    return time.perf_counter() - start


def _peer(bench: Bench, name: str, python: Path, folder: Path) -> None:
    command = [str(python), str(PROGRAM), name.split()[0].lower(), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        bench.skipped.append(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        return
    bench.add(WORK, name, "s", [float(done.stdout.split()[-1])])
