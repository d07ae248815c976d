"""Rows to requests and answers to rows, with a replica that is a function."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.client import HeadraceError, Rejected
from headrace.client.predicting import FIRST_PAUSE_S, IN_FLIGHT, LONGEST_PAUSE_S, ROWS, patient, predictions, rows_of
from headrace.client.rows import Row
from headrace.client.served import Served
from headrace.contracts import KEY_COLUMN
from headrace.testkit.examples import examples

Document = dict[str, Any]
SERVED = Served(
    model="m",
    inputs={"x": "INT64", "y": "FP64"},
    context={"group": "BYTES"},
    required=frozenset({"x"}),
)


def table(count: int, **more: Any) -> Iterator[Row]:
    """Rows 0, 1, 2, ... whose `x` is their number."""
    return (Row(f"row {at}", {"x": at, "y": None, **more}) for at in range(count))


def doubled(body: Mapping[str, Any]) -> Document:
    """A replica that answers twice the `x` of each row, under an id that names the first."""
    (x,) = (each["data"] for each in body["inputs"] if each["name"] == "x")
    output = {"name": "twice", "datatype": "INT64", "shape": [len(x)], "data": [2 * each for each in x]}
    return {"model_version": "1", "parameters": {"prediction_id": f"from {x[0]}"}, "outputs": [output]}


@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS, ROWS + 1, (IN_FLIGHT + 2) * ROWS + 1])
def test_answers_come_in_the_order_of_the_rows(count: int) -> None:
    """Each row once, however many requests they make; each request holds so many rows and no more."""
    found = list(predictions(table(count), SERVED, doubled))

    assert [row["outputs"]["twice"] for chunk in found for row in chunk] == [2 * at for at in range(count)]
    assert [len(chunk) for chunk in found] == [ROWS] * (count // ROWS) + ([count % ROWS] if count % ROWS else [])
    assert [chunk[0]["prediction_id"] for chunk in found] == [f"from {at}:0" for at in range(0, count, ROWS)]


def test_requests_that_answer_late_do_not_change_the_order() -> None:
    """The first answers last, and still comes first."""
    second_is_done = threading.Event()

    def ask(body: Mapping[str, Any]) -> Document:
        answer = doubled(body)
        if body["inputs"][0]["data"][0] == 0:
            assert second_is_done.wait(10)
        else:
            second_is_done.set()
        return answer

    found = list(predictions(table(2 * ROWS), SERVED, ask))

    assert [chunk[0]["outputs"]["twice"] for chunk in found] == [0, 2 * ROWS]


def test_only_a_few_requests_are_ahead_of_the_reader() -> None:
    """A file that never ends is not read into memory while the first answers are looked at."""
    read: list[int] = []

    def endless() -> Iterator[Row]:
        at = 0
        while True:
            read.append(at)
            yield Row(f"row {at}", {"x": at, "y": 0.0})
            at += 1

    answers = predictions(endless(), SERVED, doubled)
    next(answers)

    assert len(read) == (IN_FLIGHT + 1) * ROWS
    answers.close()  # type: ignore[attr-defined]


def test_what_was_asked_before_a_wrong_row_is_answered() -> None:
    """Then the error says where the wrong row stands."""
    rows = [*table(ROWS), Row("row 2000", {"x": None, "y": 1.0})]
    answers = predictions(rows, SERVED, doubled)

    assert len(next(answers)) == ROWS
    with pytest.raises(HeadraceError, match="row 2000, column 'x' is empty; the contract says it is never missing"):
        next(answers)


@pytest.mark.parametrize("values", [{"y": 1.0}, {"x": None, "y": 1.0}])
def test_a_column_that_is_never_missing_is_there_in_each_row(values: Document) -> None:
    """Left out or null, a row without it is not sent."""
    asked: list[Any] = []

    with pytest.raises(HeadraceError, match="row 7, column 'x' is empty"):
        list(predictions([Row("row 7", values)], SERVED, lambda body: asked.append(body) or {}))
    assert asked == []


def test_an_optional_column_may_be_missing_in_some_rows() -> None:
    """What one row lacks is a gap there, when another row has it."""
    bodies: list[Any] = []

    def ask(body: Mapping[str, Any]) -> Document:
        bodies.append(body)
        return doubled(body)

    list(predictions([Row("row 1", {"x": 1}), Row("row 2", {"x": 2, "y": 0.5, "group": "a"})], SERVED, ask))

    assert bodies == [
        {
            "inputs": [
                {"name": "group", "datatype": "BYTES", "shape": [2], "data": [None, "a"]},
                {"name": "x", "datatype": "INT64", "shape": [2], "data": [1, 2]},
                {"name": "y", "datatype": "FP64", "shape": [2], "data": [None, 0.5]},
            ]
        }
    ]


def test_parameters_go_with_every_request() -> None:
    """As they were given."""
    bodies: list[Any] = []

    def ask(body: Mapping[str, Any]) -> Document:
        bodies.append(body)
        return doubled(body)

    list(predictions(table(ROWS + 1), SERVED, ask, parameters={"explain": True}))

    assert [body["parameters"] for body in bodies] == [{"explain": True}] * 2


def test_what_is_kept_stands_beside_its_own_row() -> None:
    """A column that only one row has is None in the others; without a wish nothing is kept."""
    rows = [Row("row 1", {"x": 1, "y": 1.0, "name": "a"}), Row("row 2", {"x": 2, "y": 2.0})]

    (kept,) = predictions(rows, SERVED, doubled, keep=["name", "x"])
    (plain,) = predictions(rows, SERVED, doubled, ignore_unknown=True)

    assert [each["kept"] for each in kept] == [{"name": "a", "x": 1}, {"name": None, "x": 2}]
    assert all("kept" not in each for each in plain)


@pytest.mark.parametrize(("count", "places"), [(1, "row 0"), (3, "row 0 to row 2")])
def test_a_refusal_names_the_rows_that_it_is_about(count: int, places: str) -> None:
    """With the replica's status and violations."""

    def ask(_body: Mapping[str, Any]) -> Document:
        raise Rejected(422, "hour is no integer", [{"column": "hour"}])

    with pytest.raises(Rejected) as refused:
        list(predictions(table(count), SERVED, ask))

    assert (refused.value.status, refused.value.detail) == (422, f"{places}: hour is no integer")
    assert refused.value.violations == [{"column": "hour"}]


def test_columns_are_checked_before_anything_is_sent() -> None:
    """The error names the rows that have the wrong column."""
    with pytest.raises(HeadraceError, match=r"^row 0 to row 1: m knows no column 'other'"):
        list(predictions(table(2, other=1), SERVED, doubled))


@pytest.mark.parametrize(
    ("output", "values"),
    [
        ({"shape": [2], "data": [1, 2]}, [1, 2]),
        ({"data": ["a", "b"]}, ["a", "b"]),
        ({"shape": [2, 1], "data": [1, 2]}, [[1], [2]]),
        ({"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}, [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_a_matrix_is_one_list_a_row(output: Document, values: list[Any]) -> None:
    """Data is flat in the protocol, row by row."""
    document = {"model_version": "7", "parameters": {"prediction_id": "p"}, "outputs": [{"name": "o", **output}]}

    assert rows_of(document) == [
        {"prediction_id": f"p:{at}", "model_version": "7", "outputs": {"o": value}} for at, value in enumerate(values)
    ]


def test_it_is_said_which_label_a_probability_is_about() -> None:
    """Of the outputs that say it; several outputs stand side by side."""
    outputs = [
        {"name": "label", "shape": [1], "data": [True], "parameters": {}},
        {"name": "probability", "shape": [1], "data": [0.75], "parameters": {"label": True}},
    ]

    (row,) = rows_of({"model_version": "1", "parameters": {"prediction_id": "p"}, "outputs": outputs})

    assert row["outputs"] == {"label": True, "probability": 0.75}
    assert row["about"] == {"probability": {"label": True}}


def test_outputs_of_different_lengths_are_no_answer() -> None:
    """No row is paired with another row's value."""
    outputs = [{"name": "a", "data": [1, 2]}, {"name": "b", "data": [1]}]

    with pytest.raises(ValueError):
        rows_of({"model_version": "1", "parameters": {"prediction_id": "p"}, "outputs": outputs})


@settings(max_examples=examples(25))
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_matrix_is_cut_into_its_rows(height: int, width: int, data: st.DataObject) -> None:
    """As numpy would reshape it."""
    flat = data.draw(st.lists(st.integers(), min_size=height * width, max_size=height * width))
    output = {"name": "o", "shape": [height, width], "data": flat}

    found = rows_of({"model_version": "1", "parameters": {"prediction_id": "p"}, "outputs": [output]})

    assert [value for row in found for value in row["outputs"]["o"]] == flat
    assert [len(row["outputs"]["o"]) for row in found] == [width] * height


def test_pauses_double_up_to_the_longest() -> None:
    """Where the replica does not say when, it is left alone a little longer each time, a minute in all."""
    slept: list[float] = []

    def ask(_body: Mapping[str, Any]) -> Document:
        raise Rejected(429, "busy")

    with pytest.raises(Rejected, match="busy"):
        patient(ask, sleep=slept.append)({})

    assert slept[:6] == [FIRST_PAUSE_S, 0.4, 0.8, 1.6, 3.2, LONGEST_PAUSE_S]
    assert set(slept[5:]) == {LONGEST_PAUSE_S}
    assert 60 - LONGEST_PAUSE_S < sum(slept) <= 60


@pytest.mark.parametrize(("wait", "asked"), [(10.0, 1), (5.0, 2), (2.5, 3)])
def test_a_wait_that_would_be_too_long_is_not_begun(wait: float, asked: int) -> None:
    """The time in all is a limit for the pauses, too."""
    times: list[int] = []

    def ask(_body: Mapping[str, Any]) -> Document:
        times.append(1)
        raise Rejected(503, "loading", retry_after=wait)

    with pytest.raises(Rejected):
        patient(ask, longest=5.0, sleep=lambda _: None)({})
    assert len(times) == asked


# rows' columns, keep, key, ignore_unknown; what is wrong
CHECKS: list[tuple[list[str], list[str], str | None, bool, str | None]] = [
    (["x", "y"], [], None, False, None),
    (["x", "y", "group"], [], None, False, None),
    (["x"], [], None, False, "no column 'y': m takes 'x', 'y', and the rows have 'x'"),
    ([], [], None, True, "no column 'x', 'y': m takes 'x', 'y', and the rows have $"),
    (
        ["x", "y", "z"],
        [],
        None,
        False,
        "m knows no column 'z': .*--keep z, .*--ignore-unknown. It takes 'group', 'x', 'y'",
    ),
    (["x", "y", "z"], [], None, True, None),
    (["x", "y", "z"], ["z"], None, False, None),
    (["x", "y", "z"], [], "z", False, None),
    (["x", "y", "z", "w"], ["z"], "w", False, None),
    (["x", "y", "z", "w"], ["z"], None, False, "knows no column 'w'"),
    (["x", "y"], ["z"], None, True, "no column 'z' to keep; the rows have 'x', 'y'"),
    (["x", "y"], [], "z", True, "no column 'z' for the keys; the rows have 'x', 'y'"),
]


@pytest.mark.parametrize(("names", "keep", "key", "ignore", "wrong"), CHECKS)
def test_columns_that_cannot_be_asked_about_are_named(
    names: list[str], keep: list[str], key: str | None, ignore: bool, wrong: str | None
) -> None:
    """With what to do about each."""
    if wrong is None:
        SERVED.check(names, keep, key=key, ignore_unknown=ignore)
        return
    with pytest.raises(HeadraceError, match=wrong):
        SERVED.check(names, keep, key=key, ignore_unknown=ignore)


def test_the_callers_own_keys_are_sent_as_text() -> None:
    """A row without a key has none; zero is one."""
    rows = [{"x": 1, "id": key} for key in (0, "a", "", None, 7.5)] + [{"x": 1}]

    *_, keys = SERVED.tensors(rows, "id")

    assert keys == {
        "name": KEY_COLUMN,
        "datatype": "BYTES",
        "shape": [6],
        "data": ["0", "a", None, None, "7.5", None],
    }


def output(name: str, datatype: str, **parameters: Any) -> Document:
    """An output of a model's metadata."""
    return {"name": name, "datatype": datatype, "shape": [-1], **({"parameters": parameters} if parameters else {})}


METADATA = {
    "name": "m",
    "inputs": [output("a", "BYTES", nullable=False), output("b", "FP64", nullable=True), output("c", "BOOL")],
    "outputs": [output("probability", "FP64"), output("label", "BYTES", labels=["no", "yes"])],
    "parameters": {"context": [{"name": "g", "datatype": "INT32"}]},
}


def test_a_replica_tells_what_its_model_takes() -> None:
    """Inputs, context, what is never missing, and the labels, wherever the label stands."""
    served = Served.of(METADATA)

    assert (served.model, served.inputs, served.context) == (
        "m",
        {"a": "BYTES", "b": "FP64", "c": "BOOL"},
        {"g": "INT32"},
    )
    assert (served.required, served.labels, served.answers) == (frozenset({"a"}), ["no", "yes"], "BYTES")
    assert served.kinds == {"a": "string", "b": "number", "c": "boolean", "g": "integer"}


@pytest.mark.parametrize("parameters", [{}, {"parameters": None}, {"parameters": {}}])
def test_a_foreign_replica_tells_less(parameters: Document) -> None:
    """The Open Inference Protocol knows no context, labels or missing values."""
    served = Served.of({"name": "m", "inputs": [], "outputs": [output("y", "FP32")], **parameters})

    assert (served.context, served.required, served.labels, served.answers) == ({}, frozenset(), (), "FP32")


@pytest.mark.parametrize(
    ("labels", "datatype", "kind"),
    [
        (["a", "b"], "BYTES", "string"),
        ([0, 1], "INT64", "integer"),
        ([False, True], "BOOL", "boolean"),
        ([0.5, 1.5], "FP64", "number"),
        ([0, 1.5], "FP64", "number"),
        ([], "INT64", "integer"),
        ([], "FP32", "number"),
        ([], "UINT8", "integer"),
        ([], "BOOL", "boolean"),
    ],
)
def test_truth_is_read_as_the_labels_are(labels: list[Any], datatype: str, kind: str) -> None:
    """Or, of a model without labels of one type, as its answers are."""
    assert Served("m", {}, labels=labels, answers=datatype).truths == kind
