"""JPMML is asked the same rows as our graphs and numpy: every example, and made-up models."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.pmml import Document, NotExact, load
from headrace.pmml.sample import rows_for

from .conftest import graph_answer
from .examples import EXAMPLES
from .jpmml import FOLDER, WHY_NOT, Jpmml, differences
from .made_up import MADE_UP
from .table import record

if FOLDER is None:
    pytest.skip(WHY_NOT, allow_module_level=True)

ROWS = 300
TOLERANCE = 1e-9
OF_JPMML = 1e-5  # where a document asks for sums in float32 (x-mathContext), which are made in float64 here
CASES = [(element, name) for element, group in EXAMPLES.items() for name in group]
MODERATE = ("NeuralNetwork", "functions of Apply", "GeneralRegressionModel")
"""Elements where JPMML overflows, or ends beyond the points of a line, on numbers such as 1e15."""
SEEDS = range(int(os.environ.get("HEADRACE_PMML_SEEDS", "40")))


@pytest.fixture(scope="module")
def jpmml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jpmml]:
    """One process for all."""
    running = Jpmml(tmp_path_factory.mktemp("jpmml"))
    yield running
    running.close()


def compare(jpmml: Jpmml, element: str, name: str, text: str, extreme: bool, seed: int = 1) -> float:
    """The largest difference between JPMML and what would serve: the graph, else numpy."""
    document = load(text.encode())
    return compared(jpmml, element, name, text, document, rows_for(document, ROWS, seed, extreme))


def compared(
    jpmml: Jpmml, element: str, name: str, text: str, document: Document, columns: Mapping[str, Sequence[Any]]
) -> float:
    """The same on some rows; keeps it for the table."""
    by = "onnx"
    try:
        told = graph_answer(document, columns)
    except NotExact:
        told, by = document.answer(columns), "pmml"
    found = differences(document, told, jpmml.ask(text, columns))
    record(Path(str(FOLDER)), element, name, len(found), max(found), by)
    return max(found)


@pytest.mark.parametrize(("element", "name"), CASES)
def test_an_example_is_answered_as_jpmml_answers_it(jpmml: Jpmml, element: str, name: str) -> None:
    """Labels, reasons and missing answers exactly, numbers but for the order of sums."""
    assert compare(jpmml, element, name, EXAMPLES[element][name], element not in MODERATE) < TOLERANCE


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", MADE_UP)
def test_a_made_up_model_is_answered_as_jpmml_answers_it(jpmml: Jpmml, kind: str, seed: int) -> None:
    """Random trees, forests and scorecards, on rows with missing, invalid and extreme values."""
    assert compare(jpmml, f"made-up: {kind}", str(seed), MADE_UP[kind](seed), True, seed) < TOLERANCE


EXPORTED = sorted(Path(FOLDER, "exported").glob("*.pmml"))
OF_LIBRARIES = 1e-5
"""Relative: XGBoost, LightGBM's and the forests' own sums are float32, and scikit-learn's trees compare float32."""
FEWEST = 15


def test_there_are_exported_models() -> None:
    """An empty folder would compare nothing."""
    assert len(EXPORTED) >= FEWEST


@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.stem)
def test_an_exported_model_is_answered_as_jpmml_and_the_library_answer_it(jpmml: Jpmml, path: Path) -> None:
    """What scikit-learn, LightGBM and XGBoost learned, written by their converters."""
    text, known = path.read_text(), json.loads(path.with_suffix(".json").read_text())
    document = load(text.encode())
    columns = {tensor.name: known["rows"][tensor.name] for tensor in document.signature.inputs}
    told = graph_answer(document, columns)

    assert compared(jpmml, "exported by scikit-learn, LightGBM, XGBoost", path.stem, text, document, columns) < OF_JPMML
    if "prediction" in told:
        np.testing.assert_allclose(told["prediction"], known["answers"], rtol=OF_LIBRARIES, atol=OF_LIBRARIES)
        return
    answers = [str(each) for each in known["answers"]]
    assert [str(each).removesuffix(".0") for each in told["label"].tolist()] == answers
    if "probabilities" in known:
        shares = np.array(known["probabilities"])
        ours = told["probability"] if "probability" in told else told["probabilities"]
        expected = shares if shares.shape[1] > 2 else shares[:, 1]
        np.testing.assert_allclose(ours, expected, atol=OF_LIBRARIES)
