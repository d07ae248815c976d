"""The unique check in pieces: the same answer whatever fits into memory at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from headrace.ingest.unique import UniqueCheck, keys


@pytest.mark.parametrize("at_once", [10, 1000, 10**6])
def test_pieces_find_what_one_sort_finds(tmp_path: Path, at_once: int) -> None:
    """Keys that come again are found, and counted once for each time too many."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 5000, 4000)
    check = UniqueCheck(tmp_path / "keys", at_once)
    for start in range(0, 4000, 700):
        check.add(values[start : start + 700].astype(np.int64))

    again, which = check.repeated()

    unique, counts = np.unique(values, return_counts=True)
    assert again == int((counts - 1).sum())
    assert sorted(which.tolist()) == unique[counts > 1].tolist()


def test_nothing_repeats_in_nothing(tmp_path: Path) -> None:
    """An empty column has no repeated value."""
    assert UniqueCheck(tmp_path / "keys").repeated()[0] == 0


def test_keys_tell_values_apart() -> None:
    """Numbers are their own keys, at any size; both zeros are one; missing values have none."""
    assert keys(pa.chunked_array([[2**62, 2**62 + 1, None]])).tolist() == [2**62, 2**62 + 1]
    zeros = keys(pa.chunked_array([pa.array([0.0, -0.0])]))
    assert zeros[0] == zeros[1]
    text = keys(pa.chunked_array([["a", "b", "a"]]))
    assert text[0] == text[2] != text[1]
