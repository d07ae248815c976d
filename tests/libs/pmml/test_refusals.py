"""What is refused, with its name and line; and bytes that nobody should send."""
# ruff: noqa: E501 (XML reads worse where it is broken)

import re

import pytest

from headrace.pmml import BadPmml, Unsupported, load
from headrace.pmml import xml as xml_module

from .examples import (
    ABC,
    ALL,
    LABELS,
    NUMBERS,
    apply,
    const,
    derived,
    mining,
    node,
    pmml,
    ref,
    regression,
    schema,
    segment,
    simple,
    table,
    tree,
)

LINE = regression("regression", ("a",), table(1, '<NumericPredictor name="a" coefficient="2"/>'))
GOOD = pmml(NUMBERS, LINE)


def refused(text: str | bytes) -> str:
    """Why a document is refused."""
    with pytest.raises(BadPmml) as error:
        load(text if isinstance(text, bytes) else text.encode())
    return str(error.value)


def line_of(text: str, part: str) -> int:
    """On which line a part stands."""
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("part", "instead", "named"),
    [
        ("<NumericPredictor", "<TextPredictor name='a'/><NumericPredictor", "element TextPredictor in RegressionTable"),
        ('functionName="regression"', 'functionName="timeSeries"', "functionName 'timeSeries'"),
        ('normalizationMethod="none"', 'normalizationMethod="logarithm"', "normalizationMethod 'logarithm'"),
        ("<MiningField name=\"a\" ", "<MiningField name=\"a\" outliers=\"asMedian\" ", "outliers 'asMedian'"),
        ("<MiningField name=\"a\" ", "<MiningField name=\"a\" invalidValueTreatment=\"guess\" ", "invalidValueTreatment 'guess'"),
        ('<MiningField name="a" ', '<MiningField name="a" usageType="order" ', "usageType 'order'"),
        ('coefficient="2"', 'coefficient="two"', "'two' is no number"),
        ('coefficient="2"', "", "NumericPredictor has no attribute coefficient"),
        ('name="a" coefficient', 'name="q" coefficient', "there is no field 'q'"),
        ('dataType="double"', 'dataType="dateTime"', "dataType 'dateTime'"),
        ("<Header/>", "<Header/><AssociationModel/>", "element AssociationModel in PMML"),
        ('version="4.4"', 'version="3.2"', "version '3.2'"),
    ],
)  # fmt: skip
def test_what_is_not_evaluated_is_refused_with_its_name_and_line(part: str, instead: str, named: str) -> None:
    """Nothing is passed over: an answer without it would be another model's."""
    text = GOOD.replace(part, instead, 1) if part in GOOD else pytest.fail(f"{part} is not there")
    why = refused(text)

    assert named in why
    assert re.match(r"line \d+: ", why)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        (apply("matches", ref("c"), const("(a+)+$", "string")), "function 'matches'"),
        (apply("nosuch", ref("a")), "function 'nosuch'"),
        (apply("ln", ref("a"), ref("b")), "function 'ln' is given 2 arguments"),
        (apply("ln", ref("c")), "a function of numbers is given text"),
        ('<Lag field="a" n="1"/>', "expression Lag"),
        ('<Aggregate field="a" function="sum"/>', "expression Aggregate"),
        (ref("d"), "field 'd' is derived from itself"),
        (const("one"), "'one' is no number"),
        (apply("twice", ref("a")), "function 'twice' calls itself"),
        ('<NormContinuous field="a"><LinearNorm orig="0" norm="0"/></NormContinuous>', "needs two points"),
    ],
)
def test_an_expression_that_is_not_evaluated_is_refused(expression: str, named: str) -> None:
    """When the document is read, not when the first row comes."""
    twice = f'<DefineFunction name="twice" optype="continuous"><ParameterField name="x"/>{apply("twice", ref("x"))}</DefineFunction>'
    inner = f"<LocalTransformations>\n{derived('d', expression)}</LocalTransformations>"
    text = pmml(
        NUMBERS,
        regression("regression", ABC, table(0, '<NumericPredictor name="d" coefficient="1"/>'), inner=inner),
        twice,
    )

    assert named in refused(text)


def test_the_line_is_that_of_the_element() -> None:
    """So that it is found in a document of a million lines."""
    text = pmml(
        LABELS, tree("classification", ABC, "\n".join(["", "", node("<True/>", "\n<EmbeddedModel/>", score="no")]))
    )

    assert refused(text).startswith(f"line {line_of(text, '<EmbeddedModel/>')}: element EmbeddedModel in Node")


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (mining("regression", "max", ("a",), segment(LINE)), "multipleModelMethod 'max' of a regression"),
        (mining("classification", "sum", ("a",), segment(LINE)), "multipleModelMethod 'sum' of a classification"),
        (mining("regression", "sum", ("a",)), "Segmentation has no Segment"),
        (mining("regression", "sum", ("a",), "<Segment><True/></Segment>"), "Segment has no model"),
        (tree("regression", ("a",), node("<True/>", score="much")), "score 'much' is no number"),
        (tree("regression", ("a",), node(simple("a", "near", 1), score=1)), "operator 'near'"),
        (tree("regression", ABC, node(simple("c", "lessThan", "red"), score=1)), "lessThan of texts"),
        (tree("regression", ("a",), node("", score=1)), "Node has no SimplePredicate or"),
        (tree("regression", ("a",), node("<True/>", score=1), missingValuePenalty=0.5), "missingValuePenalty"),
        (f'<RegressionModel functionName="regression">{schema(())}{table(1)}</RegressionModel>', "takes no field"),
        (regression("regression", ("z",), table(1)), "there is no field 'z'|'z' is not in the DataDictionary"),
    ],
)
def test_a_model_that_cannot_answer_is_refused(model: str, named: str) -> None:
    """With what is wrong."""
    assert re.search(named, refused(pmml(NUMBERS, model)))


def test_a_classification_of_one_label_is_refused() -> None:
    """There is nothing to tell apart."""
    text = pmml(LABELS, tree("classification", ("a",), node("<True/>", score="yes")))

    assert "two labels or more are needed" in refused(text)


def test_a_positive_label_that_the_model_does_not_know_is_refused() -> None:
    """With the labels that it knows."""
    with pytest.raises(BadPmml, match="'maybe' is no label of the model; these are 'no', 'yes'"):
        load(ALL["TreeModel: tree none"].encode(), positive="maybe")


def test_the_positive_label_is_the_greater_one_or_the_one_that_is_said() -> None:
    """`probability` is about it, and it is the last of the labels."""
    usual, said = (load(ALL["TreeModel: tree none"].encode(), positive=label) for label in (None, "no"))

    rows = {"a": [0.0, 1.0], "b": [0.0, 0.0], "c": ["red", "blue"]}
    assert [each.signature.outputs[0].labels for each in (usual, said)] == [["no", "yes"], ["yes", "no"]]
    assert usual.answer(rows)["probability"].tolist() == pytest.approx((1 - said.answer(rows)["probability"]).tolist())
    assert usual.answer(rows)["label"].tolist() == said.answer(rows)["label"].tolist()


LAUGHS = (
    '<!DOCTYPE PMML [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    "<PMML version='4.4'>&c;</PMML>"
)
OUTSIDE = '<!DOCTYPE PMML [<!ENTITY file SYSTEM "file:///etc/passwd">]><PMML version="4.4">&file;</PMML>'
FOREIGN = '<!DOCTYPE PMML SYSTEM "http://127.0.0.1:9/model.dtd"><PMML version="4.4"/>'


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, FOREIGN, '<!DOCTYPE PMML><PMML version="4.4"/>'])
def test_a_document_type_is_refused(text: str) -> None:
    """Entities grow without bound, or read files and addresses; no PMML needs any."""
    assert "document type or entity is refused" in refused(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04K\x01.",
        b"not xml",
        GOOD.encode()[: len(GOOD) // 2],
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="none"?><PMML/>',
    ],
)
def test_bytes_that_are_no_xml_are_refused(data: bytes) -> None:
    """Empty, a pickle, text, cut in half, or in no encoding."""
    assert refused(data)


def test_another_root_is_refused() -> None:
    """Any other XML is no model."""
    assert "root element is html, not PMML" in refused("<html/>")


def test_very_deep_and_very_large_documents_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they fill the stack or memory."""
    deep = "<Node>" * 300 + "</Node>" * 300
    assert "nested deeper than 200" in refused(f'<PMML version="4.4">{deep}</PMML>')
    monkeypatch.setattr(xml_module, "MOST_ELEMENTS", 5)
    assert "more than 5 elements" in refused(GOOD)
    monkeypatch.setattr(xml_module, "MOST_BYTES", 100)
    assert "100 are read at most" in refused(GOOD)


def test_a_tree_of_150_levels_is_read() -> None:
    """The deepest that are grown have some 60."""
    inner = node("<True/>", score=2)
    for level in range(150):
        inner = node("<True/>", node(simple("a", "lessThan", level), score=1), inner)

    told = load(pmml(NUMBERS, tree("regression", ("a",), inner)).encode()).answer({"a": [148.5, 200.0, None]})

    assert told["prediction"].tolist() == [1.0, 2.0, 2.0]


def test_what_only_describes_is_passed_over() -> None:
    """Extensions, statistics and a header with anything."""
    text = GOOD.replace("<Header/>", '<Header copyright="us"><Application name="x"/></Header>').replace(
        "</MiningSchema>",
        "</MiningSchema><ModelStats><UnivariateStats field='a'/></ModelStats><Extension name='x'><Anything/></Extension>",
    )

    assert load(text.encode()).answer({"a": [1.0]})["prediction"].tolist() == [3.0]


@pytest.mark.parametrize("version", ["4.0", "4.1", "4.2", "4.3", "4.4"])
def test_every_version_of_4_is_read(version: str) -> None:
    """They differ in what they add."""
    assert load(pmml(NUMBERS, LINE, version=version).encode()).version == version


def test_unsupported_is_told_from_broken() -> None:
    """A document may be right, and not evaluated here."""
    with pytest.raises(Unsupported) as unsupported:
        load(GOOD.replace("<NumericPredictor", "<Other/><NumericPredictor").encode())
    with pytest.raises(BadPmml) as broken:
        load(GOOD.replace('coefficient="2"', 'coefficient="x"').encode())

    assert unsupported.value.line == broken.value.line
    assert not isinstance(broken.value, Unsupported)
