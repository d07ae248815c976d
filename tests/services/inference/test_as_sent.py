"""What clients really send: NaN, compressed bodies, other people's CSV, columns beside the model's, odd numbers."""

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from headrace.contracts import KEY_COLUMN, Column, Route
from headrace.inference.http import inflated
from headrace.inference.protocol import json_of
from headrace.inference.tensors import NUMPY

from .conftest import NUMBERS, Alone, Lonely, Model, make_model, matrix, row

ROW = [1.0, 2.0, 3.0, 4.0]
CSV = "distance,wind,month,late,carrier\n1.5,0.5,3,true,UA\n"
CONTEXT = [
    Column(name="gender", type="string", nullable=True),
    Column(name="age", type="integer", nullable=True),
    Column(name="booked_at", type="timestamp", nullable=True),
]
INFER, SCORING = "/v2/models/mixed/infer", "/invocations?model=mixed"


def told(model: Model, **signature: Any) -> Route:
    """A route whose signature says more than the model's own."""
    route = model.route()
    return route.model_copy(update={"signature": route.signature.model_copy(update=signature)})


def logged(made: Alone) -> list[dict[str, Any]]:
    """What was written down of predictions."""
    frames = [json.loads(frame.payload)["data"] for frame in made.replica.wal.read()[0]]
    return [data for data in frames if "prediction_id" in data]


@pytest.fixture
async def served(alone: Lonely, mixed: Model, numbers: Model) -> Alone:
    """A replica with the mixed model and the one of numbers."""
    made: Alone = await alone(mixed, numbers)
    await made.serve("mixed", told(mixed, context=CONTEXT))
    await made.serve("numbers", numbers.route())
    return made


async def same(served: Alone, answer: httpx.Response) -> bool:
    """Whether an answer has the outputs that the plain request gets."""
    plain = (await served.http.post(INFER, json=row())).json()["outputs"]
    found = answer.json()
    if "predictions" in found:
        return bool(found["predictions"] == [{each["name"]: each["data"][0] for each in plain}])
    return bool(found["outputs"] == plain)


# NaN and compression


async def test_nan_is_a_missing_number(served: Alone) -> None:
    """As tritonclient and MLflow's client write it; a text that reads NaN stays a text."""
    literal = json.dumps(row(wind=float("nan"), carrier='NaN, "NaN"'))
    assert "[NaN]" in literal

    answer = await served.http.post(INFER, content=literal)
    scoring = await served.http.post(SCORING, content='{"dataframe_split": {"data": [[1.5, NaN, 3, true, "UA"]]}}')

    assert (answer.status_code, scoring.status_code) == (200, 200)
    assert logged(served)[0]["inputs"] | {} == {
        "distance": [1.5], "wind": [None], "month": [3], "late": [True], "carrier": ['NaN, "NaN"'],
    }  # fmt: skip


@pytest.mark.parametrize("body", [b'{"a": NaN', b'["NaN', b'{"a": NaN}}', b"NaNNaN", b'"' + b'\\"' * 200_000 + b"NaN"])
def test_what_is_no_json_stays_none(body: bytes) -> None:
    """NaN makes nothing valid that was not, and looking for it takes no longer than reading."""
    with pytest.raises(ValueError, match="not JSON"):
        json_of(body)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("way", [gzip.compress, zlib.compress, lambda body: zlib.compress(body)[2:-4]])
async def test_compressed_bodies_are_taken(served: Alone, way: Callable[[bytes], bytes]) -> None:
    """gzip, and deflate with its head or without: tritonclient and MLflow's client send them."""
    encoding = "gzip" if way is gzip.compress else "deflate"
    body = json.dumps(row()).encode()

    answers = [
        await served.http.post(path, content=way(content), headers={"content-encoding": encoding, "content-type": kind})
        for path, content, kind in ((INFER, body, "application/json"), (SCORING, CSV.encode(), "text/csv"))
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all([await same(served, answer) for answer in answers])


async def test_a_body_that_grows_too_large_is_refused(alone: Lonely, numbers: Model) -> None:
    """A bomb is stopped at the limit, whichever way it goes off; what is cut off or mislabelled is refused."""
    made: Alone = await alone(numbers, max_request_mb=1)
    await made.serve("m", numbers.route())
    bomb, whole = gzip.compress(b" " * 50_000_000), gzip.compress(json.dumps(matrix(ROW)).encode())
    bodies = [bomb, gzip.compress(b" " * 1_000_000) * 40, whole[:-9], b"{}", b"", whole]

    answers = [
        await made.http.post("/v2/models/m/infer", content=body, headers={"content-encoding": "gzip"})
        for body in bodies
    ]

    assert [answer.status_code for answer in answers] == [413, 413, 400, 400, 400, 200]


async def test_other_compressions_are_named(served: Alone) -> None:
    """415 says what is read."""
    for encoding in ("br", "zstd", "gzip, gzip"):
        answer = await served.http.post(INFER, content=b"x", headers={"content-encoding": encoding})
        assert answer.status_code == 415
        assert "send gzip, deflate or none" in answer.json()["error"]


def test_several_members_of_gzip_are_one_body() -> None:
    """As `cat a.gz b.gz` makes them."""
    assert inflated(gzip.compress(b"a") + gzip.compress(b"b"), b"gzip", 10) == b"ab"


# numbers beyond their datatype


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        *((name, int(np.iinfo(kind).max) + 1) for name, kind in NUMPY.items() if "INT" in name),
        *((name, int(np.iinfo(kind).min) - 1) for name, kind in NUMPY.items() if "INT" in name),
        ("INT64", 1e300),
        ("FP16", 70000),
        ("FP16", -65520.0),
        ("FP32", 3.5e38),
    ],
)
async def test_a_number_that_its_datatype_does_not_hold_is_refused(served: Alone, datatype: str, value: float) -> None:
    """Of every width, also the widest."""
    request = {"inputs": [{"name": "r", "shape": [1, 4], "datatype": datatype, "data": [1, 2, 3, value]}]}

    answer = await served.http.post("/v2/models/numbers/infer", json=request)

    assert answer.status_code == 400
    assert datatype in answer.json()["error"]


@pytest.mark.parametrize("name", [name for name in NUMPY if name != "BOOL"])
async def test_the_largest_number_of_each_datatype_is_taken(served: Alone, name: str) -> None:
    """The bounds themselves are inside."""
    limits = np.iinfo(NUMPY[name]) if "INT" in name else np.finfo("f4" if name != "FP16" else "f2")
    data = [v.item() if hasattr(v, "item") else v for v in (limits.min, 0, 1, limits.max)]
    request = {"inputs": [{"name": "r", "shape": [1, 4], "datatype": name, "data": data}]}

    answer = await served.http.post("/v2/models/numbers/infer", json=request)

    assert answer.status_code == 200 or "too large for the model" in answer.json()["error"]


# CSV


@pytest.mark.parametrize("content_type", ["text/csv", "Text/CSV", "TEXT/CSV; charset=utf-8", "text/csv;header=present"])
async def test_the_content_type_is_read_as_it_is_meant(served: Alone, content_type: str) -> None:
    """Media types have no case, and may have parameters."""
    answer = await served.http.post(SCORING, content=CSV, headers={"content-type": content_type})

    assert answer.status_code == 200
    assert await same(served, answer)


@pytest.mark.parametrize("text", ["\ufeff" + CSV, CSV + "\n", CSV + "\r\n\r\n", CSV.replace("\n", "\r\n")])
async def test_csv_is_taken_as_spreadsheets_write_it(served: Alone, text: str) -> None:
    """With a byte order mark, with blank lines at its end, with either end of line."""
    answer = await served.http.post(SCORING, content=text.encode(), headers={"content-type": "text/csv"})

    assert answer.status_code == 200
    assert await same(served, answer)


async def test_a_cell_is_read_by_the_models_signature(served: Alone) -> None:
    """`NA` is Namibia, or an airline, in a column of text, and missing in one of numbers; leading zeros stay."""
    text = "distance,wind,month,late,carrier\n1.5,NA,3.0,TRUE,NA\n1.5,,3,0,01234\n"

    answer = await served.http.post(SCORING, content=text, headers={"content-type": "text/csv"})

    assert answer.status_code == 200
    (data,) = logged(served)
    assert data["inputs"]["carrier"] == ["NA", "01234"]
    assert data["inputs"]["wind"] == [None, None]
    assert data["inputs"]["late"] == [True, False]
    assert data["inputs"]["month"] == [3, 3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("distance,wind\n1.5\n", "line 2 has 1 values; a row has 2: distance, wind"),
        ("a,b,a\n1,2,3\n", "column 'a' is given twice"),
        ("\ndistance\n", "the first line must name the columns"),
        (CSV.replace("1.5", "1_5"), "line 2, column 'distance': '1_5' is not a finite number"),
        (CSV + "\n" + CSV.splitlines()[1], "line 3 has 0 values"),
        ('distance\n"1.5', "line 2"),
    ],
)
async def test_csv_that_is_wrong_is_told_where(served: Alone, text: str, says: str) -> None:
    """Line and column."""
    answer = await served.http.post(SCORING, content=text, headers={"content-type": "text/csv"})

    assert answer.status_code == 400
    assert says in answer.json()["error"]


# columns that the model does not take


async def test_an_unknown_column_is_named_as_that(served: Alone) -> None:
    """Whatever it holds, and by each way in."""
    record = {"distance": 1.5, "wind": 1, "month": 3, "late": True, "carrier": "UA", "order_id": 4711}
    forms = [
        {"dataframe_records": [record]},
        {"dataframe_split": {"columns": list(record), "data": [list(record.values())]}},
        {"instances": [record]},
        {"inputs": {name: [value] for name, value in record.items()}},
    ]
    answers = [await served.http.post(SCORING, json=form) for form in forms]
    answers.append(await served.http.post(INFER, json=row(order_id=4711)))

    assert [answer.status_code for answer in answers] == [400] * 5
    assert {answer.json()["error"].partition(";")[0] for answer in answers} == {"unknown input 'order_id'"}


async def test_unknown_columns_are_ignored_where_a_setting_says_so(alone: Lonely, mixed: Model, numbers: Model) -> None:
    """By each way in; one that is missing is still missing, and nothing unknown is logged."""
    made: Alone = await alone(mixed, numbers, unknown_inputs="ignore")
    await made.serve("mixed", mixed.route())
    record = {"distance": 1.5, "wind": 0.5, "month": 3, "late": True, "carrier": "UA", "order_id": 4711}

    answers = [
        await made.http.post(INFER, json=row(order_id=4711)),
        await made.http.post(SCORING, json={"dataframe_records": [record]}),
    ]
    lacking = await made.http.post(SCORING, json={"dataframe_records": [{"order_id": 1, "distance": 2.0}]})
    await made.serve("numbers", numbers.route())
    as_matrix = await made.http.post("/v2/models/numbers/infer", json=matrix(ROW))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all([await same(made, answer) for answer in answers])
    assert "order_id" not in logged(made)[0]["inputs"]
    assert lacking.status_code == 400
    assert as_matrix.status_code == 200


@pytest.mark.parametrize(
    "split", [{"columns": 5}, {"columns": True}, {"columns": ["a", "b", "c", "a"]}, {"columns": [[]]}, {"columns": {}}]
)
async def test_columns_that_are_none_are_refused(served: Alone, split: dict[str, Any]) -> None:
    """No list, no names, or one twice."""
    width = len(split["columns"]) if isinstance(split["columns"], list) else 3
    answer = await served.http.post(SCORING, json={"dataframe_split": {**split, "data": [[1] * width]}})

    assert answer.status_code == 400
    assert "column" in answer.json()["error"]


# context columns


async def test_context_columns_are_logged_and_change_no_answer(served: Alone) -> None:
    """In V2 and in CSV; missing ones are allowed, and the model never sees them."""
    request = row(gender="f", age=41)
    request["inputs"][5] |= {"datatype": "BYTES"}
    request["inputs"][6] |= {"datatype": "INT64"}
    text = "gender,booked_at," + CSV.replace("\n1.5", "\nm,2026-01-05T06:00:00Z,1.5")

    answer = await served.http.post(INFER, json=request)
    scoring = await served.http.post(SCORING, content=text, headers={"content-type": "text/csv"})

    first, second = logged(served)
    assert await same(served, answer)
    assert await same(served, scoring)
    assert first["context"] == {"gender": ["f"], "age": [41]}
    assert second["context"] == {"gender": ["m"], "booked_at": ["2026-01-05T06:00:00Z"]}
    assert not first["inputs"].keys() & {"gender", "age"}
    assert "context" not in logged(served)[2]


async def test_context_goes_with_a_matrix_too(alone: Lonely, numbers: Model) -> None:
    """One matrix of the features, and a tensor for each context column."""
    made: Alone = await alone(numbers)
    await made.serve("m", told(numbers, context=CONTEXT))
    gender = {"name": "gender", "shape": [2], "datatype": "BYTES", "data": ["f", None]}
    request = matrix(ROW, ROW)

    answer = await made.http.post("/v2/models/m/infer", json={"inputs": [*request["inputs"], gender]})

    assert answer.status_code == 200
    assert logged(made)[0]["context"] == {"gender": ["f", None]}


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        ({"name": "gender", "shape": [1], "datatype": "FP64", "data": [1.0]}, "takes BYTES"),
        ({"name": "gender", "shape": [2], "datatype": "BYTES", "data": ["f", "m"]}, "2 rows"),
        ({"name": "age", "shape": [1], "datatype": "FP64", "data": [1.5]}, "whole numbers"),
        ({"name": "sex", "shape": [1], "datatype": "BYTES", "data": ["f"]}, "'gender', 'age', 'booked_at' may be sent"),
    ],
)
async def test_context_that_is_wrong_is_refused(served: Alone, tensor: dict[str, Any], says: str) -> None:
    """Its types and rows are checked as those of inputs are."""
    answer = await served.http.post(INFER, json={"inputs": [*row()["inputs"], tensor]})

    assert answer.status_code == 400
    assert says in answer.json()["error"]


async def test_a_shadow_logs_the_context_as_well(alone: Lonely, numbers: Model, rival: Model) -> None:
    """What is watched of one version is watched of the other."""
    made: Alone = await alone(numbers, rival)
    shadow = told(rival, context=CONTEXT).model_copy(update={"version": 2, "role": "shadow"})
    await made.serve("m", told(numbers, context=CONTEXT), shadow)
    gender = {"name": "gender", "shape": [1], "datatype": "BYTES", "data": ["f"]}

    await made.http.post("/v2/models/m/infer", json={"inputs": [*matrix(ROW)["inputs"], gender]})

    assert [data["context"] for data in logged(made)] == [{"gender": ["f"]}] * 2


# the caller's own key


async def test_a_row_may_name_itself_by_a_key_of_the_callers(served: Alone) -> None:
    """As a parameter of one row, or as an input of any number; it is logged, and changes no answer."""
    many = {"name": KEY_COLUMN, "shape": [1], "datatype": "BYTES", "data": ["order-7"]}
    number = {"name": KEY_COLUMN, "shape": [1, 1], "datatype": "INT64", "data": [7]}

    answers = [
        await served.http.post(INFER, json={**row(), "parameters": {"key": "order-7"}}),
        await served.http.post(INFER, json={**row(), "parameters": {"key": 7}}),
        await served.http.post(INFER, json={"inputs": [*row()["inputs"], many]}),
        await served.http.post(INFER, json={"inputs": [*row()["inputs"], number]}),
        await served.http.post(INFER, json=row()),
    ]

    assert [await same(served, answer) for answer in answers] == [True] * 5
    assert [data.get("keys") for data in logged(served)[:5]] == [["order-7"], ["7"], ["order-7"], ["7"], None]
    assert all(KEY_COLUMN not in data["inputs"] for data in logged(served))


async def test_keys_go_with_a_matrix_and_some_may_be_missing(alone: Lonely, numbers: Model) -> None:
    """One value a row."""
    made: Alone = await alone(numbers)
    await made.serve("m", numbers.route())
    keys = {"name": KEY_COLUMN, "shape": [2], "datatype": "BYTES", "data": ["a", None]}

    answer = await made.http.post("/v2/models/m/infer", json={"inputs": [*matrix(ROW, ROW)["inputs"], keys]})

    assert answer.status_code == 200
    assert logged(made)[0]["keys"] == ["a", None]


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (f"{KEY_COLUMN},{CSV}".replace("\n1.5", "\n0007,1.5"), "text/csv"),
        (json.dumps({"dataframe_split": {
            "columns": [*CSV.splitlines()[0].split(","), KEY_COLUMN], "data": [[1.5, 0.5, 3, True, "UA", "0007"]]}}),
            "application/json"),
    ],
)  # fmt: skip
async def test_a_key_is_a_column_in_mlflows_shape(served: Alone, body: str, content: str) -> None:
    """Text stays text, with its zeros."""
    answer = await served.http.post(SCORING, content=body, headers={"content-type": content})

    assert await same(served, answer)
    assert logged(served)[0]["keys"] == ["0007"]


@pytest.mark.parametrize(
    ("more", "parameters", "says"),
    [
        ([{"shape": [2], "datatype": "BYTES", "data": ["a", "b"]}], {}, "but the inputs have 1 rows"),
        ([{"shape": [1], "datatype": "FP64", "data": [1.5]}], {}, "must be a string or a whole number, not a number"),
        ([{"shape": [1], "datatype": "BYTES", "data": [""]}], {}, "a key has 1 to 200 characters"),
        ([{"shape": [1], "datatype": "BYTES", "data": ["a"]}] * 2, {}, "is given twice"),
        ([{"shape": [1], "datatype": "BYTES", "data": ["a"]}], {"key": "a"}, "exclude each other"),
        ([], {"key": "x" * 201}, "parameters.key is"),
        ([], {"key": "a\u0000"}, "none of them a control character"),
        ([], {"key": [1]}, "parameters.key must be a string or a whole number, not an array"),
    ],
)
async def test_a_key_that_is_none_is_refused(
    served: Alone, more: list[dict[str, Any]], parameters: dict[str, Any], says: str
) -> None:
    """With the place and what would be one; nothing is logged."""
    inputs = [*row()["inputs"], *({"name": KEY_COLUMN, **tensor} for tensor in more)]

    answer = await served.http.post(INFER, json={"inputs": inputs, "parameters": parameters})

    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert logged(served) == []


async def test_one_key_for_many_rows_is_refused(alone: Lonely, numbers: Model) -> None:
    """Which of them it names nobody could tell."""
    made: Alone = await alone(numbers)
    await made.serve("m", numbers.route())

    answer = await made.http.post("/v2/models/m/infer", json={**matrix(ROW, ROW), "parameters": {"key": "a"}})

    assert answer.status_code == 400
    assert f"the key of one row, the inputs have 2; send '{KEY_COLUMN}'" in answer.json()["error"]


# labels


async def test_an_answer_says_of_which_label_its_probability_is(served: Alone, mixed: Model) -> None:
    """In V2 as JSON and raw, in MLflow's answer, and in the metadata with every label."""
    plain = (await served.http.post(INFER, json=row())).json()["outputs"]
    asked = {**row(), "parameters": {"binary_data_output": True}}
    raw = await served.http.post(INFER, json=asked)
    scoring = (await served.http.post(SCORING, content=CSV, headers={"content-type": "text/csv"})).json()
    about = {each["name"]: each["parameters"] for each in (await served.http.get("/v2/models/mixed")).json()["outputs"]}
    head = json.loads(raw.content[: int(raw.headers["inference-header-content-length"])])["outputs"]

    assert [each.get("parameters") for each in plain] == [None, {"label": 1}]
    assert [each["parameters"] for each in head] == [{"binary_data_size": 8}, {"label": 1, "binary_data_size": 8}]
    assert scoring["parameters"] == {"probability": {"label": 1}}
    assert about["label"]["labels"] == [0, 1]
    assert about["probability"]["label"] == 1


async def test_labels_keep_their_type(alone: Lonely, tmp_path: Path) -> None:
    """Text, booleans and numbers are answered as what they are."""
    named = {"text": ["fraud", "legit"], "logical": [False, True], "decimal": [1.5, 2.5], "whole": [1, 2]}
    made_of = {
        name: make_model(tmp_path / name, NUMBERS, labels=labels, positive=labels[0]) for name, labels in named.items()
    }
    made: Alone = await alone(*made_of.values())
    for name, model in made_of.items():
        await made.serve(name, model.route())

    answers = {name: await made.http.post(f"/v2/models/{name}/infer", json=matrix(ROW)) for name in named}

    said = {name: answer.json()["outputs"][1]["parameters"]["label"] for name, answer in answers.items()}
    assert said == {"text": "fraud", "logical": False, "decimal": 1.5, "whole": 1}
    assert [type(label) for label in said.values()] == [str, bool, float, int]


# wrong types and times


@pytest.mark.parametrize(
    "wrong",
    [
        {"outputs": [{"name": "label", "parameters": 1}]},
        {"outputs": [{"name": "label", "parameters": [1]}]},
        {"outputs": [{"name": "label", "parameters": "x"}]},
        {"outputs": [{"name": "label", "parameters": {"binary_data": "true"}}]},
        {"outputs": [{"name": ["label"]}]},
        {"outputs": "label"},
        {"parameters": {"binary_data_output": "false"}},
        {"parameters": {"binary_data_output": 0}},
        {"parameters": {"routing_key": ["a"]}},
        {"parameters": [1]},
        {"id": 7},
    ],
)
async def test_what_is_of_the_wrong_type_is_refused(served: Alone, wrong: dict[str, Any]) -> None:
    """400 with its place, never 500, and never taken for something else."""
    answer = await served.http.post(INFER, json={**row(), **wrong})

    assert answer.status_code == 400


async def test_no_outputs_named_are_all_outputs(served: Alone) -> None:
    """An empty list asks for nothing in particular."""
    assert await same(served, await served.http.post(INFER, json={**row(), "outputs": []}))


@pytest.mark.parametrize("version", ["%C2%B2", "9" * 5000, "-1", "1.0", "%D9%A3", "0x1", "champion", "+1", "1_0"])
async def test_a_version_that_is_no_number_is_unknown(served: Alone, version: str) -> None:
    """404 for everything that no version can be called."""
    for path in ("infer", "ready", ""):
        ask = served.http.post if path == "infer" else served.http.get
        answer = await ask(f"/v2/models/mixed/versions/{version}/{path}".rstrip("/"))
        assert answer.status_code == 404, path


@pytest.mark.parametrize("length", ["\u00b2".encode("latin-1"), b"9" * 5000, b"-1", b"+3", b"1_0"])
async def test_a_header_length_that_is_no_number_is_refused(served: Alone, length: bytes) -> None:
    """400."""
    answer = await served.http.post(
        INFER, content=json.dumps(row()), headers=[(b"inference-header-content-length", length)]
    )

    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


TIMES = ["2026-11-30T17:00:00Z", "2026-11-30t17:00:00z", "2013-03-01T06:00:00.123456789-05:00", "1900-01-01T00:00:00Z"]
NO_TIMES = [
    "20261130T170000Z", "2026-W49-1T17:00:00Z", "2026-11-30T17Z", "2026-11-30T17:00:00+00:00:30", "2026-11-30",
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z",
    "2026-11-30T24:00:01Z",
    "2026-11-30T17:00:00", "yesterday", "", 1764522000, None, True, ["2026-11-30T17:00:00Z"],
]  # fmt: skip


@pytest.mark.parametrize("time", TIMES)
async def test_a_time_of_rfc3339_is_taken(served: Alone, time: str) -> None:
    """With `T` and `Z` of either case, and any offset; it is logged as the moment that it is."""
    answer = await served.http.post(INFER, json={**row(), "parameters": {"time": time}})

    assert answer.status_code == 200
    kept = datetime.fromisoformat(logged(served)[0]["time"])
    assert kept == datetime.fromisoformat(time.upper().replace("123456789", "123456"))


@pytest.mark.parametrize("time", NO_TIMES)
async def test_another_time_is_refused_at_the_door(served: Alone, time: Any) -> None:
    """What a later reader would set aside is never answered."""
    answer = await served.http.post(INFER, json={**row(), "parameters": {"time": time}})

    assert answer.status_code == 400
    assert "parameters.time" in answer.json()["error"]
    assert logged(served) == []


async def test_an_event_time_does_not_run_ahead(alone: Lonely, numbers: Model) -> None:
    """A moment from the future would keep a model unwatched until then."""
    made: Alone = await alone(numbers, time_ahead_s=60)
    await made.serve("m", numbers.route())
    now = datetime.now(UTC)

    statuses = {}
    for ahead in (-3600, 50, 70, 10**8, 2 * 10**9):
        request = {**matrix(ROW), "parameters": {"time": (now + timedelta(seconds=ahead)).isoformat()}}
        statuses[ahead] = (await made.http.post("/v2/models/m/infer", json=request)).status_code

    assert statuses == {-3600: 200, 50: 200, 70: 400, 10**8: 400, 2 * 10**9: 400}


@pytest.mark.parametrize(
    "trace", ["00-" + "z" * 32 + "-" + "b" * 16 + "-01", "x", "00-" + "A" * 32 + "-b-\xff", "-" * 9]
)
async def test_a_trace_that_is_none_is_not_handed_on(served: Alone, trace: str) -> None:
    """The answer and the record carry a trace of our own instead."""
    answer = await served.http.post(INFER, json=row(), headers=[(b"traceparent", trace.encode("latin-1"))])

    assert answer.status_code == 200
    assert set(answer.headers["traceparent"]) <= set("0123456789abcdef-")
    assert "z" not in answer.headers["traceparent"]
