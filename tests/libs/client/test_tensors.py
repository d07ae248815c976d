"""Rows with several elements for an input or an output: what is sent, and what is read of an answer."""

from typing import Any

import pytest

from headrace.client.predicting import rows_of
from headrace.client.sdk import shape_of
from headrace.client.served import Served

METADATA: dict[str, Any] = {
    "name": "digits",
    "inputs": [
        {"name": "image", "datatype": "FP32", "shape": [-1, 2, 2], "parameters": {"nullable": False}},
        {"name": "note", "datatype": "BYTES", "shape": [-1]},
    ],
    "outputs": [{"name": "digit", "datatype": "INT64", "shape": [-1]}],
}


@pytest.mark.parametrize(
    ("values", "shape"),
    [([1, 2], [2]), ([[1, 2], [3, 4]], [2, 2]), ([[[1], [2]]], [1, 2, 1]), ([], [0]), ([[]], [1, 0])],
)
def test_the_shape_of_nested_lists_is_that_of_their_first_ones(values: Any, shape: list[int]) -> None:
    """A replica refuses what is uneven."""
    assert shape_of(values) == shape


def test_rows_are_sent_with_the_shape_that_the_model_tells() -> None:
    """What has one value a row is sent as ever."""
    served = Served.of(METADATA)

    image, note = served.tensors([{"image": [[1, 2], [3, 4]], "note": "a"}, {"image": [[5, 6], [7, 8]]}])

    assert served.shapes == {"image": [2, 2]}
    assert (image["shape"], image["data"]) == ([2, 2, 2], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert (note["shape"], note["data"]) == ([2], ["a", None])


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6, 7, 8], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]])
def test_an_output_with_axes_is_one_nested_list_a_row(data: list[Any]) -> None:
    """Flat or nested, as the protocol allows both."""
    document = {
        "parameters": {"prediction_id": "p"},
        "model_version": "1",
        "outputs": [
            {"name": "boxes", "shape": [2, 2, 2], "data": data},
            {"name": "digit", "shape": [2], "data": [3, 4]},
        ],
    }

    first, second = rows_of(document)

    assert first["outputs"] == {"boxes": [[1, 2], [3, 4]], "digit": 3}
    assert second["outputs"] == {"boxes": [[5, 6], [7, 8]], "digit": 4}
    assert second["prediction_id"] == "p:1"
