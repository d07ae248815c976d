"""Inputs with several elements a row: how runtimes take them from a request, from a file and from rows of data."""

import numpy as np
import pytest

from headrace.contracts import Tensor
from headrace.runtimes import BadValue
from headrace.runtimes.layout import Apart
from headrace.runtimes.process.columns import batches, merged

IMAGE = Tensor(name="image", datatype="FP32", shape=[-1, 2, 2])
CODES = Tensor(name="codes", datatype="INT8", shape=[-1, 3])
WORDS = Tensor(name="words", datatype="BYTES", shape=[-1, 2])
NESTED = {"image": [[[1, 2], [3, 4]]], "codes": [[1, 2, 3]], "words": [["a", None]]}
ARRAYS = {
    "image": np.array(NESTED["image"], np.float32),
    "codes": np.array(NESTED["codes"], np.int8),
    "words": np.array(NESTED["words"], object),
}


@pytest.mark.parametrize("columns", [NESTED, ARRAYS], ids=["lists", "arrays"])
def test_a_graph_takes_them_with_their_axes(columns: dict[str, object]) -> None:
    """A missing text is empty, as in every graph."""
    layout = Apart({"image": "FP32", "codes": "INT8", "words": "BYTES"}, {"image": 3, "codes": 2, "words": 2})

    feeds = layout.feeds(columns)

    assert (feeds["image"].dtype, feeds["image"].shape) == (np.float32, (1, 2, 2))
    assert (feeds["codes"].dtype, feeds["codes"].tolist()) == (np.int8, [[1, 2, 3]])
    assert feeds["words"].tolist() == [["a", ""]]


@pytest.mark.parametrize("columns", [NESTED, ARRAYS], ids=["lists", "arrays"])
def test_a_process_takes_them_with_their_axes(columns: dict[str, object]) -> None:
    """A missing text is null there."""
    [batch] = batches([IMAGE, CODES, WORDS], columns, strict=True)

    assert np.asarray(batch.columns["image"]).tolist() == NESTED["image"]
    assert np.asarray(batch.columns["codes"]).tolist() == NESTED["codes"]
    assert batch.columns["words"] == NESTED["words"]


def test_rows_of_several_callers_are_asked_together() -> None:
    """In their order."""
    [first], [second] = (list(batches([IMAGE, WORDS], columns, strict=True)) for columns in (NESTED, ARRAYS))

    both = merged([first, second])

    assert both.rows == 2
    assert np.asarray(both.columns["image"]).tolist() == NESTED["image"] * 2
    assert both.columns["words"] == NESTED["words"] * 2


def test_an_element_that_is_too_large_is_told_with_its_row() -> None:
    """As of every column of numbers."""
    with pytest.raises(BadValue, match="input 'image': element 1"):
        list(batches([IMAGE], {"image": [[[1, 2], [3, 4]], [[1, 2], [3, 1e300]]]}, strict=True))
    with pytest.raises(BadValue, match="input 'image': element 1"):
        Apart({"image": "FP32"}, {"image": 3}).feeds({"image": [[[1, 2], [3, 4]], [[1, 2], [3, 1e300]]]}, strict=True)
