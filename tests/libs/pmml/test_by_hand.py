"""Answers that are worked out by hand: what JPMML does not evaluate, and what a reader of the standard expects."""

import numpy as np
import pytest

from headrace.pmml import NotExact, load
from headrace.pmml.compile import graph_of
from headrace.pmml.sample import rows_for
from headrace.tasks import target_of

from .conftest import assert_same, graph_answer
from .examples import (
    ALL,
    LABELS,
    NUMBERS,
    apply,
    derived,
    node,
    output,
    outputs,
    pmml,
    ref,
    regression,
    simple,
    table,
    tree,
)
from .made_up import MADE_UP


def weighted(strategy: str) -> str:
    """Two branches; the left one has 10 records, the right one 30 in two leaves."""
    right = node(
        simple("a", "greaterThan", 0),
        node(simple("b", "lessThan", 0), score="no", counts={"no": 12, "yes": 8}, recordCount=20),
        node(simple("b", "greaterOrEqual", 0), score="yes", counts={"no": 1, "yes": 9}, recordCount=10),
        recordCount=30,
        counts={"no": 13, "yes": 17},
    )
    left = node(simple("a", "lessOrEqual", 0), score="no", counts={"no": 9, "yes": 1}, recordCount=10)
    return pmml(LABELS, tree("classification", ("a", "b"), node("<True/>", left, right), missingValueStrategy=strategy))


ROWS = {"a": [-1.0, 1.0, None, None, 1.0], "b": [0.0, -1.0, -1.0, None, None]}


def test_weighted_confidence_weighs_branches_by_their_records() -> None:
    """A quarter of the left leaf and three quarters of the right branch, where `a` is missing."""
    document = load(weighted("weightedConfidence").encode())
    told = document.answer(ROWS)

    right = 0.4 * 2 / 3 + 0.9 / 3
    assert told["probability"].tolist() == pytest.approx(
        [0.1, 0.4, 0.1 / 4 + 0.4 * 3 / 4, 0.1 / 4 + right * 3 / 4, right]
    )
    assert told["label"].tolist() == ["no", "no", "no", "no", "yes"]
    assert_same(told, graph_answer(document, ROWS))


def test_aggregate_nodes_adds_the_records_of_all_leaves() -> None:
    """As if the leaves that a row may reach were one."""
    document = load(weighted("aggregateNodes").encode())
    told = document.answer(ROWS)

    assert told["probability"].tolist() == pytest.approx([0.1, 8 / 20, 9 / 30, 18 / 40, 17 / 30])
    assert_same(told, graph_answer(document, ROWS))


def test_thresholds_are_compared_as_doubles() -> None:
    """0.1 and the next double are two sides of a threshold; as float32 they are one number."""
    children = (node(simple("a", "lessOrEqual", 0.1), score=1), node(simple("a", "greaterThan", 0.1), score=2))
    document = load(pmml(NUMBERS, tree("regression", ("a",), node("<True/>", *children))).encode())
    rows = {"a": [0.1, float(np.nextafter(0.1, 1.0)), float(np.float32(0.1))]}

    assert document.answer(rows)["prediction"].tolist() == [1.0, 2.0, 2.0]
    assert graph_answer(document, rows)["prediction"].tolist() == [1.0, 2.0, 2.0]


def test_a_field_of_type_float_is_rounded_first() -> None:
    """As PMML's own type has it; then 0.1 and its neighbours are one number."""
    children = (node(simple("a", "lessOrEqual", 0.1), score=1), node(simple("a", "greaterThan", 0.1), score=2))
    fields = {"a": "float", "y": "double"}
    document = load(pmml(fields, tree("regression", ("a",), node("<True/>", *children))).encode())
    rows = {"a": [0.1, float(np.nextafter(0.1, 1.0)), float(np.float32(0.1))]}

    assert document.answer(rows)["prediction"].tolist() == [1.0, 1.0, 1.0]


def test_labels_keep_their_type_and_order() -> None:
    """Whole numbers and truth values are labels of their own type; a row without an answer has none."""
    tables = (table(0.5, '<NumericPredictor name="a" coefficient="1"/>', label="10"), table(0, label="9"))
    whole = load(
        pmml({"a": "double", "y": "integer"}, regression("classification", ("a",), *tables, method="logit")).encode()
    )
    told = whole.answer({"a": [1.0, -1.0, None]})

    assert whole.signature.outputs[0].labels == [9, 10]
    assert whole.signature.outputs[1].label == 10
    assert whole.signature.task == "binary"
    assert told["label"].tolist()[:2] == [10.0, 9.0]
    assert np.isnan(told["label"][2])
    assert np.isnan(told["probability"][2])


def test_one_invalid_row_stops_no_other() -> None:
    """`returnInvalid` means that row alone."""
    document = load(
        pmml(
            LABELS,
            tree(
                "classification",
                ("a", "c"),
                node("<True/>", node(simple("c", "equal", "red"), score="no"), node("<True/>", score="yes")),
            ),
        ).encode()
    )
    rows = {"a": [0.0, 0.0, 0.0], "c": ["red", "octarine", "blue"]}

    assert document.answer(rows)["label"].tolist() == ["no", "", "yes"]
    assert graph_answer(document, rows)["label"].tolist() == ["no", "", "yes"]


def test_inputs_have_types_and_may_be_missing() -> None:
    """By the dictionary; a field that must not be missing says so."""
    fields = {"a": "double", "i": "integer", "s": "string x y", "t": "boolean", "f": "float", "y": "double"}
    model = regression(
        "regression", ("a", "i", "s", "t", "f"), table(1, '<NumericPredictor name="a" coefficient="2"/>')
    )
    model = model.replace('<MiningField name="i" ', '<MiningField name="i" missingValueTreatment="returnInvalid" ')

    inputs = load(pmml(fields, model).encode()).signature.inputs

    assert [(t.name, t.datatype, t.nullable) for t in inputs] == [
        ("a", "FP64", True),
        ("i", "INT64", False),
        ("s", "BYTES", True),
        ("t", "BOOL", True),
        ("f", "FP64", True),
    ]


def test_output_fields_are_more_outputs() -> None:
    """But for those that say what the task says, and those that are steps on the way."""
    more = outputs(
        output("copy", "predictedValue", "double"),
        output("step", "transformedValue", "double", inner=ref("a"), isFinalResult="false"),
        output("doubled", "transformedValue", "double", inner=apply("+", ref("step"), ref("step"))),
        output(
            "decided",
            "decision",
            inner=apply(
                "if",
                apply("greaterThan", ref("copy"), ref("a")),
                '<Constant dataType="string">up</Constant>',
                '<Constant dataType="string">down</Constant>',
            ),
        ),
    )
    document = load(
        pmml(
            NUMBERS,
            regression("regression", ("a",), table(1, '<NumericPredictor name="a" coefficient="2"/>'), inner=more),
        ).encode()
    )

    told = document.answer({"a": [3.0, -5.0, None]})
    assert [tensor.name for tensor in document.signature.outputs] == ["prediction", "doubled", "decided"]
    assert told["doubled"].tolist()[:2] == [6.0, -10.0]
    assert told["decided"].tolist() == ["up", "down", ""]


def test_what_no_graph_can_do_says_why() -> None:
    """The reason stands in the remarks of an import."""
    inner = f"<LocalTransformations>{derived('d', apply('atan', ref('a')))}</LocalTransformations>"
    document = load(
        pmml(
            NUMBERS,
            regression("regression", ("a",), table(0, '<NumericPredictor name="d" coefficient="1"/>'), inner=inner),
        ).encode()
    )

    with pytest.raises(NotExact, match="no arctan of float64"):
        graph_of(document)


@pytest.mark.parametrize(
    "name", ["RegressionModel: terms", "RegressionModel: two labels logit", "RegressionModel: three labels softmax"]
)
def test_outputs_are_those_of_the_task(name: str) -> None:
    """The task finds its labels, its score and its own outputs in a document's signature."""
    document = load(ALL[name].encode())
    target = target_of(document.signature)
    told = document.answer(rows_for(document, 50))

    assert [tensor.model_dump() for tensor in target.outputs()] == [t.model_dump() for t in document.signature.outputs]
    score = target.score(told)
    assert score is not None
    assert score.known.sum() > 10


@pytest.mark.parametrize("kind", MADE_UP)
@pytest.mark.parametrize("seed", range(100, 104))
def test_a_made_up_model_is_answered_alike_by_graph_and_numpy(kind: str, seed: int) -> None:
    """Random trees, forests and scorecards; `make pmml` asks JPMML as well."""
    document = load(MADE_UP[kind](seed).encode())
    rows = rows_for(document, 200, seed)

    assert_same(document.answer(rows), graph_answer(document, rows))
