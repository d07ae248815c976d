"""Predicates, fields, targets and the reader of XML by themselves, on arrays."""
# ruff: noqa: E501 (XML reads worse where it is broken)

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.pmml import BadPmml, Unsupported
from headrace.pmml.arrays import ArrayOps
from headrace.pmml.columns import DOUBLE, SINGLE, TEXT, TRUTH, WHOLE, Column, cast, spell_number, typed
from headrace.pmml.expressions import read_expression
from headrace.pmml.fields import DataField, MiningField, Treated, read_dictionary, read_interval, read_schema, treat
from headrace.pmml.outputs import read_outputs
from headrace.pmml.predicates import read_predicate
from headrace.pmml.result import Result
from headrace.pmml.scope import Run, Scope
from headrace.pmml.targets import read_targets
from headrace.pmml.xml import Element, read, words

NONE = math.nan
VALUES = [-1.0, 0.0, 0.5, 1.0, 2.0, NONE]


def xml(text: str) -> Element:
    """One element."""
    return read(text.encode())


def listed(values: Any, rows: int = len(VALUES)) -> list[float | None]:
    """Numbers with None where they are missing."""
    return [None if each != each else each for each in np.broadcast_to(values, (rows,)).tolist()]


def scope(rows: int = len(VALUES), **values: list[Any]) -> Scope[Any]:
    """Fields of numbers and texts."""
    ops = ArrayOps(rows)

    def column(given: list[Any]) -> Column[Any]:
        texts = any(isinstance(each, str) for each in given)
        return Column(ops.encoded(given), TEXT) if texts else Column(np.array(given, dtype=float), DOUBLE)

    return Scope(Run(ops), {name: column(each) for name, each in values.items()})


@pytest.mark.parametrize(
    ("operator", "answers"),
    [
        ("equal", [0, 0, 1, 0, 0, None]),
        ("notEqual", [1, 1, 0, 1, 1, None]),
        ("lessThan", [1, 1, 0, 0, 0, None]),
        ("lessOrEqual", [1, 1, 1, 0, 0, None]),
        ("greaterThan", [0, 0, 0, 1, 1, None]),
        ("greaterOrEqual", [0, 0, 1, 1, 1, None]),
        ("isMissing", [0, 0, 0, 0, 0, 1]),
        ("isNotMissing", [1, 1, 1, 1, 1, 0]),
    ],
)
def test_a_field_is_compared_with_a_value(operator: str, answers: list[float | None]) -> None:
    """Each operator below, at and above its value, and where there is none."""
    predicate = read_predicate(xml(f'<SimplePredicate field="x" operator="{operator}" value="0.5"/>'))

    assert listed(predicate.run(scope(x=VALUES))) == answers


@pytest.mark.parametrize(
    ("operator", "array", "answers"),
    [
        ("isIn", "0 2", [0, 1, 0, 0, 1, None]),
        ("isNotIn", "0 2", [1, 0, 1, 1, 0, None]),
        ("isIn", "2.0 0.50 2", [0, 0, 1, 0, 1, None]),
        ("isIn", "", [0, 0, 0, 0, 0, None]),
        ("isNotIn", "", [1, 1, 1, 1, 1, None]),
    ],
)
def test_a_number_is_in_a_set_or_not(operator: str, array: str, answers: list[float | None]) -> None:
    """By its value, not by how it is written; a missing one is neither."""
    text = f'<SimpleSetPredicate field="x" booleanOperator="{operator}"><Array type="real">{array}</Array></SimpleSetPredicate>'

    assert listed(read_predicate(xml(text)).run(scope(x=VALUES))) == answers


def test_a_text_is_in_a_set_or_not() -> None:
    """Words with a space and with quotation marks stand in such marks."""
    text = (
        '<SimpleSetPredicate field="c" booleanOperator="isIn"><Array type="string">red "dark blue" "a\\"b"</Array>'
        "</SimpleSetPredicate>"
    )
    found = read_predicate(xml(text)).run(scope(c=["red", "blue", "dark blue", 'a"b', None, "dark"]))

    assert listed(found) == [1, 0, 1, 1, None, 0]


KLEENE = {
    "and": [1, 0, None, 0, 0, 0, None, 0, None],
    "or": [1, 1, 1, 1, 0, None, 1, None, None],
    "xor": [0, 1, None, 1, 0, None, None, None, None],
    "surrogate": [1, 1, 1, 0, 0, 0, 1, 0, None],
}
"""Of true, false and unknown with each of them."""


@pytest.mark.parametrize("operator", KLEENE)
def test_predicates_are_combined_by_kleenes_tables(operator: str) -> None:
    """A surrogate is the first that is known."""
    one = [2.0] * 3 + [-2.0] * 3 + [NONE] * 3
    other = [2.0, -2.0, NONE] * 3
    ask = '<SimplePredicate field="{}" operator="greaterThan" value="0"/>'
    text = f'<CompoundPredicate booleanOperator="{operator}">{ask.format("a")}{ask.format("b")}</CompoundPredicate>'

    assert listed(read_predicate(xml(text)).run(scope(9, a=one, b=other)), 9) == KLEENE[operator]


@pytest.mark.parametrize(
    ("operator", "answer"),
    [("and", 0.0), ("or", 1.0), ("xor", 0.0), ("surrogate", 1.0)],
)
def test_more_than_two_predicates_are_combined_from_the_left(operator: str, answer: float) -> None:
    """True, true and false: an even number of true ones makes xor false."""
    parts = "<True/><True/><False/>"

    found = read_predicate(xml(f'<CompoundPredicate booleanOperator="{operator}">{parts}</CompoundPredicate>'))

    assert listed(found.run(scope(1)), 1) == [answer]


def test_predicates_lie_in_each_other() -> None:
    """Not above a half, or missing: the surrogate of the first is the second."""
    text = """<CompoundPredicate booleanOperator="surrogate">
      <SimplePredicate field="x" operator="lessOrEqual" value="0.5"/>
      <CompoundPredicate booleanOperator="or"><SimplePredicate field="x" operator="isMissing"/><False/></CompoundPredicate>
    </CompoundPredicate>"""

    assert listed(read_predicate(xml(text)).run(scope(x=VALUES))) == [1, 1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('<SimplePredicate field="x" operator="about" value="1"/>', Unsupported, "operator 'about' is not supported"),
        ('<SimplePredicate field="x" operator="equal"/>', BadPmml, "SimplePredicate has no attribute value"),
        ('<SimplePredicate operator="equal" value="1"/>', BadPmml, "SimplePredicate has no attribute field"),
        ('<SimplePredicate field="x" value="1"/>', BadPmml, "SimplePredicate has no attribute operator"),
        ('<SimplePredicate field="x" operator="equal" value="1"><True/></SimplePredicate>', Unsupported, "element True in"),
        ('<CompoundPredicate booleanOperator="nor"><True/></CompoundPredicate>', Unsupported, "booleanOperator 'nor'"),
        ('<CompoundPredicate booleanOperator="and"/>', BadPmml, "CompoundPredicate is empty"),
        ('<SimpleSetPredicate field="x" booleanOperator="isIn"/>', BadPmml, "SimpleSetPredicate has no Array"),
        ('<SimpleSetPredicate field="x" booleanOperator="in"><Array>1</Array></SimpleSetPredicate>', Unsupported, "'in'"),
        ("<Maybe/>", Unsupported, "predicate Maybe is not supported"),
        ("<True><False/></True>", Unsupported, "element False in True is not supported"),
    ],
)  # fmt: skip
def test_a_predicate_that_is_not_evaluated_is_refused(text: str, kind: type[BadPmml], says: str) -> None:
    """With its line, and as what it is: not PMML, or not evaluated here."""
    with pytest.raises(kind) as refused:
        read_predicate(xml(text))

    assert type(refused.value) is kind
    assert says in str(refused.value)
    assert str(refused.value).startswith("line 1: ")


@pytest.mark.parametrize(
    ("closure", "answers"),
    [
        ("openOpen", [0, 0, 1, 0, 0, 0]),
        ("openClosed", [0, 0, 1, 1, 0, 0]),
        ("closedOpen", [0, 1, 1, 0, 0, 0]),
        ("closedClosed", [0, 1, 1, 1, 0, 0]),
    ],
)
def test_an_interval_holds_its_closed_ends(closure: str, answers: list[float]) -> None:
    """From 0 to 1; what is missing lies in none."""
    ops = ArrayOps(len(VALUES))
    interval = read_interval(xml(f'<Interval closure="{closure}" leftMargin="0" rightMargin="1"/>'))

    assert ops.flag(interval.holds(ops, np.array(VALUES))).tolist() == answers


@pytest.mark.parametrize(
    ("margin", "answers"),
    [('leftMargin="0.5"', [0, 0, 1, 1, 1, 0]), ('rightMargin="0.5"', [1, 1, 1, 0, 0, 0]), ("", [1, 1, 1, 1, 1, 0])],
)
def test_an_interval_without_an_end_goes_on_for_ever(margin: str, answers: list[float]) -> None:
    """On the side where nothing is said."""
    ops = ArrayOps(len(VALUES))
    interval = read_interval(xml(f'<Interval closure="closedClosed" {margin}/>'))

    assert ops.flag(interval.holds(ops, np.array(VALUES))).tolist() == answers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<Interval leftMargin="0"/>', "line 1: Interval has no attribute closure"),
        ('<Interval closure="halfOpen" leftMargin="0"/>', "line 1: Interval: closure 'halfOpen' is not supported"),
        ('<Interval closure="openOpen" leftMargin="zero"/>', "line 1: Interval: 'zero' is no number"),
        ('<Interval closure="openOpen" rightMargin="1_000"/>', "line 1: Interval: '1_000' is no number"),
    ],
)
def test_an_interval_that_says_too_little_is_refused(text: str, says: str) -> None:
    """Nobody guesses whether an end belongs to it."""
    with pytest.raises(BadPmml) as refused:
        read_interval(xml(text))

    assert str(refused.value) == says


def field(inner: str, kind: str = "double", optype: str = "continuous") -> DataField:
    """A field of the dictionary."""
    text = (
        f'<DataDictionary><DataField name="x" dataType="{kind}" optype="{optype}">{inner}</DataField></DataDictionary>'
    )
    return read_dictionary(xml(text))["x"]


def mined(told: str = "") -> MiningField:
    """A field of a model."""
    return read_schema(xml(f'<MiningSchema><MiningField name="x" {told}/></MiningSchema>'))[0]


def treated(data: DataField | None, mining: MiningField, values: list[Any]) -> tuple[list[Any], list[float]]:
    """What becomes of values, and which rows are refused."""
    inside = scope(len(values), x=values)
    told: Treated[Any] = Treated()
    treat(inside.ops, inside.values["x"], data, mining, told)
    found, refused = told.values["x"], told.refused
    data_out = inside.ops.decoded(found.data).tolist() if found.is_text else listed(found.data, len(values))  # type: ignore[attr-defined]
    return data_out, [] if refused is None else np.flatnonzero(np.broadcast_to(refused, (len(values),))).tolist()


RANGE = '<Interval closure="closedClosed" leftMargin="0" rightMargin="1"/>'


@pytest.mark.parametrize(
    ("inner", "told", "answers", "refused"),
    [
        ("", "", VALUES, []),
        (RANGE, "", [None, 0, 0.5, 1, None, None], [0, 4]),
        (RANGE, 'invalidValueTreatment="returnInvalid"', [None, 0, 0.5, 1, None, None], [0, 4]),
        (RANGE, 'invalidValueTreatment="asIs"', VALUES, []),
        (RANGE, 'invalidValueTreatment="asMissing"', [None, 0, 0.5, 1, None, None], []),
        (RANGE, 'invalidValueTreatment="asMissing" missingValueReplacement="9"', [9, 0, 0.5, 1, 9, 9], []),
        (RANGE, 'invalidValueTreatment="asValue" invalidValueReplacement="7"', [7, 0, 0.5, 1, 7, None], []),
        ("", 'missingValueReplacement="9"', [-1, 0, 0.5, 1, 2, 9], []),
        ("", 'missingValueTreatment="returnInvalid"', VALUES, [5]),
        ("", 'outliers="asExtremeValues" lowValue="0" highValue="1"', [0, 0, 0.5, 1, 1, None], []),
        ("", 'outliers="asExtremeValues" lowValue="0"', [0, 0, 0.5, 1, 2, None], []),
        ("", 'outliers="asExtremeValues" highValue="1"', [-1, 0, 0.5, 1, 1, None], []),
        ("", 'outliers="asMissingValues" lowValue="0" highValue="1"', [None, 0, 0.5, 1, None, None], []),
        (
            "",
            'outliers="asMissingValues" lowValue="0" highValue="1" missingValueReplacement="0.25"',
            [0.25, 0, 0.5, 1, 0.25, 0.25],
            [],
        ),
        ("", 'outliers="asIs" lowValue="0" highValue="1"', VALUES, []),
        ('<Value value="2" property="missing"/>', "", [-1, 0, 0.5, 1, None, None], []),
        ('<Value value="2" property="missing"/>', 'missingValueReplacement="3"', [-1, 0, 0.5, 1, 3, 3], []),
        ('<Value value="2" property="invalid"/>', "", [-1, 0, 0.5, 1, None, None], [4]),
        ('<Value value="1"/><Value value="2"/>', "", [None, None, None, 1, 2, None], [0, 1, 2]),
        (f'<Value value="2"/>{RANGE}', "", [None, 0, 0.5, 1, 2, None], [0]),
        (f'{RANGE}<Value value="0.5" property="invalid"/>', "", [None, 0, None, 1, None, None], [0, 2, 4]),
    ],
)
def test_what_becomes_of_a_number(inner: str, told: str, answers: list[Any], refused: list[int]) -> None:
    """First what stands for missing, then what is allowed, then the ends of the range, then what fills a gap."""
    expected = [None if each != each else each for each in answers]

    assert treated(field(inner), mined(told), VALUES) == (expected, refused)


def test_what_becomes_of_a_text() -> None:
    """A word that is not listed is invalid, as a value or as none; a listed one that means missing is missing."""
    data = field('<Value value="red"/><Value value="?" property="missing"/>', "string", "categorical")
    texts = ["red", "blue", "?", None]

    assert treated(data, mined(), texts) == (["red", "", "", ""], [1])
    assert treated(data, mined('invalidValueTreatment="asIs"'), texts) == (["red", "blue", "", ""], [])
    told = 'invalidValueTreatment="asValue" invalidValueReplacement="other" missingValueReplacement="red"'
    assert treated(data, mined(told), texts) == (["red", "other", "red", "red"], [])


def test_a_field_that_no_dictionary_has_is_taken_as_it_comes() -> None:
    """A derived one, for instance."""
    assert treated(None, mined('missingValueReplacement="1"'), [0.0, None]) == ([0, 1], [])


def test_an_invalid_value_that_is_replaced_by_nothing_said_is_refused() -> None:
    """When the document is read: the sample has such a value."""
    with pytest.raises(BadPmml, match="line 1: field 'x' has no attribute invalidValueReplacement"):
        treated(field(RANGE), mined('invalidValueTreatment="asValue"'), VALUES)


@pytest.mark.parametrize(
    ("usage", "active", "target"),
    [
        ("", True, False),
        ('usageType="active"', True, False),
        ('usageType="target"', False, True),
        ('usageType="predicted"', False, True),
        ('usageType="supplementary"', False, False),
        ('usageType="frequencyWeight"', False, False),
        ('usageType="analysisWeight"', False, False),
    ],
)
def test_what_a_field_is_for(usage: str, active: bool, target: bool) -> None:
    """It is taken, predicted, or of no concern."""
    assert (mined(usage).is_active, mined(usage).is_target) == (active, target)


@pytest.mark.parametrize(
    ("told", "raw", "answers"),
    [
        ("", [1.5, -1.0, NONE], [1.5, -1, None]),
        ('min="0" max="1"', [1.5, -1.0, NONE], [1, 0, None]),
        ('min="0"', [1.5, -1.0, NONE], [1.5, 0, None]),
        ('max="1"', [1.5, -1.0, NONE], [1, -1, None]),
        ('rescaleFactor="2"', [1.5, -1.0, NONE], [3, -2, None]),
        ('rescaleConstant="2"', [1.5, -1.0, NONE], [3.5, 1, None]),
        ('rescaleFactor="2" rescaleConstant="3"', [1.5, -1.0, NONE], [6, 1, None]),
        ('min="0" max="1" rescaleFactor="10" rescaleConstant="1"', [1.5, -1.0, NONE], [11, 1, None]),
        ('castInteger="round"', [1.5, -1.5, 2.4], [2, -1, 2]),
        ('castInteger="round"', [0.49999999999999994, 4503599627370497.0, NONE], [0, 4503599627370497, None]),
        ('castInteger="ceiling"', [1.5, -1.5, 2.4], [2, -1, 3]),
        ('castInteger="floor"', [1.5, -1.5, 2.4], [1, -2, 2]),
        ('rescaleFactor="2" castInteger="floor"', [1.3, -1.3, 0.0], [2, -3, 0]),
    ],
)
def test_what_becomes_of_a_models_number(told: str, raw: list[float], answers: list[float | None]) -> None:
    """First the range, then the factor, then the constant, then a whole number."""
    target = read_targets(xml(f'<Targets><Target field="y" {told}/></Targets>'))["y"]

    applied = target.applied(ArrayOps(3), Result(value=np.array(raw)))

    assert listed(applied.value, 3) == answers


def test_a_default_is_the_answer_where_the_model_has_none() -> None:
    """And goes the same way as any other answer."""
    text = '<Targets><Target rescaleFactor="2"><TargetValue defaultValue="5"/></Target></Targets>'

    applied = read_targets(xml(text))[""].applied(ArrayOps(2), Result(value=np.array([1.0, NONE])))

    assert listed(applied.value, 2) == [2, 10]


@pytest.mark.parametrize("rank", ["0", "-1", "1.5", "NaN", "INF"])
def test_a_rank_that_is_no_place_is_refused(rank: str) -> None:
    """The place before the first one would be the last."""
    text = f'<Output><OutputField name="r" feature="reasonCode" rank="{rank}"/></Output>'

    with pytest.raises(BadPmml, match=rf"^line 1: OutputField: rank '{rank}' is no whole number from 1 on$"):
        read_outputs(xml(text))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("  \n\t", []),
        ("a b", ["a", "b"]),
        (" a\n b ", ["a", "b"]),
        ('"a b" c', ["a b", "c"]),
        ('"a" "b"', ["a", "b"]),
        ('""', [""]),
        ('"say \\"yes\\"" no', ['say "yes"', "no"]),
        ("back\\slash", ["back\\slash"]),
        ('"back\\slash"', ["back\\slash"]),
        ('it"s', ['it"s']),
        ("1 2.5 -3e4", ["1", "2.5", "-3e4"]),
    ],
)
def test_an_array_is_its_items(text: str, items: list[str]) -> None:
    """White space separates them, quotation marks hold one together."""
    assert words(text, 1) == items


@given(st.lists(st.text('ab "\t', max_size=5), max_size=5))
@settings(max_examples=60)
def test_items_that_are_written_in_quotation_marks_are_read_again(items: list[str]) -> None:
    """Whatever they hold but a backslash."""
    quoted = " ".join('"' + each.replace('"', '\\"') + '"' for each in items)

    assert words(quoted, 1) == items


def test_an_item_whose_quotation_marks_do_not_end_is_refused() -> None:
    """With its line."""
    with pytest.raises(BadPmml, match=r"^line 12: an array's text ends within quotation marks$"):
        words('a "b c', 12)


@pytest.mark.parametrize("text", ["1_000", "\u0661", "1,5", "", "one", "0x10", "1e", "--1"])
@pytest.mark.parametrize("kind", [DOUBLE, SINGLE, WHOLE])
def test_what_xml_does_not_write_a_number_as_is_none(text: str, kind: str) -> None:
    """Python's own reader takes underscores and the digits of every script."""
    with pytest.raises(BadPmml, match=r"^line 3: .* is no number$"):
        typed(text, kind, 3)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), (" 1.5 ", 1.5), ("-2e3", -2000), ("+.5", 0.5), ("INF", math.inf), ("-INF", -math.inf)]
)
def test_a_number_is_read_as_xml_writes_it(text: str, value: float) -> None:
    """With its sign and exponent, and with white space around it."""
    assert typed(text, DOUBLE, 1) == value
    assert xml(f'<A n="{text}"/>').number("n") == value


@pytest.mark.parametrize(("text", "value"), [("true", 1), ("TRUE", 1), ("1", 1), ("false", 0), ("False", 0), ("0", 0)])
def test_a_truth_value_is_read_as_xml_writes_it(text: str, value: float) -> None:
    """As words and as numbers."""
    assert typed(text, TRUTH, 1) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", WHOLE),
        ("-5", WHOLE),
        ("+5", WHOLE),
        (" 5 ", WHOLE),
        ("1.0", DOUBLE),
        ("1e3", DOUBLE),
        ("NaN", DOUBLE),
        ("true", TRUTH),
        ("True", TEXT),
        ("1_000", TEXT),
        ("\u0661", TEXT),
        ("red", TEXT),
    ],
)
def test_a_constant_without_a_type_is_what_it_reads_as(text: str, kind: str) -> None:
    """A whole number, a number, a truth value, or a text."""
    assert read_expression(xml(f"<Constant>{text}</Constant>")).run(scope(1)).type == kind


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-3.0, "-3"), (2.5, "2.5"), (0.0, "0"), (2.0**53, "9007199254740992"), (1e300, "1e+300")],
)
def test_a_number_is_spelled_without_a_needless_point(value: float, text: str) -> None:
    """As whoever wrote the values of a field would."""
    assert spell_number(value) == text


@pytest.mark.parametrize(
    ("values", "of", "kind", "answers"),
    [
        ([1.9, -1.9, NONE], DOUBLE, WHOLE, [1, -1, None]),
        ([0.1, 2.0, NONE], DOUBLE, SINGLE, [float(np.float32(0.1)), 2, None]),
        ([0.0, 2.0, NONE], DOUBLE, TRUTH, [0, 1, None]),
        ([0.0, 1.0, NONE], TRUTH, DOUBLE, [0, 1, None]),
        ([3.0, 1.0, NONE], WHOLE, DOUBLE, [3, 1, None]),
        ([0.0, 1.0, NONE], TRUTH, TEXT, ["false", "true", ""]),
        ([1.5, 2.0, NONE], DOUBLE, TEXT, ["1.5", "2", ""]),
        (["1.5", "x", None], TEXT, DOUBLE, [1.5, None, None]),
        (["true", "FALSE", "1_0"], TEXT, DOUBLE, [1, 0, None]),
        (["a", "b", None], TEXT, TEXT, ["a", "b", ""]),
    ],
)
def test_a_column_as_another_type(values: list[Any], of: str, kind: str, answers: list[Any]) -> None:
    """Numbers are cut towards zero; a text that is no number is missing."""
    inside = scope(3, x=values)
    found = cast(inside.ops, Column(inside.values["x"].data, of), kind)

    assert found.type == kind
    told = inside.ops.decoded(found.data).tolist() if kind == TEXT else listed(found.data, 3)  # type: ignore[attr-defined]
    assert told == answers


NORM = '<NormContinuous field="x" {}><LinearNorm orig="0" norm="10"/><LinearNorm orig="1" norm="20"/><LinearNorm orig="2" norm="0"/></NormContinuous>'


@pytest.mark.parametrize(
    ("told", "answers"),
    [
        ("", [0, 10, 15, 20, 0, None]),
        ('outliers="asIs"', [0, 10, 15, 20, 0, None]),
        ('outliers="asExtremeValues"', [10, 10, 15, 20, 0, None]),
        ('outliers="asMissingValues"', [None, 10, 15, 20, 0, None]),
        ('mapMissingTo="-7"', [0, 10, 15, 20, 0, -7]),
    ],
)
def test_a_number_is_moved_along_straight_lines(told: str, answers: list[float | None]) -> None:
    """From 0 to 1 it rises, from 1 to 2 it falls; before 0 the first line goes on, or ends."""
    assert listed(read_expression(xml(NORM.format(told))).run(scope(x=VALUES)).data) == answers


BINS = """<Discretize field="x" {}>
  <DiscretizeBin binValue="low"><Interval closure="closedOpen" leftMargin="0" rightMargin="1"/></DiscretizeBin>
  <DiscretizeBin binValue="also"><Interval closure="closedClosed" leftMargin="0.5" rightMargin="1"/></DiscretizeBin>
</Discretize>"""


@pytest.mark.parametrize(
    ("told", "answers"),
    [
        ("", ["", "low", "low", "also", "", ""]),
        ('defaultValue="other"', ["other", "low", "low", "also", "other", ""]),
        ('mapMissingTo="gap"', ["", "low", "low", "also", "", "gap"]),
        ('defaultValue="other" mapMissingTo="gap"', ["other", "low", "low", "also", "other", "gap"]),
    ],
)
def test_a_number_is_the_name_of_the_first_range_that_holds_it(told: str, answers: list[str]) -> None:
    """Where ranges overlap the first one wins."""
    inside = scope(x=VALUES)
    found = read_expression(xml(BINS.format(told))).run(inside)

    assert inside.ops.decoded(found.data).tolist() == answers  # type: ignore[attr-defined]
