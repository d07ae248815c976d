"""Requests whose inputs have several elements a row: shapes and values are checked, and handed on as they are."""

from typing import Any

import numpy as np
import pytest

from headrace.contracts import Signature, Tensor
from headrace.inference import mlflow
from headrace.inference.interface import Interface
from headrace.inference.protocol import parse
from headrace.inference.tensors import BadInput

INPUTS = [
    Tensor(name="image", datatype="FP32", shape=[-1, 2, 2], nullable=False),
    Tensor(name="codes", datatype="INT8", shape=[-1, 3], nullable=False),
    Tensor(name="words", datatype="BYTES", shape=[-1, 2], nullable=True),
    Tensor(name="note", datatype="BYTES", shape=[-1]),
]
OUTPUTS = [Tensor(name="digit", datatype="INT64", shape=[-1])]
GOOD: dict[str, tuple[str, list[int], Any]] = {
    "image": ("FP32", [2, 2, 2], [[[1, 2], [3, 4]], [[5, 6], [7, 8.5]]]),
    "codes": ("INT64", [2, 3], [1, 2, 3, 4, 5, 6]),
    "words": ("BYTES", [2, 2], [["a", "b"], ["c", None]]),
    "note": ("BYTES", [2], ["x", None]),
}


@pytest.fixture
def interface() -> Interface:
    """A model that takes numbers, text and one plain column."""
    return Interface(Signature(task="custom", inputs=INPUTS, outputs=OUTPUTS), None)


def request(**changed: tuple[str, list[int], Any] | None) -> dict[str, Any]:
    """A good request with some tensors changed."""
    told = {name: each for name, each in {**GOOD, **changed}.items() if each is not None}
    return {"inputs": [{"name": n, "datatype": t, "shape": s, "data": d} for n, (t, s, d) in told.items()]}


def test_rows_come_with_their_axes_and_the_models_datatype(interface: Interface) -> None:
    """Nested or flat; what is one value a row is a plain column as ever."""
    rows = parse(request(), interface).rows

    assert rows.count == 2
    image, codes, words = (np.asarray(rows.columns[name]) for name in ("image", "codes", "words"))
    assert (image.dtype, image.tolist()) == (np.float32, [[[1, 2], [3, 4]], [[5, 6], [7, 8.5]]])
    assert (codes.dtype, codes.tolist()) == (np.int8, [[1, 2, 3], [4, 5, 6]])
    assert words.tolist() == [["a", "b"], ["c", None]]
    assert rows.columns["note"] == ["x", None]
    assert rows.matrix is None


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "shape": ({"image": ("FP32", [2, 4], [1] * 8)}, r"input 'image': shape \[2, 4\]; the model takes \[-1, 2, 2\]"),
    "rank": ({"image": ("FP32", [8], [1] * 8)}, r"input 'image': shape \[8\]; the model takes \[-1, 2, 2\]"),
    "rows": ({"codes": ("INT8", [1, 3], [1, 2, 3])}, "input 'codes': 1 rows, but the inputs before it have 2"),
    "no rows": ({"image": ("FP32", [0, 2, 2], [])}, "input 'image': no rows; send at least one"),
    "too few values": ({"image": ("FP32", [2, 2, 2], [1, 2])}, r"shape \[2, 2, 2\] takes 8 values, data has 2"),
    "uneven": ({"image": ("FP32", [2, 2, 2], [[[1, 2], [3]], [[5, 6], [7, 8]]])}, "input 'image'"),
    "text for numbers": ({"image": ("BYTES", [2, 2, 2], ["a"] * 8)}, "input 'image': datatype is BYTES; .* takes FP32"),
    "numbers for text": ({"words": ("FP32", [2, 2], [1] * 4)}, "input 'words': datatype is FP32; .* takes BYTES"),
    "missing": ({"image": ("FP32", [2, 2, 2], [1, None] * 4)}, "input 'image': element 1 is missing"),
    "fraction": ({"codes": ("FP64", [2, 3], [1.5] * 6)}, "input 'codes': element 0 is 1.5; .* whole numbers"),
    "out of range": ({"codes": ("INT64", [2, 3], [300] * 6)}, "input 'codes': its values are no INT8"),
    "absent": ({"image": None}, "missing input 'image'; the model takes 'image', 'codes', 'words', 'note'$"),
    "unknown": ({"picture": ("FP32", [2], [1, 2])}, "unknown input 'picture'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_tensor_that_does_not_fit_is_named(case: str, interface: Interface) -> None:
    """With what the model takes."""
    changed, said = WRONG[case]

    with pytest.raises(BadInput, match=said):
        parse(request(**changed), interface)


def test_one_input_with_axes_is_no_matrix_of_columns() -> None:
    """[rows, columns] of a tabular model and [rows, elements] of a tensor look alike."""
    alone = Interface(Signature(task="custom", inputs=[INPUTS[1]], outputs=OUTPUTS), None)

    told = parse({"inputs": [{"name": "codes", "datatype": "INT8", "shape": [1, 3], "data": [1, 2, 3]}]}, alone)

    assert np.asarray(told.rows.columns["codes"]).tolist() == [[1, 2, 3]]
    with pytest.raises(BadInput, match="unknown input 'x'"):
        parse({"inputs": [{"name": "x", "datatype": "INT8", "shape": [1, 3], "data": [1, 2, 3]}]}, alone)


def test_the_row_that_warms_a_model_up_has_the_axes(interface: Interface) -> None:
    """Any version with this signature must be able to answer it."""
    rows = interface.example()

    assert [np.shape(values) for values in rows.columns.values()] == [(1, 2, 2), (1, 3), (1, 2), (1,)]
    assert tuple(rows.columns) == interface.names


def test_mlflows_protocol_takes_tensors_by_name() -> None:
    """`inputs` with one nested list a tensor."""
    alone = Interface(Signature(task="custom", inputs=[INPUTS[0]], outputs=OUTPUTS), None)

    told = mlflow.document_of(b'{"inputs": {"image": [[[1, 2], [3, 4]]]}}', b"application/json", alone)

    assert np.asarray(parse(told, alone).rows.columns["image"]).tolist() == [[[1, 2], [3, 4]]]
