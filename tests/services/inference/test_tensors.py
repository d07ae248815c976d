"""Tensors from JSON and from raw bytes, and back: values, sizes, and what is said of those that are wrong."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from headrace.inference.tensors import DATATYPES, BadInput, flat, from_json, from_raw, kind, shown, to_raw
from headrace.runtimes.datatypes import NUMPY

WHOLE = sorted(name for name in NUMPY if "INT" in name)
FLOATS = sorted(name for name in NUMPY if name.startswith("FP"))


def refusal(read: Any) -> str:
    """What is said of a tensor that cannot be."""
    with pytest.raises(BadInput) as refused:
        read()
    return str(refused.value)


def test_the_datatypes_are_those_of_the_protocol() -> None:
    """In the words of its specification, of the widths that they say."""
    widths = {"BOOL": 8} | {f"{sign}INT{bits}": bits for sign in ("", "U") for bits in (8, 16, 32, 64)}
    widths |= {"FP16": 16, "FP32": 32, "FP64": 64}
    assert {name: dtype.itemsize * 8 for name, dtype in NUMPY.items()} == widths
    assert set(DATATYPES) == {*widths, "BYTES"}


@pytest.mark.parametrize("name", [*WHOLE, *FLOATS, "BOOL"])
@given(data=st.data())
def test_what_is_sent_raw_is_what_numpy_holds(name: str, data: st.DataObject) -> None:
    """Numbers of any width, little-endian, in rows and columns."""
    shape = data.draw(arrays.array_shapes(max_dims=3, max_side=4))
    sent = data.draw(arrays.arrays(NUMPY[name].newbyteorder("<"), shape))
    given_back = from_raw("x", name, shape, memoryview(sent.tobytes()))
    assert given_back.shape == shape
    np.testing.assert_array_equal(np.asarray(given_back.values).reshape(shape), sent)
    assert to_raw(name, sent) == sent.tobytes()


@given(st.lists(st.text(max_size=20), max_size=8))
def test_texts_come_back_as_they_were_sent(texts: list[str]) -> None:
    """Also empty ones, and those of characters that take several bytes."""
    raw = to_raw("BYTES", np.asarray(texts, dtype=object))
    assert raw == b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    assert from_raw("x", "BYTES", [len(texts)], memoryview(raw)).values == texts


@given(
    st.integers(1, 3).flatmap(
        lambda depth: arrays.arrays(np.int64, arrays.array_shapes(min_dims=depth, max_dims=depth, max_side=4))
    )
)
def test_nested_data_are_flat_in_the_order_of_rows(values: np.ndarray) -> None:
    """As numpy lays them out; flat data of the same tensor are equal."""
    nested = from_json("x", "INT64", values.shape, values.tolist())
    assert list(nested.values) == values.ravel().tolist()
    assert from_json("x", "INT64", values.shape, values.ravel().tolist()) == nested


@pytest.mark.parametrize(
    ("shape", "data", "says"),
    [
        ([2], 5, "input 'x': data must be an array, not an integer"),
        ([2], None, "input 'x': data must be an array, not null"),
        ([2], {"0": 1}, "input 'x': data must be an array, not an object"),
        ([2], "12", "input 'x': data must be an array, not a string"),
        ([3], [1, 2], "input 'x': shape [3] takes 3 values, data has 2"),
        ([2, 2], [1, 2, 3], "input 'x': shape [2, 2] takes 4 values, data has 3"),
        ([0], [1], "input 'x': shape [0] takes 0 values, data has 1"),
        ([2, 2], [[1, 2]], "input 'x': shape [2, 2] takes 2 at level 0, data has 1"),
        ([2, 2], [[1, 2], [3]], "input 'x': shape [2, 2] takes 2 at level 1, data has 1"),
        ([2, 2], [[1, 2], [3, 4, 5]], "input 'x': shape [2, 2] takes 2 at level 1, data has 3"),
        ([1], [[1]], "input 'x': element 0 is an array ([1]); INT64 takes whole numbers"),
        ([2, 1], [[1], 2], "input 'x': data is nested unevenly: an integer at level 1, expected an array"),
        ([1, 1], [[[1]]], "input 'x': element 0 is an array ([1]); INT64 takes whole numbers"),
        ([1], ["1"], "input 'x': element 0 is a string ('1'); INT64 takes whole numbers"),
        ([2], [1, 1.5], "input 'x': element 1 is a number (1.5); INT64 takes whole numbers"),
        ([2], [1, True], "input 'x': element 1 is a boolean (True); INT64 takes whole numbers"),
        ([1], [{}], "input 'x': element 0 is an object ({}); INT64 takes whole numbers"),
    ],
)
def test_data_that_do_not_fit_are_told_with_their_place(shape: list[int], data: Any, says: str) -> None:
    """And with what would fit."""
    assert refusal(lambda: from_json("x", "INT64", shape, data)) == says


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_is_within_the_range_of_its_type(name: str) -> None:
    """The least and the greatest are taken; the next ones are named with the range."""
    least, most = int(np.iinfo(NUMPY[name]).min), int(np.iinfo(NUMPY[name]).max)
    assert from_json("x", name, [3], [least, None, most]).values == [least, None, most]
    for beyond in (least - 1, most + 1):
        said = refusal(lambda beyond=beyond: from_json("x", name, [2], [0, beyond]))
        assert said == f"input 'x': element 1 ({beyond}) is outside {name}, {least} to {most}"


@pytest.mark.parametrize("name", ["FP16", "FP32"])
def test_a_number_is_within_the_range_of_its_type(name: str) -> None:
    """It would be infinite there."""
    most = float(np.finfo(NUMPY[name]).max)
    assert from_json("x", name, [2], [-most, most]).values == [-most, most]
    assert refusal(lambda: from_json("x", name, [1], [most * 1.01])).startswith("input 'x': element 0 (")
    assert refusal(lambda: from_json("x", name, [1], [-most * 1.01])).endswith(f"is outside {name}, {-most} to {most}")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("BOOL", 0, True),
        ("BOOL", 1, True),
        ("BOOL", 2, False),
        ("BOOL", 1.0, False),
        ("BOOL", "true", False),
        ("INT32", 7.0, True),
        ("INT32", -0.0, True),
        ("INT32", 7.5, False),
        ("UINT64", 2.0**63, True),
        ("FP64", 7, True),
        ("FP64", True, False),
        ("FP64", "7", False),
        ("BYTES", "", True),
        ("BYTES", 7, False),
        ("BYTES", True, False),
        *((name, None, True) for name in ("BOOL", "INT8", "FP32", "BYTES")),
    ],
)
def test_a_value_is_taken_where_nothing_is_lost(name: str, value: Any, taken: bool) -> None:
    """Whole numbers may be written with a point, and truth values as 0 and 1; a missing one may always be there."""
    if taken:
        assert from_json("x", name, [1], [value]).values == [value]
    else:
        assert f"element 0 is {kind(value)} ({value!r}); {name} takes " in refusal(
            lambda: from_json("x", name, [1], [value])
        )


@pytest.mark.parametrize(("name", "digits"), [("INT64", "1e+19"), ("UINT64", "1e+20"), ("INT8", "1e+19")])
def test_what_is_beyond_64_bits_is_refused_for_its_size(name: str, digits: str) -> None:
    """JSON's reader makes a float of it, which is no reason to speak of types."""
    said = refusal(lambda: from_json("x", name, [1], [float(digits)]))
    assert said.endswith(f" is outside {name}, {np.iinfo(NUMPY[name]).min} to {np.iinfo(NUMPY[name]).max}")


@pytest.mark.parametrize(
    ("name", "shape", "raw", "says"),
    [
        ("INT32", [2], b"\0" * 7, "input 'x': 7 bytes are no whole number of INT32 values"),
        ("INT32", [2], b"\0" * 4, "input 'x': shape [2] takes 2 values of INT32, its 4 bytes hold 1"),
        ("FP64", [1], b"\0" * 16, "input 'x': shape [1] takes 1 values of FP64, its 16 bytes hold 2"),
        ("BYTES", [1], b"\x01\0\0", "input 'x': element 0 ends after the 3 bytes given"),
        ("BYTES", [1], b"\x02\0\0\0a", "input 'x': element 0 ends after the 5 bytes given"),
        ("BYTES", [2], b"\x01\0\0\0a\xff\xff\xff\xff", "input 'x': element 1 ends after the 9 bytes given"),
        ("BYTES", [2], b"\x01\0\0\0a", "input 'x': shape [2] takes 2 values of BYTES, its 5 bytes hold 1"),
        ("BYTES", [1], b"\x01\0\0\0\xff", "input 'x': element 0 is not UTF-8: invalid start byte"),
    ],
)
def test_raw_bytes_that_do_not_fit_are_told(name: str, shape: list[int], raw: bytes, says: str) -> None:
    """With the sizes of both."""
    assert refusal(lambda: from_raw("x", name, shape, memoryview(raw))) == says


@pytest.mark.parametrize("name", ["INT32", "BYTES"])
def test_no_values_are_a_tensor_too(name: str) -> None:
    """Of a batch without rows."""
    assert len(from_raw("x", name, [0, 3], memoryview(b"")).values) == 0
    assert len(from_json("x", name, [0, 3], []).values) == 0


def test_an_output_is_sent_in_the_type_that_its_signature_says() -> None:
    """Whatever type the runtime has answered in."""
    assert to_raw("FP32", np.asarray([1.5, 2.5])) == struct.pack("<2f", 1.5, 2.5)
    assert to_raw("INT64", np.asarray([1, 2], dtype=np.int32)) == struct.pack("<2q", 1, 2)
    assert to_raw("BOOL", np.asarray([True, False])) == b"\x01\x00"
    assert to_raw("BYTES", np.asarray([7, "é"], dtype=object)) == b"\x01\0\0\0" + b"7" + b"\x02\0\0\0" + "é".encode()


def test_flat_follows_the_shape() -> None:
    """Level by level."""
    assert flat("x", [[[1], [2]], [[3], [4]]], [2, 2, 1]) == [1, 2, 3, 4]
    assert refusal(lambda: flat("x", [], [])) == ("input 'x': shape [] takes no further nesting at level 0, data has 0")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.0, "a number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
        (b"", "bytes"),
    ],
)
def test_a_value_is_named_in_the_words_of_json(value: Any, says: str) -> None:
    """A truth value is no integer there, though it is one in Python."""
    assert kind(value) == says


def test_a_long_value_is_shown_by_its_beginning() -> None:
    """Up to 40 characters it is whole."""
    assert shown("a" * 38) == repr("a" * 38)
    assert shown("a" * 39) == "'" + "a" * 36 + "..."
    assert len(shown("a" * 1000)) == 40
