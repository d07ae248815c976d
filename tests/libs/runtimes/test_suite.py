"""What every runtime must do; the suite runs over the mapping, so that a new entry is tested by being there."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column, Signature
from headrace.frameworks.base import About, Recipe
from headrace.runtimes import RUNTIMES, BadModel, BadValue, Framed, Model, load, read_description

from .conftest import ABSURD, save_classifier, save_forecast, save_process, save_scorecard

UNREAD = {"requirements.txt", "input_example.json", "categories.json", "preparation.skops"}
"""What no runtime reads: it is for people, for MLflow, and for the framework's own way back."""


@dataclass(frozen=True)
class Example:
    """A model directory, rows that it can answer, and what it answers."""

    folder: Path
    rows: Mapping[str, list[Any]]
    answers: Mapping[str, np.ndarray]


def _onnx(folder: Path) -> Example:
    rows, answers = save_classifier(folder)
    return Example(folder, rows, answers)


def _process(folder: Path) -> Example:
    save_process(folder)
    score = np.array([1.0, -1.0, 0.0, 2.0])
    probability = 1 / (1 + np.exp(-score))
    rows = {"wind": [1.0, 2.0, 0.5, 0.0], "distance": [0.0, 3.0, 0.5, -2.0]}
    return Example(folder, rows, {"label": probability > 0.5, "probability": probability})


def _pmml(folder: Path) -> Example:
    rows, answers = save_scorecard(folder)
    return Example(folder, rows, answers)


def _native(library: str, estimator: str, **params: Any) -> Callable[[Path], Example]:
    """A model that no graph answers exactly for, as its framework saves it."""

    def made(folder: Path) -> Example:
        pytest.importorskip(library, reason=f"{library} is not installed here: `make frameworks`")
        from headrace.frameworks import FRAMEWORKS

        chance = np.random.default_rng(0)
        rows = pd.DataFrame({"wind": chance.normal(size=200), "carrier": chance.choice(["AA", "DL", "UA"], 200)})
        rows["late"] = (rows["wind"] + (rows["carrier"] == "UA") > 0.5).astype(int)
        columns = [
            Column(name="wind", type="number", nullable=True),
            Column(name="carrier", type="string", nullable=True),
        ]
        recipe = Recipe(estimator, params, 0, columns, "late", "binary")
        fitted = FRAMEWORKS[library].fit(rows, recipe, lambda step, of: None)
        saved = FRAMEWORKS[library].save(fitted, folder, About("run-1", datetime(2026, 1, 2, tzinfo=UTC)))
        assert saved.runtime == library
        asked: dict[str, list[Any]] = {"wind": [0.5, None, -3.0, 9.0], "carrier": ["UA", "never seen", None, "AA"]}
        return Example(folder, asked, FRAMEWORKS[library].load(folder).predict(asked))

    return made


def _forecast(folder: Path) -> Example:
    rows, answers = save_forecast(folder)
    return Example(folder, rows, answers)


TOGETHER = {"forecast"}
"""The runtimes whose rows of one request tell of each other."""


def _listed(answers: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    """Answers that can be compared: what is missing is None."""
    return {name: [None if each != each else each for each in values.tolist()] for name, values in answers.items()}


EXAMPLES: Mapping[str, Callable[[Path], Example]] = {
    "forecast": _forecast,
    "onnx": _onnx,
    "pmml": _pmml,
    "process": _process,
    "lightgbm": _native("lightgbm", "lightgbm.LGBMClassifier", linear_tree=True, n_estimators=9, min_data_in_leaf=5),
    "xgboost": _native("xgboost", "xgboost.XGBClassifier", enable_categorical=True, n_estimators=9),
    "catboost": _native("catboost", "catboost.CatBoostClassifier", iterations=9),
}


def test_every_runtime_has_an_example() -> None:
    """A runtime without one would not be tested."""
    assert EXAMPLES.keys() == RUNTIMES.keys()
    assert all(RUNTIMES[name].name == name for name in RUNTIMES)


@pytest.fixture(params=sorted(RUNTIMES))
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    """One of each runtime."""
    return EXAMPLES[request.param](tmp_path)


@pytest.fixture
def model(example: Example) -> Iterator[Model]:
    """The example, loaded."""
    with closing(load(example.folder)) as loaded:
        yield loaded


def test_a_model_answers_as_what_it_was_saved_from(example: Example, model: Model) -> None:
    """Every output of the signature, one entry a row, with the datatype that the signature promises."""
    told = model.answer(example.rows)

    assert set(told) == {tensor.name for tensor in model.signature.outputs}
    for name, expected in example.answers.items():
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(told[name], expected, atol=1e-5)
        else:
            assert told[name].tolist() == expected.tolist()


def test_one_row_is_answered_as_among_many(example: Example, model: Model) -> None:
    """No row's answer depends on its neighbours, but where rows tell of each other."""
    if isinstance(model, Framed):
        assert read_description(example.folder).runtime in TOGETHER
        return
    whole = model.answer(example.rows)
    count = len(next(iter(example.rows.values())))

    for row in range(count):
        alone = model.answer({name: values[row : row + 1] for name, values in example.rows.items()})
        for name, values in whole.items():
            assert alone[name].tolist() == pytest.approx(values[row : row + 1].tolist())


def test_columns_that_the_signature_does_not_name_are_ignored(example: Example, model: Model) -> None:
    """Rows of a dataset have columns that no model takes."""
    more = {**example.rows, "stranger": ["x"] * len(next(iter(example.rows.values())))}

    told = model.answer(more)

    assert _listed(told) == _listed(model.answer(example.rows))


def test_a_number_that_is_too_large_is_named_where_that_is_asked_for(example: Example, model: Model) -> None:
    """By its input and row; without `strict` the row counts as one of infinite numbers."""
    number = next(tensor.name for tensor in model.signature.inputs if tensor.datatype.startswith("FP"))
    rows = {name: list(values) for name, values in example.rows.items()}
    rows[number][1] = ABSURD

    with pytest.raises(BadValue, match=rf"input '{number}': element 1 \(1e\+300\) is too large for the model"):
        model.answer(rows, strict=True)
    assert len(next(iter(model.answer(rows).values()))) == len(rows[number])


def test_many_threads_get_their_own_answers(example: Example, model: Model) -> None:
    """A server asks one model from all its threads."""
    expected = _listed(model.answer(example.rows))
    wrong: list[Any] = []

    def ask() -> None:
        for _ in range(50):
            told = _listed(model.answer(example.rows))
            if told != expected:
                wrong.append(told)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_matrix_is_answered_as_its_columns(example: Example, model: Model) -> None:
    """Where a model takes one matrix, its columns are in the order of the signature."""
    if model.matrix is None:
        return
    names = [tensor.name for tensor in model.signature.inputs]
    matrix = np.array([example.rows[name] for name in names], dtype=model.matrix).T

    told = model.answer_matrix(matrix)

    assert {name: values.tolist() for name, values in told.items()} == {
        name: values.tolist() for name, values in model.answer(example.rows).items()
    }


def test_a_model_says_what_it_is(model: Model) -> None:
    """What answers, and how much memory it holds."""
    assert model.platform
    assert model.memory_bytes > 0
    assert isinstance(model.signature, Signature)


def test_a_damaged_directory_is_refused(example: Example) -> None:
    """Whatever file is cut or missing, the answer is BadModel, never an answer or another error."""
    for file in sorted(example.folder.rglob("*")):
        if file.is_dir() or file.name in UNREAD:
            continue
        whole = file.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2]):
            file.write_bytes(damaged)
            with pytest.raises(BadModel):
                load(example.folder)
        file.write_bytes(whole)
    load(example.folder).close()
