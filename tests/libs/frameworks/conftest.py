"""Rows with every kind of column, and a signal that a model can find."""

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column

FEATURES = [
    Column(name="distance", type="integer", nullable=False),
    Column(name="wind", type="number", nullable=True),
    Column(name="weekend", type="boolean", nullable=False),
    Column(name="carrier", type="string", nullable=True),
]


@pytest.fixture
def features() -> list[Column]:
    """The columns that the model sees."""
    return list(FEATURES)


@pytest.fixture
def frame() -> pd.DataFrame:
    """1,500 rows: one in ten has no wind, one in twelve no carrier; `late` and `minutes` depend on both."""
    rng = np.random.default_rng(7)
    rows = 1500
    wind = np.round(rng.gamma(2.0, 8.0, rows), 2)
    carrier = rng.choice(["AA", "DL", "UA"], rows)
    minutes = wind * 1.5 + (carrier == "UA") * 25 + rng.normal(0, 12, rows)
    return pd.DataFrame(
        {
            "distance": rng.integers(80, 4983, rows),
            "wind": np.where(rng.random(rows) < 0.1, np.nan, wind),
            "weekend": rng.random(rows) < 0.3,
            "carrier": pd.Series(carrier, dtype=object).where(rng.random(rows) > 0.08, None),
            "minutes": minutes,
            "late": (minutes > 30).astype(int),
        }
    )
