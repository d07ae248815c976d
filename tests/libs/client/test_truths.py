"""What really happened, read from rows: who is meant, what it is, and what a file lacks."""

from pathlib import Path
from typing import Any, cast

import pytest

from headrace.client import Client, HeadraceError, Rejected, Unreachable
from headrace.client.rows import Row
from headrace.client.served import Served
from headrace.client.truths import kind_of_truth, read_truths, truth_of


class Replica:
    """Answers what it serves, or why not."""

    def __init__(self, answer: Served | Exception) -> None:
        self.answer = answer

    def served(self, _model: str) -> Served:
        """The served model."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def replica(answer: Served | Exception) -> Client:
    """As the client that truths are read with."""
    return cast("Client", Replica(answer))


# values, kind, truth
READ: list[tuple[dict[str, Any], str | None, dict[str, Any]]] = [
    ({"prediction_id": "p:0", "value": "1"}, "integer", {"prediction_id": "p:0", "value": 1}),
    ({"prediction_id": "p:0", "value": "1"}, "string", {"prediction_id": "p:0", "value": "1"}),
    ({"prediction_id": "p:0", "value": "1"}, "boolean", {"prediction_id": "p:0", "value": True}),
    ({"prediction_id": "p:0", "value": "1"}, None, {"prediction_id": "p:0", "value": 1}),
    ({"prediction_id": "p:0", "value": "1.5"}, None, {"prediction_id": "p:0", "value": 1.5}),
    ({"prediction_id": "p:0", "value": "yes"}, None, {"prediction_id": "p:0", "value": "yes"}),
    ({"prediction_id": "p:0", "value": "NA"}, None, {"prediction_id": "p:0", "value": "NA"}),
    ({"prediction_id": "p:0", "value": "NA"}, "integer", {"prediction_id": "p:0", "value": "NA"}),
    ({"prediction_id": "p:0", "value": "yes"}, "integer", {"prediction_id": "p:0", "value": "yes"}),
    ({"prediction_id": "p:0", "value": "1.5"}, "integer", {"prediction_id": "p:0", "value": "1.5"}),
    ({"prediction_id": "p:0", "value": 0}, "integer", {"prediction_id": "p:0", "value": 0}),
    ({"prediction_id": "p:0", "value": False}, None, {"prediction_id": "p:0", "value": False}),
    ({"key": "k", "value": 2}, None, {"key": "k", "value": 2}),
    ({"key": "k", "prediction_id": "", "value": 2}, None, {"key": "k", "value": 2}),
    ({"key": None, "prediction_id": "p:0", "value": 2}, None, {"prediction_id": "p:0", "value": 2}),
    ({"key": "k", "value": 2, "at": "2024-05-17"}, None, {"key": "k", "value": 2, "at": "2024-05-17"}),
    ({"key": "k", "value": 2, "at": None}, None, {"key": "k", "value": 2}),
    ({"key": "k", "value": 2, "at": ""}, None, {"key": "k", "value": 2}),
    ({"key": "k", "value": 2, "note": "x"}, None, {"key": "k", "value": 2}),
]


@pytest.mark.parametrize(("values", "kind", "truth"), READ)
def test_a_truth_is_read_as_the_labels_are(values: dict[str, Any], kind: str | None, truth: dict[str, Any]) -> None:
    """A value that is none of the kind stays what it is: the monitor names it, who knows every label."""
    found = truth_of(Row("line 2", values), kind, "truth.csv")

    assert (found, type(found["value"])) == (truth, type(truth["value"]))


LACKING: list[tuple[dict[str, Any], str]] = [
    ({"prediction_id": "p"}, "^truth.csv: columns prediction_id or key, and value, are needed; it has prediction_id$"),
    ({"value": 1}, "columns prediction_id or key, and value, are needed; it has value"),
    ({"id": "p", "value": 1}, "are needed; it has id, value"),
    ({"prediction_id": "", "value": 1}, "line 2, 'prediction_id': exactly one is needed, and 0 are filled in"),
    ({"key": None, "prediction_id": None, "value": 1}, "'prediction_id' and 'key': exactly one is needed, and 0 are"),
    ({"key": "k", "prediction_id": "p", "value": 1}, "'prediction_id' and 'key': exactly one is needed, and 2 are"),
    ({"key": "k", "value": ""}, "^truth.csv: line 2, column 'value' is empty$"),
    ({"key": "k", "value": None}, "line 2, column 'value' is empty"),
]


@pytest.mark.parametrize(("values", "text"), LACKING)
def test_what_a_truth_lacks_is_named(values: dict[str, Any], text: str) -> None:
    """With the file and the line."""
    with pytest.raises(HeadraceError, match=text):
        truth_of(Row("line 2", values), None, "truth.csv")


@pytest.mark.parametrize(
    "answer", [Unreachable("away"), Rejected(403, "no"), Rejected(404, "none"), Rejected(503, "loading")]
)
def test_truth_is_read_where_no_version_is_served(answer: Exception, tmp_path: Path) -> None:
    """Truth comes late, perhaps after the model; numbers are read as numbers then."""
    (tmp_path / "t.csv").write_text("prediction_id,value\n007,1\nx,2.5\ny,no\n")

    found = list(read_truths(replica(answer), "m", str(tmp_path / "t.csv")))

    assert found == [
        {"prediction_id": "007", "value": 1},
        {"prediction_id": "x", "value": 2.5},
        {"prediction_id": "y", "value": "no"},
    ]


def test_a_refusal_that_says_nothing_about_the_model_is_one() -> None:
    """A replica that fails is no replica without a model."""
    with pytest.raises(Rejected, match="broken"):
        kind_of_truth(replica(Rejected(500, "broken")), "m")


def test_keys_and_times_stay_text(tmp_path: Path) -> None:
    """`007` is another key than `7`, and the value is read by the labels of the served version."""
    (tmp_path / "t.csv").write_text("key,value,at\n007,1,2024-05-17\n7,0,\n")
    served = Served("m", {}, labels=[False, True])

    assert list(read_truths(replica(served), "m", str(tmp_path / "t.csv"))) == [
        {"key": "007", "value": True, "at": "2024-05-17"},
        {"key": "7", "value": False},
    ]


def test_truths_are_given_line_by_line(tmp_path: Path) -> None:
    """Those before a wrong line are there."""
    (tmp_path / "t.csv").write_text("key,value\na,1\nb,\n")
    reading = read_truths(replica(Served("m", {}, answers="FP64")), "m", str(tmp_path / "t.csv"))

    assert next(reading) == {"key": "a", "value": 1.0}
    with pytest.raises(HeadraceError, match="line 3, column 'value' is empty"):
        next(reading)
