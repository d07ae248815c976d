"""PMML documents as somebody else's program wrote them: columns, labels, tasks, runtimes, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import DatasetIngested
from headrace.runtimes import read_description
from headrace.testkit.s3 import S3
from headrace.trainer.formats.catalog import FORMATS

from . import made_elsewhere as made
from .conftest import COLUMNS, flights
from .takeovers import FEATURES, refused, served, taken

Known = tuple[S3, DatasetIngested]
POINTS = {"task": "regression", "metrics": ["mae"], "target": "late"}
SCORECARD = """<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
<DataDictionary>
<DataField name="WIND_KT" optype="continuous" dataType="double"/>
<DataField name="AIRLINE" optype="categorical" dataType="string"/>
<DataField name="late" optype="continuous" dataType="double"/>
</DataDictionary>
<Scorecard functionName="regression" initialScore="0.1" useReasonCodes="true" reasonCodeAlgorithm="pointsBelow"
 baselineMethod="other">
<MiningSchema><MiningField name="WIND_KT"/><MiningField name="AIRLINE"/><MiningField name="late" usageType="target"/>
</MiningSchema>
<Output><OutputField name="why" feature="reasonCode" rank="1" optype="categorical" dataType="string"/></Output>
<Characteristics>
<Characteristic name="wind" reasonCode="calm" baselineScore="0.6">
<Attribute partialScore="0.6"><SimplePredicate field="WIND_KT" operator="greaterThan" value="20"/></Attribute>
<Attribute partialScore="0.1"><True/></Attribute>
</Characteristic>
<Characteristic name="airline" reasonCode="punctual" baselineScore="0.2">
<Attribute partialScore="0.2"><SimplePredicate field="AIRLINE" operator="equal" value="UA"/></Attribute>
<Attribute partialScore="0"><True/></Attribute>
</Characteristic>
</Characteristics>
</Scorecard></PMML>"""
VOTE = """<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><DataDictionary>
<DataField name="wind" optype="continuous" dataType="double"/>
<DataField name="y" optype="categorical" dataType="integer"/></DataDictionary>
<TreeModel functionName="classification"><MiningSchema><MiningField name="wind"/>
<MiningField name="y" usageType="target"/></MiningSchema><Node><True/>
<Node score="1"><SimplePredicate field="wind" operator="greaterThan" value="20"/></Node>
<Node score="0"><True/></Node></Node></TreeModel></PMML>"""
ORDER = {"order": ["wind", "carrier"]}


def points(rows: pd.DataFrame) -> np.ndarray:
    """What the scorecard says, by hand."""
    return np.asarray(0.1 + np.where(rows.wind > 20, 0.6, 0.1) + np.where(rows.carrier == "UA", 0.2, 0.0))


def test_a_scorecard_answers_by_a_graph_under_the_names_of_the_dataset(known: Known, tmp_path: Path) -> None:
    """Its fields have the vendor's names; which columns they are is said, and its reasons are kept."""
    brought = taken(known, SCORECARD.encode(), **POINTS, **ORDER)

    model, rows = served(known, brought, tmp_path), flights(rows=500, seed=5)
    said = model.answer({"wind": rows.wind.to_numpy(), "carrier": rows.carrier.to_numpy()})
    assert said["prediction"] == pytest.approx(points(rows), abs=1e-12)
    assert {"calm", "punctual"} <= set(said["why"]) <= {"calm", "punctual", ""}
    assert model.platform == "onnx_onnxruntime"
    assert (brought.format, brought.framework, brought.estimator) == ("pmml", "pmml", "Scorecard")
    assert (brought.largest_difference, brought.compared_rows) == (pytest.approx(0, abs=1e-12), 150)
    assert [tensor.name for tensor in brought.signature.inputs] == ["wind", "carrier"]


def test_what_no_graph_says_exactly_is_answered_by_the_document_itself(known: Known, tmp_path: Path) -> None:
    """The runtime is `pmml`, with the names that were said; nothing is compared, since nothing was converted."""
    upper = SCORECARD.replace(
        "<Characteristics>",
        '<LocalTransformations><DerivedField name="LOUD" optype="categorical" dataType="string">'
        '<Apply function="uppercase"><FieldRef field="AIRLINE"/></Apply></DerivedField></LocalTransformations>'
        "<Characteristics>",
    ).replace('field="AIRLINE" operator', 'field="LOUD" operator')

    brought = taken(known, upper.encode(), **POINTS, **ORDER)

    folder = known[0].sync.get_directory(brought.artifact, tmp_path / "described")
    assert read_description(folder).runtime == "pmml"
    assert (brought.largest_difference, brought.compared_rows) == (None, 0)
    assert [each for each in brought.warnings if "no graph is exact: a function of texts" in each]
    said = served(known, brought, tmp_path).answer({"wind": [30.0, 10.0], "carrier": ["ua", "AA"]})
    assert said["prediction"] == pytest.approx([0.9, 0.2])


def test_labels_are_told_as_the_data_write_them(known: Known, tmp_path: Path) -> None:
    """A document that calls 0 and 1 by text is met by its data; other words are named by who imports it."""
    text = made.pmml(flights()).replace(b'dataType="integer"', b'dataType="string"')
    brought = taken(known, text)
    assert brought.signature.outputs[0].labels == [0, 1]
    assert brought.metrics["roc_auc"] > 0.8

    words = made.pmml(flights(), labels=("no", "yes"))
    assert "knows the labels 'no', 'yes', and 'late' of dataset flights holds 0, 1" in refused(known, words)
    brought = taken(known, words, labels=[0, 1])
    rows = flights(rows=400, seed=6)
    said = served(known, brought, tmp_path).answer({name: rows[name].to_numpy() for name in made.FEATURES})
    assert said["probability"] == pytest.approx(made.probability(made.pipeline(flights()), rows), abs=1e-9)
    assert set(said["label"]) == {0.0, 1.0}
    assert taken(known, words, labels=[1, 0]).metrics["roc_auc"] < 0.2


def test_the_positive_label_is_the_declared_one(known: Known, tmp_path: Path) -> None:
    """Of two labels figures are about the one that the declaration names."""
    brought = taken(known, made.pmml(flights()), positive=0)
    rows = flights(rows=50, seed=2)
    said = served(known, brought, tmp_path).answer({name: rows[name].to_numpy() for name in made.FEATURES})
    expected = 1 - made.probability(made.pipeline(flights()), rows)
    assert said["probability"] == pytest.approx(expected, abs=1e-9)


def test_who_made_it_and_what_a_request_may_carry_are_told(known: Known) -> None:
    """The application of the header, and the declaration's context columns."""
    context = [column for column in COLUMNS if column.name == "at"]
    brought = taken(known, made.pmml(flights()), context=context)
    assert brought.producer == "Vendor Miner 9.4"
    assert [column.name for column in brought.signature.context or ()] == ["at"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (('normalizationMethod="logit"', 'normalizationMethod="martian"'), r"line 10: .*'martian' is not supported"),
        (("<DataDictionary>", "<DataDictionary><Surprise/>"), "line 4: element Surprise in DataDictionary"),
        (("<PMML ", "<!DOCTYPE PMML [<!ENTITY a 'b'>]><PMML "), "a document type or entity is refused"),
        (('version="4.4">\n<Header>', 'version="3.2">\n<Header>'), "line 2: PMML version '3.2' is not supported"),
        (('name="wind"', 'name="gust"'), "takes 'gust', which is no feature of the declaration"),
        (('name="wind" optype="continuous" dataType="double"', 'name="wind" dataType="string"'), "takes BYTES"),
    ],
)
def test_what_is_not_evaluated_or_does_not_fit_is_refused_with_its_line(
    change: tuple[str, str], why: str, known: Known
) -> None:
    """As `artifact`, in words that say what and where."""
    text = made.pmml(flights()).decode().replace(*change)
    reason = refused(known, text.encode(), "vendor.pmml")
    assert re.search(why, reason), reason


def test_a_document_for_another_task_is_refused(known: Known) -> None:
    """Points are no probability, labels alone cannot be judged, and outputs are not chosen."""
    reason = refused(known, SCORECARD.encode(), **ORDER)
    assert reason == "the PMML document, a Scorecard, is a model for regression, and the declared task is binary"
    assert "is a model for binary, and the declared task is quantiles" in refused(
        known, made.pmml(flights()), task="quantiles", metrics=["pinball"]
    )
    assert "leave out --output" in refused(known, made.pmml(flights()), outputs={"probability": "p"})
    assert "gives labels without probabilities" in refused(known, VOTE.encode(), features=FEATURES[:1])


def test_a_document_that_leaves_rows_without_an_answer_is_refused(known: Known) -> None:
    """What is invalid for it would be answered with nothing; the document can say what to do instead."""
    named = SCORECARD.replace(
        'name="AIRLINE" optype="categorical" dataType="string"/>',
        'name="AIRLINE" optype="categorical" dataType="string"><Value value="UA"/></DataField>',
    )
    reason = refused(known, named.encode(), **POINTS, **ORDER)
    assert re.search(r"it gives no answer for \d+ of 150 rows that judge it", reason)
    lenient = named.replace(
        '<MiningField name="AIRLINE"/>', '<MiningField name="AIRLINE" invalidValueTreatment="asIs"/>'
    )
    assert taken(known, lenient.encode(), **POINTS, **ORDER).metrics["mae"] < 0.5


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (SCORECARD.encode(), True),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- by hand --><PMML version='4.4'/>", True),
        ("<?xml version='1.0' encoding='UTF-16'?><PMML version='4.4'/>".encode("utf-16"), True),
        (b"<p:PMML xmlns:p='x'/>", True),
        (b"<?xml version='1.0'?><html>PMML</html>", False),
        (b"PMML", False),
        (b"", False),
    ],
)
def test_a_document_is_known_by_its_root(data: bytes, found: bool, tmp_path: Path) -> None:
    """Whatever it is called, and in whichever encoding."""
    (tmp_path / "model").write_bytes(data)
    assert (FORMATS["pmml"].load().found(tmp_path) is not None) is found
