"""Values that somebody sends who means harm."""

import json
from typing import Any

HUGE = 10**400
TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "\u202e",
    "é" * 300,
    "x" * 5000,
    "../../etc/passwd",
    "..%2f..%2f",
    "'; DROP TABLE models; --",
    "{{7*7}}",
    "%s%n",
    "nan",
    "-1",
    "9" * 40,
    "1e999",
    "0x10",
    "null",
    "\r\nx-injected: 1",
    "models:/flights/1",
    "a/b",
    "\\",
    "%",
    "%zz",
    "\u00b2",
    "\u0663",
    "9" * 5000,
]
NUMBERS = [0, -1, 2**31, 2**63, -(2**63) - 1, HUGE]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"0",
    b'"x"',
    b"{",
    b"{}",
    b"\xff\xfe",
    b"NaN",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b"\x00",
    b'{"name": "\\u0000"}',
    b'{"name": "\\ud800"}',
    b'{"reason": "\\ud800", "comment": "\\ud800"}',
    b'{"a":1,"a":2}',
    b'{"version": %d, "limit": %d}' % (HUGE, HUGE),
    b'{"version": 1e308, "reason": {"a": []}}',
    b"[" * 63 + b"]" * 63,
    b'{"data": {"dataset": "d\\u0000", "target": "t"}}',
    b'{"columns": [{"name": "\\u0000", "type": "number"}]}',
    b'{"labels": [{"prediction_id": "x:99999999999999999999", "value": 1e308}]}',
    b'{"labels": [{"prediction_id": "x:\\u00b2", "value": 1}]}',
    b'{"labels": [{"prediction_id": "x:0", "value": 1, "at": "2026-11-30"}]}',
    b'{"labels": [{"prediction_id": "x:0", "value": 1, "at": "9999-12-31T23:59:59-14:00"}]}',
    b'{"version": %b, "limit": %b}' % (b"9" * 5000, b"9" * 5000),
    b'{"x":"' + b"y" * 2_000_000 + b'"}',
]
INPUT = {"name": "distance", "shape": [1], "datatype": "FP64", "data": [1.0]}


def tensors(**changes: Any) -> bytes:
    """A request for a prediction with one thing changed."""
    return json.dumps({"inputs": [{**INPUT, **changes}]}).encode()


DEEP = [
    b'{"inputs": [{"name": "distance", "datatype": "FP64", "shape": [%s], "data": %s}]}'
    % (b",".join([b"1"] * depth), b"[" * depth + b"1" + b"]" * depth)
    for depth in (9, 500, 980, 1010, 5_000, 200_000)
]
DEEP += [
    head + b'{"a":' * depth + b"1" + b"}" * depth + tail
    for depth in (100, 980, 1010, 100_000)
    for head, tail in (
        (b'{"inputs": [{"name": "distance", "datatype": "FP64", "shape": [1], "data": [', b"]}]}"),
        (b'{"inputs": [{"name": "distance", "datatype": "FP64", "shape": [', b'], "data": [1.0]}]}'),
        (b'{"inputs": [{"name": ', b', "datatype": "FP64", "shape": [1], "data": [1.0]}]}'),
        (b'{"inputs": [], "parameters": {"time": ', b"}}"),
        (b'{"instances": [', b"]}"),
        (b'{"dataframe_records": [{"distance": ', b"}]}"),
    )
]
INFER = [
    *(
        tensors(shape=shape)
        for shape in (
            [],
            [0],
            [-1],
            [1, -1],
            [2**63],
            [HUGE],
            [10**9, 10**9],
            [1] * 64,
            [1.5],
            [True],
            ["1"],
            [None],
            None,
            "1",
            {},
            [[1]],
        )
    ),
    *(
        tensors(datatype=kind)
        for kind in ("", "FP128", "fp64", "BYTES", "BOOL", "UINT8", None, 1, [], {}, "object", "FP64\x00")
    ),
    *(
        tensors(data=data)
        for data in (
            None,
            [],
            [None],
            ["x"],
            [HUGE],
            [1e308 * 10],
            [[1.0]],
            [[[[1.0]]]],
            [1, [2]],
            {},
            "1",
            [True],
            [{}],
            [[]],
        )
    ),
    *(tensors(name=name) for name in (None, "", 1, [], "other", "\x00", "x" * 100_000)),
    *(
        tensors(parameters=told)
        for told in (
            [],
            1,
            {"binary_data_size": -1},
            {"binary_data_size": HUGE},
            {"binary_data_size": "8"},
            {"content_type": []},
        )
    ),
    tensors(datatype="INT64", data=[2**64]),
    tensors(datatype="UINT8", data=[-1]),
    tensors(datatype="INT32", data=[1e308]),
    tensors(shape=[0], data=[]),
    tensors(shape=[10**9, 10**9], data=[]),
    tensors(shape=[3, 0, 2], data=[]),
    *(
        json.dumps(body).encode()
        for body in (
            {},
            {"inputs": None},
            {"inputs": {}},
            {"inputs": []},
            {"inputs": [None]},
            {"inputs": [INPUT, INPUT]},
            {"inputs": [INPUT] * 5000},
            {"inputs": [INPUT], "outputs": [{"name": "nothing"}]},
            {"inputs": [INPUT], "outputs": 1},
            {"inputs": [INPUT], "id": 1},
            {"inputs": [INPUT], "outputs": [{}]},
            {"inputs": [INPUT], "outputs": [{"name": []}]},
            *({"inputs": [INPUT], "outputs": [{"name": "label", "parameters": told}]} for told in (1, [1], "x", [])),
            *(
                {"inputs": [INPUT], "outputs": [{"name": "label", "parameters": {"binary_data": told}}]}
                for told in (1, "")
            ),
            *({"inputs": [INPUT], "parameters": told} for told in (1, [1], "x", {"binary_data_output": "false"})),
            {"inputs": [INPUT], "id": "x" * 10_000},
            {"inputs": [INPUT], "parameters": {"time": "yesterday"}},
            {"inputs": [INPUT], "parameters": {"time": "9999-12-31T23:59:59-23:59"}},
            {"inputs": [INPUT], "parameters": {"time": "0001-01-01T00:00:00+23:59"}},
            {"inputs": [INPUT], "parameters": {"routing_key": {}}},
            {"inputs": [INPUT], "parameters": {"routing_key": "\ud800"}},
            {"inputs": [INPUT], "parameters": {"binary_data_output": "x"}},
        )
    ),
]
SCORING = [
    {"instances": None},
    {"instances": []},
    {"instances": [1]},
    {"instances": [{}]},
    {"inputs": {}},
    {"inputs": {"distance": []}},
    {"inputs": [[[]]]},
    {"dataframe_split": {}},
    {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
    {"dataframe_split": {"columns": None, "data": None}},
    *({"dataframe_split": {"columns": told, "data": [[1, 2, 3]]}} for told in (5, True, "abc", {}, [1, [], None])),
    {"dataframe_split": {"columns": ["distance"], "data": [[1, 2, 3]]}},
    {"dataframe_split": {"columns": [[]], "data": [[]]}},
    {"dataframe_records": {}},
    {"dataframe_records": [{"distance": HUGE}]},
    {"dataframe_records": [{"distance": {}}, 1]},
    {"params": []},
    [],
    1,
]
