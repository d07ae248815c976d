"""The Open Inference Protocol V2, as its clients use it, and what they hear when they use it wrongly."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from headrace.runtimes import load

from .conftest import Alone, Lonely, Model, matrix, open_port, row


@pytest.fixture
async def served(alone: Lonely, mixed: Model, numbers: Model) -> Alone:
    """A replica with the mixed model, and the model of numbers in version 2."""
    made: Alone = await alone(mixed, numbers)
    await made.serve("mixed", mixed.route())
    await made.serve("numbers", numbers.route(version=2))
    return made


async def test_a_server_tells_its_name_version_and_extensions(served: Alone) -> None:
    """GET /v2 is the server's metadata."""
    answer = (await served.http.get("/v2")).json()

    assert answer["name"] == "headrace"
    assert "binary_tensor_data" in answer["extensions"]


async def test_a_model_tells_what_it_takes_and_gives(served: Alone) -> None:
    """Metadata name every input with datatype and shape; -1 rows means any number."""
    answer = (await served.http.get("/v2/models/mixed")).json()

    assert answer["versions"] == ["1"]
    assert {"name": "month", "datatype": "INT64", "shape": [-1], "parameters": {"nullable": False}} in answer["inputs"]
    assert [output["name"] for output in answer["outputs"]] == ["label", "probability"]


@pytest.mark.parametrize(
    "path",
    ["/v2/health/live", "/v2/health/ready", "/v2/models/mixed/ready", "/v2/models/mixed/versions/1/ready", "/ping"],
)
async def test_health_is_200_when_all_is_well(served: Alone, path: str) -> None:
    """Live, ready, and ready of each model and version."""
    assert (await served.http.get(path)).status_code == 200


async def test_an_answer_has_what_the_protocol_asks_for(served: Alone) -> None:
    """Name, version, echoed id, typed outputs, and our parameters for the record."""
    answer = (await served.http.post("/v2/models/mixed/infer", json={"id": "my-7", **row()})).json()

    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("mixed", "1", "my-7")
    assert answer["parameters"].keys() == {"prediction_id", "model_digest", "route"}
    label, probability = answer["outputs"]
    assert (label["name"], label["datatype"], label["shape"]) == ("label", "INT64", [1])
    assert (probability["datatype"], len(probability["data"])) == ("FP64", 1)


async def test_the_answer_is_what_the_model_says(served: Alone, mixed: Model) -> None:
    """The server adds nothing to the model and takes nothing away."""
    values: dict[str, Any] = {"distance": [0.3, -2.0], "wind": [None, 1.0], "month": [2, 12], "late": [True, False]}
    values["carrier"] = ["AA", None]
    expected = load(mixed.folder).answer(values)
    request = row()
    for tensor in request["inputs"]:
        tensor |= {"shape": [2], "data": values[tensor["name"]]}

    answer = (await served.http.post("/v2/models/mixed/infer", json=request)).json()

    assert answer["outputs"][1]["data"] == expected["probability"].tolist()


@pytest.mark.parametrize("data", [[1, 2.5, 3, 4, 5, 6, 7, 8], [[1, 2.5, 3, 4], [5, 6, 7, 8]]], ids=["flat", "nested"])
async def test_rows_come_as_one_matrix_flat_or_nested(served: Alone, numbers: Model, data: list[Any]) -> None:
    """One tensor [rows, columns] in the order of the signature stands for all columns."""
    request = {"inputs": [{"name": "any", "shape": [2, 4], "datatype": "FP32", "data": data}]}
    columns = {f"x{at}": [[1, 2.5, 3, 4][at], [5, 6, 7, 8][at]] for at in range(4)}
    expected = load(numbers.folder).answer(columns)

    answer = (await served.http.post("/v2/models/numbers/infer", json=request)).json()

    assert answer["outputs"][1]["data"] == expected["probability"].tolist()


async def test_one_row_takes_the_short_way_to_the_same_answer(served: Alone, numbers: Model) -> None:
    """The fast path for one row of numbers says what the general path says."""
    short = await served.http.post("/v2/models/numbers/infer", json=matrix([1.0, 2.0, 3.0, 4.0]))
    general = await served.http.post("/v2/models/numbers/infer", json={"id": "x", **matrix([1.0, 2.0, 3.0, 4.0])})

    assert short.json()["outputs"] == general.json()["outputs"]


async def test_only_the_outputs_asked_for_are_given(served: Alone) -> None:
    """`outputs` chooses and orders."""
    request = {**row(), "outputs": [{"name": "probability"}]}

    answer = (await served.http.post("/v2/models/mixed/infer", json=request)).json()

    assert [output["name"] for output in answer["outputs"]] == ["probability"]


async def test_a_version_can_be_named(served: Alone) -> None:
    """The path may say which version answers."""
    answer = await served.http.post("/v2/models/numbers/versions/2/infer", json=matrix([1.0, 2.0, 3.0, 4.0]))

    assert answer.json()["model_version"] == "2"


async def test_tensors_travel_as_raw_bytes_both_ways(served: Alone, numbers: Model) -> None:
    """The binary extension, as Triton's and KServe's clients send it."""
    rows = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], "<f8")
    head = json.dumps(
        {
            "inputs": [
                {"name": "m", "shape": [2, 4], "datatype": "FP64", "parameters": {"binary_data_size": rows.nbytes}}
            ],
            "outputs": [{"name": "probability", "parameters": {"binary_data": True}}, {"name": "label"}],
        }
    ).encode()

    answer = await served.http.post(
        "/v2/models/numbers/infer",
        content=head + rows.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )

    length = int(answer.headers["inference-header-content-length"])
    document = json.loads(answer.content[:length])
    raw, listed = document["outputs"]
    expected = load(numbers.folder).answer({f"x{at}": rows[:, at] for at in range(4)})
    assert raw["parameters"]["binary_data_size"] == 16
    assert np.frombuffer(answer.content[length:], "<f8").tolist() == expected["probability"].tolist()
    assert listed["data"] == expected["label"].tolist()


async def test_strings_travel_as_raw_bytes_too(served: Alone) -> None:
    """BYTES elements are length-prefixed."""
    request = row()
    text = struct.pack("<I", 2) + b"UA"
    request["inputs"][4] = {"name": "carrier", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}}
    head = json.dumps(request).encode()

    answer = await served.http.post(
        "/v2/models/mixed/infer", content=head + text, headers={"Inference-Header-Content-Length": str(len(head))}
    )

    plain = await served.http.post("/v2/models/mixed/infer", json=row())
    assert answer.json()["outputs"] == plain.json()["outputs"]


async def test_a_column_of_gaps_may_have_any_datatype(served: Alone) -> None:
    """A client that derives the datatype from the values cannot know it of nulls alone."""
    request = row(carrier=None)
    request["inputs"][4]["datatype"] = "FP64"

    assert (await served.http.post("/v2/models/mixed/infer", json=request)).status_code == 200


def _tensor(**changes: Any) -> dict[str, Any]:
    request = row()
    request["inputs"][0] |= changes
    return request


BAD = {
    "missing column": ({"inputs": row()["inputs"][1:]}, "missing input 'distance'"),
    "extra column": (row(altitude=1.0), "unknown input 'altitude'"),
    "column twice": ({"inputs": [*row()["inputs"], row()["inputs"][0]]}, "'distance' is given twice"),
    "string for a number": (row(distance="far"), "'distance': element 0 is a string ('far'); FP64 takes numbers"),
    "boolean for a number": (row(distance=True), "element 0 is a boolean"),
    "number for a string": (row(carrier=7), "'carrier': element 0 is an integer (7); BYTES takes strings"),
    "null where never null": (row(distance=None), "'distance': element 0 is missing (null or NaN)"),
    "fraction for an integer": (row(month=2.5), "'month': element 0 is a number (2.5); INT64 takes whole numbers"),
    "beyond 64 bits": (row(month=2**65), f"'month': element 0 ({2**65}) is outside INT64, {-(2**63)} to {2**63 - 1}"),
    "wrong datatype": (_tensor(datatype="BYTES", data=["1"]), "'distance': datatype is BYTES; the column takes FP64"),
    "unknown datatype": (_tensor(datatype="FLOAT"), "datatype 'FLOAT' is unknown; it is one of BOOL"),
    "too few values": (_tensor(shape=[2]), "shape [2] takes 2 values, data has 1"),
    "wrong shape": (_tensor(shape=[1, 1, 1], data=[[[1.0]]]), "a column has shape [rows] or [rows, 1]"),
    "uneven rows": (_tensor(shape=[2], data=[1.0, 2.0]), "1 rows, but the inputs before it have 2"),
    "no rows": (_tensor(shape=[0], data=[]), "no rows; send at least one"),
    "shape of words": (_tensor(shape=["one"]), "shape must be an array of sizes"),
    "data of words": (_tensor(data="1.0"), "data must be an array, not a string"),
    "too large": (row(distance=1e300), "'distance': element 0 (1e+300) is too large"),
    "no inputs": ({}, "'inputs' must be an array"),
    "an unknown output": ({**row(), "outputs": [{"name": "odds"}]}, "output 'odds' is unknown; the model gives label"),
    "a time without offset": (
        {**row(), "parameters": {"time": "2013-01-01T05:00:00"}},
        "no time of RFC 3339",
    ),
    "an id that is no string": ({**row(), "id": 7}, "id must be a string"),
}


@pytest.mark.parametrize(("request_", "says"), BAD.values(), ids=BAD.keys())
async def test_bad_input_is_refused_with_its_place_and_what_would_be_right(
    served: Alone, request_: dict[str, Any], says: str
) -> None:
    """400, the input's name, and nothing logged as a prediction."""
    answer = await served.http.post("/v2/models/mixed/infer", json=request_)

    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert served.replica.wal.read()[0] == [] or "prediction" not in served.replica.wal.read()[0][-1].subject


async def test_nan_in_raw_bytes_is_a_missing_value(served: Alone) -> None:
    """Where the contract says never missing, NaN is refused like null, also inside a matrix."""
    rows = np.array([[1, 2, float("nan"), 4]], "<f8")
    head = json.dumps(
        {"inputs": [{"name": "m", "shape": [1, 4], "datatype": "FP64", "parameters": {"binary_data_size": 32}}]}
    ).encode()

    answer = await served.http.post(
        "/v2/models/numbers/infer",
        content=head + rows.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )

    assert answer.status_code == 400
    assert "column 'x2': element 0 is missing" in answer.json()["error"]


async def test_infinity_in_json_is_refused_with_advice(served: Alone) -> None:
    """No model can use it; the answer says what to send instead."""
    body = json.dumps(matrix([1.0, 2.0, float("inf"), 4.0]))

    answer = await served.http.post("/v2/models/numbers/infer", content=body)

    assert answer.status_code == 400
    assert "numbers are finite, a missing one is null" in answer.json()["error"]


@pytest.mark.parametrize("cut", [1, 20, 60])
async def test_a_body_that_is_cut_off_is_refused(served: Alone, cut: int) -> None:
    """Half a JSON document is no request."""
    answer = await served.http.post("/v2/models/mixed/infer", content=json.dumps(row())[:cut])

    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]


async def test_a_matrix_of_the_wrong_width_is_told_its_columns(served: Alone) -> None:
    """The error lists the features in their order."""
    request = {"inputs": [{"name": "m", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}

    answer = await served.http.post("/v2/models/numbers/infer", json=request)

    assert answer.status_code == 400
    assert "4 features ('x0', 'x1', 'x2', 'x3'), not 3" in answer.json()["error"]


async def test_an_unknown_model_is_answered_with_the_known_ones(served: Alone) -> None:
    """404 that helps."""
    answer = await served.http.post("/v2/models/flights/infer", json=row())

    assert answer.status_code == 404
    assert "served: mixed, numbers" in answer.json()["error"]


async def test_an_unknown_version_is_answered_with_the_loaded_ones(served: Alone) -> None:
    """404 that helps."""
    answer = await served.http.post("/v2/models/mixed/versions/9/infer", json=row())

    assert answer.status_code == 404
    assert "loaded: 1" in answer.json()["error"]


async def test_a_body_that_is_too_large_is_refused(alone: Lonely, numbers: Model) -> None:
    """413 says the limit."""
    made: Alone = await alone(numbers, max_request_mb=1)
    await made.serve("numbers", numbers.route())

    answer = await made.http.post("/v2/models/numbers/infer", content=b" " * (1 << 21))

    assert answer.status_code == 413


async def test_large_requests_are_answered_in_a_thread_with_the_same_answers(served: Alone, numbers: Model) -> None:
    """Above 32 KiB the way is another, the answer is not."""
    rows = [[float(at), 2.0, 3.0, 4.0] for at in range(5000)]
    expected = load(numbers.folder).answer({f"x{at}": [r[at] for r in rows] for at in range(4)})

    answer = (await served.http.post("/v2/models/numbers/infer", json=matrix(*rows))).json()

    assert answer["outputs"][1]["data"] == expected["probability"].tolist()


async def test_the_open_port_answers_as_the_application_does(served: Alone) -> None:
    """The short cut in the HTTP protocol gives the same answers and the same errors as the long way."""
    import httpx

    good, bad = {"id": "1", **row()}, row(distance="far")
    async with open_port(served.replica) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for request in (good, bad):
            short = await client.post("/v2/models/mixed/infer", json=request)
            long = await served.http.post("/v2/models/mixed/infer", json=request)

            assert short.status_code == long.status_code
            assert short.json().get("outputs") == long.json().get("outputs")
            assert short.json().get("error") == long.json().get("error")
        assert (await client.get("/v2/health/ready")).status_code == 200
        assert (await client.post("/v2/models/none/infer", json=good)).status_code == 404


async def test_requests_in_a_row_on_one_connection_are_answered_in_order(served: Alone) -> None:
    """Pipelining, and short and long requests mixed on one connection."""
    import asyncio

    def raw(path: str, body: bytes) -> bytes:
        return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (path.encode(), len(body), body)

    async with open_port(served.replica) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(4):
            path = "/v2/models/mixed/infer" if number % 2 else "/v2/models/mixed/versions/1/infer"
            writer.write(raw(path, json.dumps({"id": str(number), **row()}).encode()))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            assert json.loads(await reader.readexactly(length))["id"] == str(number)
        writer.close()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"dataframe_split": {"columns": ["x3", "x0", "x1", "x2"], "data": [[4, 1, 2, 3]]}}, "application/json"),
        ({"dataframe_records": [{"x0": 1, "x1": 2, "x2": 3, "x3": 4}]}, "application/json"),
        ({"instances": [[1, 2, 3, 4]]}, "application/json"),
        ({"inputs": {"x0": [1], "x1": [2], "x2": [3], "x3": [4]}}, "application/json"),
        ({"inputs": [[1, 2, 3, 4]]}, "application/json"),
        ("x3,x0,x1,x2\n4,1,2,3\n", "text/csv"),
    ],
    ids=["split", "records", "instances", "columns", "rows", "csv"],
)
async def test_mlflow_scoring_is_understood(served: Alone, numbers: Model, body: Any, kind: str) -> None:
    """Every form of MLflow's scoring protocol gives the model's answer."""
    content = body if isinstance(body, str) else json.dumps(body)
    expected = load(numbers.folder).answer({"x0": [1], "x1": [2], "x2": [3], "x3": [4]})

    answer = await served.http.post("/invocations?model=numbers", content=content, headers={"content-type": kind})

    assert answer.json() == {
        "predictions": [{"label": int(expected["label"][0]), "probability": float(expected["probability"][0])}],
        "parameters": {"probability": {"label": 1}},
    }


async def test_mlflow_scoring_asks_for_the_model_where_there_are_several(served: Alone) -> None:
    """400 that lists them."""
    answer = await served.http.post("/invocations", json={"instances": [[1, 2, 3, 4]]})

    assert answer.status_code == 400
    assert "?model=NAME; served here: mixed, numbers" in answer.json()["error"]


async def test_every_path_of_the_documentation_is_there(served: Alone) -> None:
    """What /openapi.json lists is answered; nothing is made up."""
    document = (await served.http.get("/openapi.json")).json()

    for path, methods in document["paths"].items():
        concrete = path.replace("{model}", "mixed").replace("{version}", "1")
        for method in methods:
            answer = await served.http.request(method, concrete, json=row() if method == "post" else None)
            assert answer.status_code != 404, f"{method} {path}"


async def test_figures_are_shown_to_prometheus(served: Alone) -> None:
    """Requests, rows, durations and refusals, by model, version and route."""
    await served.http.post("/v2/models/mixed/infer", json=row())
    await served.http.post("/v2/models/mixed/infer", json={})

    page = (await served.http.get("/metrics")).text

    labels = '{model_name="mixed",model_version="1",route="champion"}'
    assert f"headrace_inference_requests_total{labels} 1.0" in page
    assert f"headrace_inference_duration_seconds_count{labels} 1.0" in page
    assert 'headrace_inference_refused_total{status="400"} 1.0' in page
