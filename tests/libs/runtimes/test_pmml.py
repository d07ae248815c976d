"""PMML in model directories: a graph where that is exact, numpy where it is not, and what is said of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from headrace.pmml import BadPmml
from headrace.pmml import load as load_document
from headrace.runtimes import BadModel, load, read_description
from headrace.runtimes import pmml as runtime

from .conftest import ABOUT, CARD

PLAIN = (
    CARD.replace('<Apply function="uppercase">', "")
    .replace("</Apply>", "")
    .replace(
        'name="town" optype="categorical" dataType="string"/>',
        'name="town" optype="categorical" dataType="string"><Value value="Oslo"/><Value value="Bergen"/></DataField>',
    )
)
ROWS = {"age": [29.0, 30.0, None], "town": ["Oslo", "Bergen", None]}


def test_a_document_that_a_graph_answers_exactly_is_served_by_onnx(tmp_path: Path) -> None:
    """At the speed of every other graph, and with the document beside it."""
    saved = runtime.save(PLAIN.encode(), tmp_path, ABOUT)

    assert (saved.runtime, saved.largest_difference, list(saved.remarks)) == ("onnx", 0.0, [])
    model = load(tmp_path)
    assert model.platform == "onnx_onnxruntime"
    own = load_document(PLAIN.encode()).answer(ROWS)
    assert {name: values.tolist() for name, values in model.answer(ROWS).items()} == {
        name: values.tolist() for name, values in own.items()
    }
    assert (tmp_path / runtime.FILE).read_text() == PLAIN


def test_another_document_is_answered_with_numpy_and_the_reason_is_told(tmp_path: Path) -> None:
    """Chosen by what the document asks for, not by whoever imports it."""
    saved = runtime.save(CARD.encode(), tmp_path, ABOUT)

    assert saved.runtime == "pmml"
    assert saved.largest_difference is None
    assert saved.remarks == ["answered with numpy, for no graph is exact: a function of texts"]
    assert load(tmp_path).platform == "pmml"


def test_a_graph_that_differs_from_its_document_serves_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged is what serves: the document then answers itself."""
    other = load_document(PLAIN.replace('partialScore="5"', 'partialScore="6"').encode())
    from headrace.pmml.compile import graph_of

    monkeypatch.setattr(runtime, "_graph", lambda document, naming: graph_of(other))

    saved = runtime.save(PLAIN.encode(), tmp_path, ABOUT)

    assert saved.runtime == "pmml"
    assert "the graph differs by" in saved.remarks[0]


def test_a_directory_says_what_it_holds(tmp_path: Path) -> None:
    """Runtime, framework, signature, packages, and rows to try."""
    runtime.save(PLAIN.encode(), tmp_path, ABOUT)

    described = read_description(tmp_path)
    example = json.loads((tmp_path / "input_example.json").read_text())
    assert (described.runtime, described.framework) == ("onnx", "pmml")
    assert [tensor.name for tensor in described.signature.outputs] == ["prediction", "where"]
    assert example["columns"] == ["age", "town"]
    assert len(example["data"]) == 3
    assert "headrace-pmml==" in (tmp_path / "requirements.txt").read_text()


def test_a_document_of_another_model_is_refused(tmp_path: Path) -> None:
    """The signature is part of what was approved."""
    runtime.save(CARD.encode(), tmp_path, ABOUT)
    (tmp_path / runtime.FILE).write_text(CARD.replace('"where"', '"there"'))

    with pytest.raises(BadModel, match="something else than its signature says"):
        load(tmp_path)


def test_a_document_that_is_refused_leaves_no_directory_behind(tmp_path: Path) -> None:
    """With the name and line of what is not evaluated."""
    with pytest.raises(BadPmml, match=r"line \d+: function 'soundex' is not supported"):
        runtime.save(CARD.replace("uppercase", "soundex").encode(), tmp_path, ABOUT)

    assert list(tmp_path.iterdir()) == []


def test_a_matrix_of_doubles_is_taken_as_it_is(tmp_path: Path) -> None:
    """One row of numbers, of which the server counts microseconds, and thresholds are doubles."""
    text = """<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><DataDictionary>
    <DataField name="x" optype="continuous" dataType="double"/></DataDictionary>
    <TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Node><True/>
    <Node score="1"><SimplePredicate field="x" operator="lessOrEqual" value="0.1"/></Node><Node score="2"><True/></Node>
    </Node></TreeModel></PMML>"""
    runtime.save(text.encode(), tmp_path, ABOUT)

    model = load(tmp_path)

    assert model.matrix == np.float64
    assert model.answer_matrix(np.array([[0.1], [np.nextafter(0.1, 1)]]))["prediction"].tolist() == [1.0, 2.0]
