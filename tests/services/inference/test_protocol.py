"""The protocols as text: what is read of a request, what is written of an answer, and what is said of what is wrong.

No server runs here; `test_v2.py` and `test_as_sent.py` ask the same of a replica.
"""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import KEY_COLUMN, Column, Signature, Tensor
from headrace.inference import mlflow
from headrace.inference.interface import Interface
from headrace.inference.protocol import (
    Ask,
    answer,
    described,
    document_of,
    json_of,
    moment_of,
    parameters_of,
    parse,
)
from headrace.inference.row_keys import LONGEST, key_of
from headrace.inference.tensors import BadInput

MIXED = Signature(
    task="binary",
    inputs=[
        Tensor(name="wind", datatype="FP64", shape=[-1]),
        Tensor(name="seats", datatype="INT64", shape=[-1], nullable=False),
        Tensor(name="carrier", datatype="BYTES", shape=[-1]),
        Tensor(name="late", datatype="BOOL", shape=[-1]),
    ],
    outputs=[
        Tensor(name="label", datatype="BYTES", shape=[-1], labels=["no", "yes"]),
        Tensor(name="probability", datatype="FP64", shape=[-1], label="yes"),
    ],
    context=[Column(name="sex", type="string", nullable=True), Column(name="age", type="integer", nullable=True)],
)
NUMBERS = Signature(
    task="regression",
    inputs=[Tensor(name=name, datatype="FP64", shape=[-1]) for name in ("wind", "distance")],
    outputs=[Tensor(name="prediction", datatype="FP64", shape=[-1])],
)
ROW = {"wind": ("FP64", 1.5), "seats": ("INT64", 100), "carrier": ("BYTES", "UA"), "late": ("BOOL", True)}
OUTPUTS = {"label": np.asarray(["yes", "no"], dtype=object), "probability": np.asarray([0.75, 0.25])}


@pytest.fixture(scope="module")
def mixed() -> Interface:
    """Four columns of four types, and two of context."""
    return Interface(MIXED, None)


@pytest.fixture(scope="module")
def numbers() -> Interface:
    """Two numbers that a model takes as one matrix."""
    return Interface(NUMBERS, np.dtype(np.float32))


def asked(**changes: Any) -> dict[str, Any]:
    """A request for one row of the mixed model, with other parts."""
    inputs = [{"name": n, "datatype": kind, "shape": [1], "data": [value]} for n, (kind, value) in ROW.items()]
    return {"inputs": inputs, **changes}


def more(**tensor: Any) -> dict[str, Any]:
    """That request with one more input."""
    return asked(inputs=[*asked()["inputs"], {"datatype": "BYTES", "shape": [1], "data": ["x"], **tensor}])


def refusal(read: Any) -> str:
    """What is said of a request that cannot be answered."""
    with pytest.raises(BadInput) as refused:
        read()
    return str(refused.value)


# JSON as clients send it

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12) | st.just("NaN"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_json_is_read_as_it_is(value: Any) -> None:
    """Also where a text says NaN, or holds quotation marks and backslashes around it."""
    assert json_of(orjson.dumps(value)) == value
    beside = b'[NaN, "NaN \\" NaN", ' + orjson.dumps(value) + b"]"
    assert json_of(beside) == [None, 'NaN " NaN', value]


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"Infinity", b"[nan]", b"[NaN", b'"NaN', b"[NaNa]"])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    """With how a missing number is written."""
    assert refusal(lambda: json_of(body)).startswith("the body is not JSON: ")


@pytest.mark.parametrize(
    ("body", "says"), [(b"[]", "an array"), (b"null", "null"), (b"3", "an integer"), (b'"inputs"', "a string")]
)
def test_a_body_is_an_object(body: bytes, says: str) -> None:
    """And says which key it has."""
    assert refusal(lambda: document_of(body)) == f"the body must be a JSON object with 'inputs', not {says}"


def test_only_the_head_of_a_binary_request_is_json() -> None:
    """As long as its header says."""
    assert document_of(b'{"inputs": []}\x00\x01', 14) == {"inputs": []}
    assert refusal(lambda: document_of(b'{"inputs": []}\x00\x01', 15)).startswith("the body is not JSON")


# parameters


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ([], "parameters must be an object, not an array"),
        ("x", "parameters must be an object, not a string"),
        ({"routing_key": 1.5}, "parameters.routing_key must be a string, not a number"),
        ({"routing_key": None}, "parameters.routing_key must be a string, not null"),
        ({"routing_key": True}, "parameters.routing_key must be a string, not a boolean"),
    ],
)
def test_parameters_that_are_known_are_checked(parameters: Any, says: str) -> None:
    """The others are the model's, or nobody's."""
    assert refusal(lambda: parameters_of({"parameters": parameters})) == says


@pytest.mark.parametrize("parameters", [{}, {"routing_key": "a"}, {"routing_key": 7}, {"anything": [1]}])
def test_other_parameters_are_taken(parameters: dict[str, Any]) -> None:
    """None at all are no parameters."""
    assert parameters_of({"parameters": parameters}) == parameters
    assert parameters_of({"parameters": None}) == parameters_of({}) == {}


NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_an_event_time_may_lie_up_to_the_latest() -> None:
    """The bound itself is taken, the next second is not."""
    latest = NOON.timestamp()
    assert moment_of({"time": "2026-11-30T12:00:00Z"}, latest) == NOON
    assert moment_of({"time": "2026-11-30T13:00:00+01:00"}, latest) == NOON
    assert moment_of({}, latest) is None
    assert refusal(lambda: moment_of({"time": "2026-11-30T12:00:01Z"}, latest)) == (
        "parameters.time 2026-11-30T12:00:01Z lies ahead of this replica's clock by more than it allows; "
        "send when the event happened, or nothing for now"
    )


@pytest.mark.parametrize("time", [None, 7, "yesterday", "2026-11-30", "20261130T170000Z", ["2026-11-30T12:00:00Z"]])
def test_what_is_no_moment_is_refused(time: Any) -> None:
    """With what was sent."""
    assert refusal(lambda: moment_of({"time": time}, math.inf)).startswith(f"parameters.time {time!r} ")


# rows


def test_a_row_is_read_column_by_column(mixed: Interface) -> None:
    """In the order of the model, whatever the order of the request."""
    document = asked(id="a", parameters={"routing_key": "b"})
    document["inputs"].reverse()
    ask = parse(document, mixed)
    assert list(ask.rows.columns) == list(ROW)
    assert {name: list(values) for name, values in ask.rows.columns.items()} == {n: [v] for n, (_, v) in ROW.items()}
    assert (ask.rows.count, ask.id, dict(ask.parameters), ask.outputs, ask.raw, ask.time) == (
        1,
        "a",
        {"routing_key": "b"},
        None,
        frozenset(),
        None,
    )


@pytest.mark.parametrize("data", [[1.5, 2], [[1.5, 2]], [1.5, -3.0], [0, 0]])
@pytest.mark.parametrize("datatype", ["FP64", "FP32"])
def test_one_row_of_numbers_is_the_same_by_its_shortest_way(numbers: Interface, data: Any, datatype: str) -> None:
    """Which only knows a plain request: with an id beside it, each input is looked at."""
    tensor = {"name": "x", "datatype": datatype, "shape": [1, 2], "data": data}
    short, long = parse({"inputs": [tensor]}, numbers), parse({"inputs": [tensor], "id": "a"}, numbers)
    assert {n: list(v) for n, v in short.rows.columns.items()} == {n: list(v) for n, v in long.rows.columns.items()}
    assert short.rows.count == long.rows.count == 1
    if not isinstance(data[0], list):
        np.testing.assert_array_equal(short.rows.matrix, np.asarray([data], np.float32))
    assert long.rows.matrix is None


@pytest.mark.parametrize("value", [None, True, "1", 1e39, -1e39, float(np.finfo(np.float32).max)])
def test_the_shortest_way_leaves_what_needs_a_closer_look(numbers: Interface, value: Any) -> None:
    """Missing values, other types, and numbers that would be infinite in the model's own type."""
    assert numbers.one_row([value, 1.0]) is None
    assert numbers.one_row([1.0]) is None
    assert numbers.one_row([1.0, 2.0, 3.0]) is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "'inputs' must be an array of at least one {name, shape, datatype, data}"),
        ({"inputs": []}, "'inputs' must be an array of at least one {name, shape, datatype, data}"),
        ({"inputs": {"wind": [1]}}, "'inputs' must be an array of at least one {name, shape, datatype, data}"),
        ({"inputs": [7]}, "inputs[0] must be an object, not an integer"),
        (more(name=7), "inputs[4].name must be a string, not an integer"),
        (more(name=None), "inputs[4].name must be a string, not null"),
        (more(name="x", shape=[]), "input 'x': shape must be an array of sizes, such as [1], not []"),
        (more(name="x", shape=[-1]), "input 'x': shape must be an array of sizes, such as [1], not [-1]"),
        (more(name="x", shape=[True]), "input 'x': shape must be an array of sizes, such as [1], not [True]"),
        (more(name="x", shape=1), "input 'x': shape must be an array of sizes, such as [1], not 1"),
        (more(name="x", shape=[1] * 9), "input 'x': shape has 9 dimensions; a tensor has at most 8"),
        (more(name="x", parameters=[]), "input 'x': parameters must be an object, not an array"),
        (
            more(name="x", parameters={"binary_data_size": -1}),
            "input 'x': binary_data_size must be a number of bytes, not -1",
        ),
        (
            more(name="x", parameters={"binary_data_size": True}),
            "input 'x': binary_data_size must be a number of bytes, not True",
        ),
        (
            more(name="x", parameters={"binary_data_size": 5}),
            "input 'x': binary_data_size is 5, but 0 bytes are left; "
            "is the header Inference-Header-Content-Length right?",
        ),
        (asked(id=7), "id must be a string, not an integer"),
        (more(name="wind", datatype="FP64", data=[1.0]), "input 'wind' is given twice"),
        (
            more(name="wnd"),
            "unknown input 'wnd'; the model takes 'wind', 'seats', 'carrier', 'late', or one matrix of all; "
            "beside them 'sex', 'age' may be sent",
        ),
        (
            more(name=KEY_COLUMN, shape=[2], data=["a", "b"]),
            f"input {KEY_COLUMN!r}: shape [2], but the inputs have 1 rows",
        ),
        (
            {**more(name=KEY_COLUMN), "parameters": {"key": "a"}},
            f"parameters.key and the input {KEY_COLUMN!r} exclude each other",
        ),
    ],
)
def test_a_request_that_is_wrong_is_told_where(mixed: Interface, document: dict[str, Any], says: str) -> None:
    """In one sentence, with what would be right."""
    assert refusal(lambda: parse(document, mixed)) == says


def test_an_unknown_datatype_is_answered_with_those_there_are(mixed: Interface) -> None:
    """Whatever it is."""
    for datatype in ("FP8", "fp64", None):
        said = refusal(lambda datatype=datatype: parse(more(name="x", datatype=datatype), mixed))
        assert said.startswith(f"input 'x': datatype {datatype!r} is unknown; it is one of BOOL, ")
        assert said.endswith(", BYTES")


def test_bytes_that_no_input_has_are_told(numbers: Interface) -> None:
    """The sizes do not add up."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    raw = np.asarray([1.5, 2.0], "<f4").tobytes()
    ask = parse({"inputs": [tensor]}, numbers, memoryview(raw))
    assert {name: list(values) for name, values in ask.rows.columns.items()} == {"wind": [1.5], "distance": [2.0]}
    assert refusal(lambda: parse({"inputs": [tensor]}, numbers, memoryview(raw + b"\0"))) == (
        "9 bytes follow the JSON part, but the inputs' binary_data_size add up to 8"
    )
    assert refusal(lambda: parse({"inputs": [tensor]}, numbers, memoryview(raw[:7]))) == (
        "input 'x': binary_data_size is 8, but 7 bytes are left; is the header Inference-Header-Content-Length right?"
    )


# keys


def test_keys_are_of_rows(mixed: Interface) -> None:
    """One in the parameters, or one a row among the inputs; whole numbers are written in digits."""
    assert parse(asked(), mixed).rows.keys is None
    assert parse(asked(parameters={"key": 7}), mixed).rows.keys == ["7"]
    assert parse(more(name=KEY_COLUMN, data=["a"]), mixed).rows.keys == ["a"]
    assert parse(more(name=KEY_COLUMN, shape=[1, 1], data=[["a"]]), mixed).rows.keys == ["a"]
    assert parse(more(name=KEY_COLUMN, datatype="INT64", data=[12]), mixed).rows.keys == ["12"]
    assert parse(more(name=KEY_COLUMN, data=[None]), mixed).rows.keys == [None]
    twice = more(name=KEY_COLUMN)
    twice["inputs"].append(twice["inputs"][-1])
    assert refusal(lambda: parse(twice, mixed)) == f"input {KEY_COLUMN!r} is given twice"


@pytest.mark.parametrize("key", ["a", "é" * LONGEST, "two words", "0", 0, -5, 2**70])
def test_a_key_is_a_short_text(key: Any) -> None:
    """Or a whole number."""
    assert key_of(key, "it") == str(key)


@pytest.mark.parametrize("key", ["", "a" * (LONGEST + 1), "a\nb", "\x00", "\x7f", "\ud800"])
def test_what_no_database_keeps_is_no_key(key: str) -> None:
    """Nor what is longer than anybody's number of an order."""
    said = refusal(lambda: key_of(key, "it"))
    assert said.startswith("it is ")
    assert said.endswith(f"; a key has 1 to {LONGEST} characters, none of them a control character")


@pytest.mark.parametrize(("key", "says"), [(1.5, "a number"), (True, "a boolean"), ([], "an array"), ({}, "an object")])
def test_what_is_neither_text_nor_whole_number_is_no_key(key: Any, says: str) -> None:
    """A truth value is no number of an order."""
    assert refusal(lambda: key_of(key, "it")) == f"it must be a string or a whole number, not {says}"


# outputs


@pytest.mark.parametrize(
    ("changes", "outputs", "raw"),
    [
        ({}, None, set()),
        ({"outputs": []}, None, set()),
        ({"outputs": [{"name": "label"}]}, ["label"], set()),
        ({"outputs": [{"name": "probability", "parameters": {"binary_data": True}}]}, ["probability"], {"probability"}),
        ({"parameters": {"binary_data_output": True}}, None, {"label", "probability"}),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [{"name": "label", "parameters": {"binary_data": False}}, {"name": "probability"}],
            },
            ["label", "probability"],
            {"probability"},
        ),
        (
            {"parameters": {"binary_data_output": None}, "outputs": [{"name": "label", "parameters": None}]},
            ["label"],
            set(),
        ),
    ],
)
def test_outputs_are_those_asked_for_in_the_form_asked_for(
    mixed: Interface, changes: dict[str, Any], outputs: list[str] | None, raw: set[str]
) -> None:
    """What an output says of itself comes before what is said of all."""
    ask = parse(asked(**changes), mixed)
    assert (ask.outputs, ask.raw) == (outputs, raw)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outputs": {}}, "'outputs' must be an array of {name}"),
        ({"outputs": ["label"]}, "'outputs' must be an array of {name}"),
        ({"outputs": [{"name": "score"}]}, "output 'score' is unknown; the model gives label, probability"),
        ({"outputs": [{"name": 7}]}, "output 7 is unknown; the model gives label, probability"),
        ({"outputs": [{}]}, "output None is unknown; the model gives label, probability"),
        (
            {"outputs": [{"name": "label", "parameters": 7}]},
            "output 'label': parameters must be an object, not an integer",
        ),
        (
            {"outputs": [{"name": "label", "parameters": {"binary_data": "false"}}]},
            "output 'label': parameters.binary_data must be true or false, not a string",
        ),
        (
            {"parameters": {"binary_data_output": "false"}},
            "parameters.binary_data_output must be true or false, not a string",
        ),
    ],
)
def test_outputs_that_there_are_not_are_named(mixed: Interface, changes: dict[str, Any], says: str) -> None:
    """And a flag that is none."""
    assert refusal(lambda: parse(asked(**changes), mixed)) == says


def test_an_answer_says_what_it_is_about(mixed: Interface) -> None:
    """Head, id, parameters, then each output with its shape; and of which label a probability is."""
    ask = parse(asked(id="a"), mixed)
    body, head = answer(ask, OUTPUTS, mixed, {"model_name": "delay", "model_version": "3"}, {"prediction_id": "p"})
    assert head is None
    assert orjson.loads(body) == {
        "model_name": "delay",
        "model_version": "3",
        "id": "a",
        "parameters": {"prediction_id": "p"},
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]},
            {
                "name": "probability",
                "datatype": "FP64",
                "shape": [2],
                "data": [0.75, 0.25],
                "parameters": {"label": "yes"},
            },
        ],
    }


def test_an_answer_in_raw_form_follows_its_head(mixed: Interface) -> None:
    """The sizes in the head find each output; one that was not asked for in raw form stays in the head."""
    ask = Ask(parse(asked(), mixed).rows, raw=frozenset({"probability"}))
    body, head = answer(ask, OUTPUTS, mixed, {}, {})
    assert head is not None
    label, probability = orjson.loads(body[:head])["outputs"]
    assert label["data"] == ["yes", "no"]
    assert probability["parameters"] == {"label": "yes", "binary_data_size": 16}
    assert "data" not in probability
    assert np.frombuffer(body[head:], "<f8").tolist() == [0.75, 0.25]


def test_a_table_of_answers_is_flat_with_its_shape(mixed: Interface) -> None:
    """Row by row."""
    signature = Signature(
        task="multiclass",
        inputs=NUMBERS.inputs,
        outputs=[Tensor(name="probabilities", datatype="FP64", shape=[-1, 3], labels=["a", "b", "c"])],
    )
    interface = Interface(signature, None)
    outputs = {"probabilities": np.asarray([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])}
    body, _ = answer(Ask(parse(asked(), mixed).rows), outputs, interface, {}, {})
    (told,) = orjson.loads(body)["outputs"]
    assert (told["shape"], told["data"]) == ([2, 3], [0.5, 0.25, 0.25, 0.0, 1.0, 0.0])
    assert told["parameters"] == {"labels": ["a", "b", "c"]}


def test_the_metadata_say_all_that_the_signature_says(mixed: Interface) -> None:
    """What may be missing, which labels there are, and what goes along without being learned from."""
    told = described("delay", [3, 4], mixed, "headrace_onnx")
    assert (told["name"], told["versions"], told["platform"]) == ("delay", ["3", "4"], "headrace_onnx")
    by_name = {tensor["name"]: tensor for tensor in [*told["inputs"], *told["outputs"]]}
    assert by_name["seats"] == {"name": "seats", "datatype": "INT64", "shape": [-1], "parameters": {"nullable": False}}
    assert by_name["wind"] == {"name": "wind", "datatype": "FP64", "shape": [-1]}
    assert by_name["label"]["parameters"] == {"labels": ["no", "yes"]}
    assert by_name["probability"]["parameters"] == {"label": "yes"}
    assert told["parameters"] == {
        "context": [{"name": "sex", "datatype": "BYTES"}, {"name": "age", "datatype": "INT64"}]
    }


# MLflow's scoring


def scored(interface: Interface, body: Any, kind: bytes = b"application/json") -> dict[str, list[Any]]:
    """The columns of a request in MLflow's shape."""
    sent = body if isinstance(body, bytes) else orjson.dumps(body)
    document = mlflow.document_of(sent, kind, interface)
    return {tensor["name"]: tensor["data"] for tensor in document["inputs"]}


FRAME = {"wind": [1.0, 2.0], "distance": [10.0, 20.0]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["wind", "distance"], "data": [[1.0, 10.0], [2.0, 20.0]]}},
        {"dataframe_split": {"columns": ["distance", "wind"], "index": [0, 1], "data": [[10.0, 1.0], [20.0, 2.0]]}},
        {"dataframe_split": {"data": [[1.0, 10.0], [2.0, 20.0]]}},
        {"dataframe_records": [{"wind": 1.0, "distance": 10.0}, {"distance": 20.0, "wind": 2.0}]},
        {"instances": [[1.0, 10.0], [2.0, 20.0]]},
        {"instances": [{"wind": 1.0, "distance": 10.0}, {"wind": 2.0, "distance": 20.0}]},
        {"inputs": {"wind": [1.0, 2.0], "distance": [10.0, 20.0]}},
        {"inputs": [[1.0, 10.0], [2.0, 20.0]]},
    ],
)
def test_every_shape_of_mlflow_has_the_same_columns(numbers: Interface, body: Any) -> None:
    """By name, or in the order of the signature."""
    assert scored(numbers, body) == FRAME


def test_csv_has_a_header(numbers: Interface) -> None:
    """Whatever its content type says beside."""
    assert scored(numbers, b"distance,wind\n10,1\n20,2\n", b"Text/CSV; charset=utf-8") == FRAME
    assert refusal(lambda: scored(numbers, b"wind,distance\n\xff,1\n", b"text/csv")).startswith(
        "the body is no CSV in UTF-8 that this model takes: "
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "the body must be an object with exactly one of dataframe_split, dataframe_records, instances, inputs"),
        ({}, "the body must be an object with exactly one of dataframe_split, dataframe_records, instances, inputs"),
        (
            {"instances": [[1, 2]], "inputs": [[1, 2]]},
            "the body must be an object with exactly one of dataframe_split, dataframe_records, instances, inputs",
        ),
        ({"dataframe_split": [[1, 2]]}, "dataframe_split must be {columns, data}"),
        ({"dataframe_split": {"columns": ["wind"]}}, "dataframe_split must be {columns, data}"),
        (
            {"dataframe_split": {"columns": "wind", "data": [[1]]}},
            "dataframe_split.columns must be an array of names, not 'wind'",
        ),
        (
            {"dataframe_split": {"columns": [None], "data": [[1]]}},
            "dataframe_split.columns must be an array of names, not [None]",
        ),
        ({"dataframe_split": {"columns": ["wind", "wind"], "data": [[1, 2]]}}, "column 'wind' is given twice"),
        (
            {"dataframe_split": {"columns": ["wind", "distance"], "data": [[1, 2], [3]]}},
            "dataframe_split.data[1] has 1 values; a row has 2: wind, distance",
        ),
        ({"instances": [[1, 2], 7]}, "instances[1] has an integer; a row has 2: wind, distance"),
        ({"instances": {"wind": 1}}, "instances must be an array of rows, not an object"),
        ({"dataframe_records": {"wind": [1]}}, "dataframe_records must be an array of objects"),
        ({"dataframe_records": [[1, 2]]}, "dataframe_records must be an array of objects"),
        (
            {"dataframe_records": [{"wind": 1, "distance": 2}, {"wind": 1}]},
            "row 1 has no 'distance'; a missing value is null",
        ),
        ({"inputs": {"wind": 1, "distance": [2]}}, "inputs.wind must be an array with one value a row, not an integer"),
        ({"instances": []}, "no rows; send at least one"),
        ({"inputs": {"wind": [], "distance": []}}, "no rows; send at least one"),
        ({"inputs": {}}, "no rows; send at least one"),
    ],
)
def test_what_is_no_shape_of_mlflow_is_told_where(numbers: Interface, body: Any, says: str) -> None:
    """With the row, and the columns that a row has."""
    assert refusal(lambda: scored(numbers, body)) == says


def test_keys_and_context_are_columns_there(mixed: Interface) -> None:
    """A number of an order may be a number."""
    row = {"wind": 1.5, "seats": 100, "carrier": "UA", "late": None, "sex": "f", KEY_COLUMN: 12}
    told = scored(mixed, {"dataframe_records": [row]})
    assert told[KEY_COLUMN] == ["12"]
    assert told["sex"] == ["f"]


def test_unknown_columns_are_refused_or_left_out() -> None:
    """As the replica is set."""
    row = {"wind": 1.0, "distance": 2.0, "more": 3.0}
    strict, lenient = Interface(NUMBERS, None), Interface(NUMBERS, None, ignore_unknown=True)
    assert "unknown input 'more'" in refusal(lambda: scored(strict, {"instances": [row]}))
    assert scored(lenient, {"instances": [row]}) == {"wind": [1.0], "distance": [2.0]}


def test_an_answer_in_mlflows_shape_is_plain(mixed: Interface, numbers: Interface) -> None:
    """Values of one output, records of several, and of which label a probability is."""
    assert mlflow.answer({"prediction": np.asarray([1.5, 2.5])}, numbers) == {"predictions": [1.5, 2.5]}
    assert mlflow.answer(OUTPUTS, mixed) == {
        "predictions": [{"label": "yes", "probability": 0.75}, {"label": "no", "probability": 0.25}],
        "parameters": {"probability": {"label": "yes"}},
    }
