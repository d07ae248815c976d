"""`headrace predict` and `headrace truth` against a replica: text by the signature, order, ids, wrong rows."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from headrace.client import Client, find_stack
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine, Ran

ROWS = [
    {"code": "NA", "weight": 0.5, "month": 3},
    {"code": "007", "weight": None, "month": 4},
    {"code": "7", "weight": 1.5, "month": 5},
    {"code": "b", "weight": -1.5, "month": 12},
]
CSV = "code,weight,month\nNA,0.5,3\n007,NA,4\n7,1.5,5\nb,-1.5,12\n"
LOST = ["yes", "yes", "no", "no"]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Rows as a Parquet file."""
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    return file.getvalue()


FORMS: dict[str, bytes] = {
    "csv": CSV.encode(),
    "csv with a byte order mark": b"\xef\xbb\xbf" + CSV.encode(),
    "csv, blank lines last": (CSV + "\n\n").encode(),
    "gzip": gzip.compress(CSV.encode()),
    "json": json.dumps(ROWS, indent=2).encode(),
    "json lines": "\n".join(map(json.dumps, ROWS)).encode(),
    "parquet": parquet(ROWS),
    "parquet, gzip": gzip.compress(parquet(ROWS)),
}


@pytest.fixture
def predict(at: CommandLine, parcels: Cluster, tmp_path: Path) -> Callable[..., Ran]:
    """Ask about rows that are given as text or bytes, in a file."""

    def ask(rows: str | bytes, *options: str) -> Ran:
        file = tmp_path / "rows"
        file.write_bytes(rows.encode() if isinstance(rows, str) else rows)
        return at("predict", "parcels", "--input", str(file), *options)

    return ask


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_cell_means_what_it_meant_in_training(
    predict: Callable[..., Ran], at: CommandLine, form: str, way: str
) -> None:
    """`NA` and `007` in a column of text are these texts, in every format, from a file and from a pipe."""
    if way == "file":
        ran = predict(FORMS[form], "--json")
    else:
        ran = at("predict", "parcels", "--input", "-", "--json", stdin=FORMS[form])

    assert ran.code == 0, ran.err
    assert [row["outputs"]["label"] for row in ran.document] == LOST


def test_the_answers_are_those_of_the_protocol(predict: Callable[..., Ran], parcels: Cluster) -> None:
    """Reading a file changes nothing: the same rows by HTTP give the same probabilities."""
    inputs = [
        {"name": "code", "datatype": "BYTES", "shape": [4], "data": ["NA", "007", "7", "b"]},
        {"name": "weight", "datatype": "FP64", "shape": [4], "data": [0.5, None, 1.5, -1.5]},
        {"name": "month", "datatype": "INT64", "shape": [4], "data": [3, 4, 5, 12]},
    ]
    answer = httpx.post(
        f"{parcels.urls['inference']}/v2/models/parcels/infer",
        json={"inputs": inputs},
        headers={"authorization": f"Bearer {parcels.keys['admin']}"},
    ).json()

    ran = predict(CSV, "--json")

    expected = {output["name"]: output["data"] for output in answer["outputs"]}
    assert [row["outputs"]["probability"] for row in ran.document] == expected["probability"]


def test_every_row_has_an_id_under_which_its_truth_is_reported(
    predict: Callable[..., Ran], at: CommandLine, tmp_path: Path
) -> None:
    """Ids name the request and the row in it, in the order of the rows; `headrace truth` takes them."""
    ids = [row["prediction_id"] for row in predict(CSV, "--json").document]
    assert [each.split(":")[1] for each in ids] == ["0", "1", "2", "3"]
    file = tmp_path / "truth.csv"
    file.write_text("prediction_id,value\n" + "".join(f"{each},no\n" for each in ids))

    ran = at("truth", "parcels", str(file), "--json")

    assert ran.code == 0, ran.err
    assert ran.document["unknown"] == 0
    assert ran.document["accepted"] + ran.document["waiting"] == 4


def test_many_rows_keep_their_order_and_the_columns_that_are_kept(predict: Callable[..., Ran]) -> None:
    """Several requests are on their way at once; each answer still stands beside the row that it belongs to."""
    many = 9_001
    lines = [f"{at},{'NA' if at % 3 == 0 else 'b'},0.1,3" for at in range(many)]

    ran = predict("order,code,weight,month\n" + "\n".join(lines) + "\n", "--keep", "order", "--json")

    answered = ran.document
    assert [row["kept"]["order"] for row in answered] == [str(at) for at in range(many)]
    assert [row["outputs"]["label"] for row in answered] == ["yes" if at % 3 == 0 else "no" for at in range(many)]
    assert len({row["prediction_id"] for row in answered}) == many


def test_a_piped_answer_is_tab_separated_and_whole(predict: Callable[..., Ran]) -> None:
    """Without a terminal there is no drawing: ids are whole, numbers have all their digits."""
    ran = predict("order,code,weight,month\nA-17,NA,0.5,3\n", "--keep", "order")

    whole = predict("order,code,weight,month\nA-17,NA,0.5,3\n", "--keep", "order", "--json").document[0]
    head, row = ran.rows
    assert "probability: of the label yes" in ran.err
    assert whole["about"]["probability"]["label"] == "yes"
    assert head == ["prediction_id", "model_version", "order", "label", "probability"]
    assert len(row[0]) == len(whole["prediction_id"])
    assert row[1:] == ["1", "A-17", "yes", str(whole["outputs"]["probability"])]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("code,weight,month\nb,1,3\nb,heavy,4\n", "line 3, column 'weight': 'heavy' is not a finite number"),
        ("code,weight,month\nb,1,3.5\n", "line 2, column 'month': '3.5' is not an integer"),
        ("code,weight,month\nb,1,3\nb,1,NA\n", "line 3, column 'month' is empty"),
        ("code,weight,month\nb,1\n", "line 2 has 2 values"),
        ("code,month\nb,1\n", "no column 'weight'"),
        ("code,weight,month,colour\nb,1,1,red\n", "knows no column 'colour': carry it beside the answers with --keep"),
        ('{"code": 7, "weight": 1, "month": 1}\n', "line 1, column 'code': '7' is a number, and the column is text"),
        ('{"code": "b", "weight": 1, "month": 1}\n{"code"\n', "line 2 is not JSON"),
        ('[{"code": "b", "weight": 1, "month": 1}, 5]', "row 2 is no object"),
        ('[{"code": "b", "weight": true, "month": 1}]', "row 1, column 'weight'"),
        ("", "the first line must name the columns"),
        ("code,weight,month\n", "no rows were given"),
        (parquet([{"code": 7, "weight": 1.0, "month": 3}]), "row 1, column 'code': '7' is a number"),
        (b"PAR1 and nothing else", "no Parquet that can be read"),
        (b"\x1f\x8b and nothing else", "rows: "),
        (b"code,weight,month\n\xff,1,3\n", "'utf-8' codec can't decode"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(predict: Callable[..., Ran], rows: str | bytes, told: str) -> None:
    """With the column, what stands there, and what would be right; with --json as one document."""
    ran = predict(rows)
    assert ran.code == 1
    assert told in ran.err

    assert told in predict(rows, "--json").document["error"]


def test_what_was_answered_before_a_wrong_row_is_there(predict: Callable[..., Ran]) -> None:
    """The requests before it are answered and printed; the error follows, and the exit code is 1."""
    ran = predict("code,weight,month\n" + "b,1,3\n" * 5_000 + "b,1,March\n")

    assert ran.code == 1
    assert len(ran.rows) == 1 + 4_000
    assert "line 5002, column 'month'" in ran.err


def test_context_columns_are_sent(predict: Callable[..., Ran]) -> None:
    """The model does not learn from them, and they are no unknown columns."""
    assert predict("depot,code,weight,month\nnorth,b,1,3\n").code == 0


def test_unknown_columns_can_be_left_out(predict: Callable[..., Ran]) -> None:
    """A file with more columns than the model takes is no reason to rewrite it."""
    ran = predict("colour,code,weight,month\nred,b,1,3\n", "--ignore-unknown", "--json")

    assert ran.code == 0
    assert "kept" not in ran.document[0]


def test_a_model_that_is_not_served_is_named(at: CommandLine, parcels: Cluster, tmp_path: Path) -> None:
    """Before a row is read."""
    file = tmp_path / "rows.csv"
    file.write_text(CSV)

    ran = at("predict", "nothing", "--input", str(file))

    assert ran.code == 1
    assert "nothing" in ran.err


def test_a_program_asks_with_rows_at_hand(at: CommandLine, parcels: Cluster) -> None:
    """The SDK reads rows by the same rules, and answers in their order."""
    at("models")  # sets the addresses
    with Client(find_stack()) as client:
        answers = list(client.predict_rows("parcels", ROWS))

    assert [each["outputs"]["label"] for each in answers] == LOST


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,value\np:0,yes\n", "columns prediction_id or key, and value, are needed; it has id, value"),
        ("key,prediction_id,value\na,p:0,yes\n", "exactly one is needed, and 2 are filled in"),
        ("key,value\n,yes\n", "line 2, 'key': exactly one is needed, and 0 are filled in"),
        ("prediction_id,value\np:0,yes\np:1,\n", "line 3, column 'value' is empty"),
        ("prediction_id,value\n", "no rows"),
        ("prediction_id,value\np:0,oops\n", "'no', 'yes'"),
    ],
)
def test_a_wrong_truth_is_named(at: CommandLine, parcels: Cluster, tmp_path: Path, text: str, told: str) -> None:
    """A missing column, an empty value, a label that the model does not have."""
    file = tmp_path / "truth.csv"
    file.write_text(text)

    ran = at("truth", "parcels", str(file))

    assert ran.code == 1
    assert told in ran.err
