"""Functions of a package judge answers: what they are given, what is taken of what they say, and what is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.code import scoring as child
from headrace.frameworks import CodeFailed
from headrace.frameworks.code import scoring as parent
from headrace.frameworks.code.scoring import Function, Verdicts

RIGHT, LOSS = Function("right", "judge:right"), Function("loss", "judge:loss", resampled=False)
TRUTH = np.array([0, 1, 1, 0, 1, 0])
OURS, THEIRS = {"label": TRUTH.copy()}, {"label": np.zeros(6, np.int64)}


def right(truth: Any, outputs: Any) -> float:
    """The share of right labels."""
    return float((truth == outputs["label"]).mean())


def job(resamples: int = 0, seconds: float = 60, *, resampled: bool = True) -> dict[str, Any]:
    """What the child is told of one metric."""
    metrics = [{"name": "right", "entry": "judge:right", "resampled": resampled}]
    return {"metrics": metrics, "resamples": resamples, "seconds": seconds, "seed": 1}


# the child


def test_a_function_is_called_with_truth_and_outputs_of_each_model() -> None:
    """And with nothing else; without draws there is no interval."""
    found = child.judged(job(), {"right": right}, TRUTH, [OURS, THEIRS])

    assert found == {"values": [{"right": 1.0}, {"right": 0.5}], "drawn": {"right": []}}


def test_draws_are_of_the_same_rows_for_both_models_and_the_same_for_a_seed() -> None:
    """Paired: what differs is the models."""
    first = child.judged(job(60), {"right": right}, TRUTH, [OURS, THEIRS])["drawn"]["right"]
    again = child.judged(job(60), {"right": right}, TRUTH, [OURS, THEIRS])["drawn"]["right"]
    same = child.judged(job(60), {"right": right}, TRUTH, [THEIRS, THEIRS])["drawn"]["right"]

    assert first == again
    assert len(first) == 60
    assert {ours for ours, _ in first} == {1.0}
    assert all(one == other for one, other in same)
    assert [other for _, other in first] == [other for _, other in same]


@pytest.mark.parametrize("told", [job(60, seconds=-1), job(60, resampled=False)])
def test_nothing_is_drawn_without_time_or_where_the_function_cannot(told: dict[str, Any]) -> None:
    """What has begun late would keep everybody waiting."""
    assert not child.judged(told, {"right": right}, TRUTH, [OURS, THEIRS])["drawn"].get("right")


def test_one_model_is_never_drawn() -> None:
    """There is nothing to compare."""
    assert child.judged(job(60), {"right": right}, TRUTH, [OURS])["drawn"] == {"right": []}


def test_a_draw_that_a_function_cannot_judge_has_no_value() -> None:
    """One class alone, for instance; that all rows can be judged is another matter."""

    def strict(truth: Any, outputs: Any) -> float:
        if len(set(truth.tolist())) == 1:
            raise ValueError("one class")
        return 1.0

    pairs = child.judged(job(400), {"right": strict}, TRUTH[:3], [{"label": TRUTH[:3]}] * 2)["drawn"]["right"]

    assert [None, None] in pairs
    assert [1.0, 1.0] in pairs


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (0.5, 0.5),
        (1, 1.0),
        (np.float32(0.25), 0.25),
        (np.array(0.25), 0.25),
        ({"right": 0.75, "more": 1}, 0.75),
        ("good", "'good'"),
        (None, "None"),
        ({"f": 1}, "a mapping with f"),
        ({}, "a mapping with nothing"),
        ([1, 2], "[1, 2]"),
        ("x" * 1000, "'" + "x" * 199),
    ],
)
def test_a_number_is_a_number_and_anything_else_its_text(given: Any, found: Any) -> None:
    """Whoever reads it refuses the text, and shows it."""
    assert child._value("right", given) == found


# the parent


def test_text_is_given_as_unicode_and_what_comes_as_objects_as_what_it_is() -> None:
    """No pickle is written or read on either side."""
    words = parent._plain(np.array([["a", None], ["bc", 3]], dtype=object))

    assert (words.dtype.kind, words.tolist()) == ("U", [["a", ""], ["bc", "3"]])
    assert parent._plain(np.array([True, False], dtype=object)).dtype == np.bool_
    assert parent._plain(np.array([1, 2], dtype=object)).dtype.kind == "i"
    assert np.isnan(parent._plain(np.array([1.5, None], dtype=object))[1])
    assert parent._plain(TRUTH) is TRUTH


def verdicts(told: dict[str, Any], models: int = 2) -> Verdicts:
    """What is taken of a result."""
    return parent._verdicts(told, [RIGHT, LOSS], models)


def values(right: Any = 1.0, loss: Any = 2.0) -> dict[str, Any]:
    """The values of one model."""
    return {"right": right, "loss": loss}


def test_values_and_draws_are_taken_by_model() -> None:
    """Of a metric that is not resampled there are none, whatever is said."""
    pairs = [[1.0, 0.5]] * 60

    found = verdicts({"values": [values(), values(0.5, 3)], "drawn": {"right": pairs, "loss": pairs}})

    assert found.values == [{"right": 1.0, "loss": 2.0}, {"right": 0.5, "loss": 3.0}]
    assert set(found.drawn) == {"right"}
    assert found.drawn["right"].shape == (60, 2)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (float("nan"), r"metric right \(judge:right\) gives NaN, which is no finite number"),
        (float("inf"), "gives inf, which is no finite number"),
        ("'good'", "gives 'good', which is no finite number"),
        (None, "gives None, which"),
        (True, "gives True, which"),
        ([1], r"gives \[1\], which"),
    ],
)
def test_a_value_that_is_no_finite_number_fails_the_run(bad: Any, said: str) -> None:
    """With the metric, its function and what it gave."""
    with pytest.raises(CodeFailed, match=said) as raised:
        verdicts({"values": [values(bad)], "drawn": {}}, 1)

    assert raised.value.kind == "answer"


@pytest.mark.parametrize("told", [{}, {"values": 3}, {"values": []}, {"values": [3, 4]}, {"values": [values()]}])
def test_a_result_of_another_form_fails_the_run(told: dict[str, Any]) -> None:
    """It is the program's own word."""
    with pytest.raises(CodeFailed, match="left no value of each model"):
        verdicts(told)


@pytest.mark.parametrize(
    "drawn",
    [
        None,
        [],
        {"right": 3},
        {"right": [[1.0, 0.5]] * 49},
        {"right": [[1.0, None]] * 60},
        {"right": [[1.0, 0.5]] * 55 + [[1.0, float("nan")]] * 60},
        {"right": [[1.0]] * 60},
        {"right": ["x"] * 60},
        {"right": [[1.0, "x"]] * 60},
    ],
)
def test_too_few_draws_with_values_are_no_interval(drawn: Any) -> None:
    """The difference stands alone then."""
    assert dict(verdicts({"values": [values(), values()], "drawn": drawn}).drawn) == {}


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "left no result"),
        (lambda path: path.write_text("[1]"), "but something else in its place"),
        (lambda path: path.write_text("{"), "left no result"),
        (lambda path: path.symlink_to("/etc/passwd"), "left no result"),
        (lambda path: path.mkdir(), "left no result"),
        (lambda path: path.write_text("[" * 100_000), "left no result"),
    ],
)
def test_a_result_that_cannot_be_read_fails_the_run(write: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    """A link is not followed."""
    write(tmp_path / "result.json")

    with pytest.raises(CodeFailed, match=said):
        parent._result(tmp_path / "result.json")


def test_what_the_child_writes_is_what_the_parent_reads(tmp_path: Path) -> None:
    """Both sides of one file."""
    found = child.judged(job(60), {"right": right}, TRUTH, [OURS, THEIRS])
    (tmp_path / "result.json").write_text(json.dumps(found))

    told = parent._verdicts(parent._result(tmp_path / "result.json"), [RIGHT], 2)

    assert told.values == [{"right": 1.0}, {"right": 0.5}]
    assert told.drawn["right"].shape == (60, 2)
