"""Rows with the framework's own answers: whoever loads a model proves that it still answers so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.runtimes import BadModel, load
from headrace.runtimes.proof import FILE, TOLERANCE, same, write_proof

from .conftest import save_classifier

PROBABILITY = np.array([0.7310586, 0.2689414, 0.5, 0.8807971])  # of the four rows, to the seventh place


def proved(folder: Path, **changed: Any) -> None:
    """A model directory with a proof, some answers of which are others."""
    rows, answers = save_classifier(folder)
    write_proof(folder, rows, {**answers, "probability": PROBABILITY, **changed})


def test_a_model_that_answers_as_it_did_is_loaded(tmp_path: Path) -> None:
    """What float32 rounds is no difference."""
    proved(tmp_path)

    model = load(tmp_path)

    assert model.answer({"wind": [1.0], "distance": [0.0]})["probability"] == pytest.approx([PROBABILITY[0]], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("probability", PROBABILITY + np.array([0, 0, 0, 2 * TOLERANCE])),
        ("label", np.array([True, True, False, True])),
        ("probability", PROBABILITY[:3]),
        ("margin", PROBABILITY),
    ],
)
def test_another_answer_is_refused_with_what_differs(tmp_path: Path, name: str, values: np.ndarray) -> None:
    """A number beyond the tolerance, another label, another number of rows, an output that is not given."""
    proved(tmp_path, **{name: values})

    with pytest.raises(BadModel, match=f"does not answer here as it did where it was saved: its {name} differs"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"rows": {}}', '{"rows": 3, "answers": {}}'])
def test_a_damaged_proof_is_no_proof(tmp_path: Path, text: str) -> None:
    """Nothing is loaded on half of a promise."""
    proved(tmp_path)
    (tmp_path / FILE).write_text(text)

    with pytest.raises(BadModel, match=r"proof\.json cannot be read"):
        load(tmp_path)


def test_rows_that_the_model_cannot_answer_are_a_failed_proof(tmp_path: Path) -> None:
    """A column that is missing there is told as the model's fault, not as an error of the server."""
    proved(tmp_path)
    found = json.loads((tmp_path / FILE).read_text())
    del found["rows"]["wind"]
    (tmp_path / FILE).write_text(json.dumps(found))

    with pytest.raises(BadModel, match=r"does not answer the rows of proof\.json"):
        load(tmp_path)


def test_a_directory_without_a_proof_is_loaded_as_ever(tmp_path: Path) -> None:
    """Older models have none, and models that were made elsewhere."""
    save_classifier(tmp_path)

    assert not (tmp_path / FILE).exists()
    assert load(tmp_path).signature.task == "binary"


def test_numbers_are_equal_within_their_size_and_anything_else_exactly() -> None:
    """A price of a million may differ by more than a probability; no number is equal to a gap."""
    assert same(np.array([1e6]), np.array([1e6 + 50]))
    assert not same(np.array([1e6]), np.array([1e6 + 150]))
    assert not same(np.array([np.nan]), np.array([0.5]))
    assert same(np.array(["a", "b"], dtype=object), np.array(["a", "b"]))
    assert not same(np.array([1, 2]), np.array([1, 3]))
