"""The built-in functions of Apply by themselves: values that anybody can check, and what no value comes of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headrace.pmml import BadPmml
from headrace.pmml.arrays import ArrayOps
from headrace.pmml.columns import DOUBLE, SINGLE, TEXT, TRUTH, WHOLE, Column
from headrace.pmml.functions import FUNCTIONS

NONE = math.nan
Value = float | str | bool | None


def column(ops: ArrayOps, value: Value, kind: str | None = None) -> Column[Any]:
    """One value as a column; its type is the one that Python gives it, where none is said."""
    if isinstance(value, str):
        return Column(ops.encoded([value]), TEXT)
    natural = TRUTH if isinstance(value, bool) else WHOLE if isinstance(value, int) else DOUBLE
    return Column(np.array([NONE if value is None else float(value)]), kind or natural)


def called(name: str, *values: Value, kinds: Sequence[str] = ()) -> Any:
    """What a function makes of one row: a number, a text, or None where it is missing."""
    ops = ArrayOps(1)
    columns = [column(ops, value, kind) for value, kind in zip(values, kinds or [None] * len(values), strict=True)]
    with np.errstate(all="ignore"):
        found = FUNCTIONS[name].run(ops, columns, 7)
    if found.type == TEXT:
        return ops.decoded(found.data)[0] or None
    answer = float(ops.full(found.data)[0])
    return None if math.isnan(answer) else answer


def type_of(name: str, *kinds: str) -> str:
    """The type of a function's answer for arguments of some types."""
    ops = ArrayOps(1)
    made = [column(ops, "w") if kind == TEXT else Column(np.array([1.0]), kind) for kind in kinds]
    found: str = FUNCTIONS[name].run(ops, made, 7).type
    return found


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("+", (2, 3), 5),
        ("+", (0.1, 0.2), 0.1 + 0.2),
        ("+", (2, None), None),
        ("+", (None, 2), None),
        ("-", (2, 3), -1),
        ("-", (3, 2), 1),
        ("-", (None, 2), None),
        ("*", (2.5, 4), 10),
        ("*", (0, None), None),
        ("/", (7, 2), 3),
        ("/", (-7, 2), -3),
        ("/", (7, -2), -3),
        ("/", (7.0, 2), 3.5),
        ("/", (7, 2.0), 3.5),
        ("/", (0.0, 0.0), None),
        ("/", (1.0, 0.0), math.inf),
        ("modulo", (7, 3), 1),
        ("modulo", (-7, 3), 2),
        ("modulo", (7, -3), -2),
        ("modulo", (-7, -3), -1),
        ("modulo", (7.5, 2.0), 1.5),
        ("modulo", (7, 0), None),
        ("pow", (2, 10), 1024),
        ("pow", (2.0, -1.0), 0.5),
        ("pow", (-8.0, 1 / 3), None),
        ("pow", (0, 0), 1),
        ("pow", (9.0, 0.5), 3),
        ("threshold", (2, 1), 1),
        ("threshold", (1, 1), 0),
        ("threshold", (0, 1), 0),
        ("threshold", (None, 1), None),
        ("threshold", (1, None), None),
    ],
)
def test_two_numbers_make_one(name: str, values: tuple[Value, ...], answer: float | None) -> None:
    """Whole numbers divide towards zero, a remainder has the sign of the divisor, and missing makes missing."""
    assert called(name, *values) == answer


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("min", (3, 1, 2), 1),
        ("min", (None, 3, 2), 2),
        ("min", (3, None), 3),
        ("min", (-0.5, -1.5), -1.5),
        ("min", (4,), 4),
        ("min", (None, None), None),
        ("max", (3, 1, 2), 3),
        ("max", (None, 1, 2), 2),
        ("max", (-3, None), -3),
        ("max", (-0.5, -1.5), -0.5),
        ("max", (None,), None),
        ("sum", (1, 2, 3), 6),
        ("sum", (1, None, 3), 4),
        ("sum", (None, None, 3), 3),
        ("sum", (None, None), None),
        ("product", (2, 3, 4), 24),
        ("product", (None, 3, 4), 12),
        ("product", (2, None), 2),
        ("product", (None,), None),
        ("avg", (1, 2, 6), 3),
        ("avg", (1, None, 6), 3.5),
        ("avg", (None, 5), 5),
        ("avg", (1, 2), 1.5),
        ("avg", (None, None), None),
    ],
)
def test_an_aggregate_passes_over_what_is_missing(name: str, values: tuple[Value, ...], answer: float | None) -> None:
    """Also where it is the first; and where all of them are, so is the answer."""
    assert called(name, *values) == answer


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("exp", 1.0, math.e),
        ("exp", 0, 1),
        ("ln", math.e, 1),
        ("ln", 1, 0),
        ("ln", -1.0, None),
        ("ln", 0.0, -math.inf),
        ("log10", 1000.0, 3),
        ("log10", 0.01, -2),
        ("log10", -1, None),
        ("sqrt", 2.25, 1.5),
        ("sqrt", -1.0, None),
        ("sin", math.pi / 6, 0.5),
        ("cos", math.pi / 3, 0.5),
        ("tan", math.pi / 4, 1),
        ("asin", 0.5, math.pi / 6),
        ("asin", 1.5, None),
        ("acos", 0.5, math.pi / 3),
        ("atan", 1.0, math.pi / 4),
        ("sinh", 1.0, (math.e - 1 / math.e) / 2),
        ("cosh", 1.0, (math.e + 1 / math.e) / 2),
        ("tanh", 1.0, (math.e**2 - 1) / (math.e**2 + 1)),
        ("expm1", 1e-20, 1e-20),
        ("ln1p", 1e-20, 1e-20),
        ("abs", -3, 3),
        ("abs", 2.5, 2.5),
        ("abs", None, None),
        ("floor", 2.9, 2),
        ("floor", -2.1, -3),
        ("ceil", 2.1, 3),
        ("ceil", -2.9, -2),
        ("rint", 2.5, 2),
        ("rint", 3.5, 4),
        ("rint", -2.5, -2),
        ("erf", 0.0, 0),
        ("erf", 0.5, 0.5204998778130465),
        ("stdNormalCDF", 0.0, 0.5),
        ("stdNormalCDF", 1.96, 0.9750021048517795),
        ("stdNormalPDF", 0.0, 0.3989422804014327),
        ("stdNormalIDF", 0.975, 1.959963984540054),
        ("stdNormalIDF", 0.0, None),
        ("stdNormalIDF", 1.0, None),
        ("stdNormalIDF", 1.5, None),
        ("stdNormalCDF", None, None),
    ],
)
def test_a_function_of_one_number_has_its_textbook_value(name: str, value: Value, answer: float | None) -> None:
    """And none where it is not defined."""
    found = called(name, value)

    assert found == (answer if answer is None else pytest.approx(answer, rel=1e-14, abs=1e-15))


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (2.5, 3),
        (-2.5, -2),
        (2.4, 2),
        (-2.6, -3),
        (0.5, 1),
        (-0.5, 0),
        (0.49999999999999994, 0),
        (4503599627370497.0, 4503599627370497),
        (9007199254740991.0, 9007199254740991),
        (-4503599627370497.0, -4503599627370497),
        (1e300, 1e300),
        (None, None),
    ],
)
def test_halves_are_rounded_up_and_nothing_else_is(value: float | None, answer: float | None) -> None:
    """Adding a half and cutting would itself round: just under a half, and whole numbers of sixteen digits."""
    assert called("round", value) == answer


@given(st.integers(-(2**53), 2**53))
@settings(max_examples=60)
def test_a_whole_number_is_rounded_to_itself(value: int) -> None:
    """Every one that floating point holds."""
    assert called("round", value, kinds=[WHOLE]) == value


@given(st.floats(-1e6, 1e6))
@settings(max_examples=60)
def test_a_rounded_number_is_the_nearest_whole_one(value: float) -> None:
    """Never more than a half away."""
    found = called("round", value)

    assert found == math.floor(found)
    assert -0.5 < found - value <= 0.5


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("hypot", (3.0, 4.0), 5),
        ("hypot", (3.0, None), None),
        ("atan2", (1.0, 1.0), math.pi / 4),
        ("atan2", (1.0, -1.0), 3 * math.pi / 4),
        ("atan2", (-1.0, -1.0), -3 * math.pi / 4),
        ("normalCDF", (3.0, 3.0, 2.0), 0.5),
        ("normalCDF", (5.0, 3.0, 2.0), 0.8413447460685429),
        ("normalPDF", (3.0, 3.0, 2.0), 0.19947114020071635),
        ("normalIDF", (0.5, 3.0, 2.0), 3),
        ("normalIDF", (0.8413447460685429, 3.0, 2.0), 5),
        ("normalIDF", (1.0, 3.0, 2.0), None),
        ("normalCDF", (5.0, None, 2.0), None),
    ],
)
def test_a_function_of_several_numbers_has_its_textbook_value(
    name: str, values: tuple[Value, ...], answer: float | None
) -> None:
    """The order of the arguments is that of the standard."""
    assert called(name, *values) == (answer if answer is None else pytest.approx(answer, rel=1e-14))


@pytest.mark.parametrize("name", ["normalCDF", "normalPDF", "normalIDF"])
@pytest.mark.parametrize("deviation", [0.0, -1.0, 0, -1e-300])
def test_a_normal_distribution_without_a_width_has_no_values(name: str, deviation: float) -> None:
    """One row of such data stops no other row: its answer is missing."""
    assert called(name, 0.5, 0.0, deviation) is None


@pytest.mark.parametrize(
    ("name", "oracle"), [("normalCDF", stats.norm.cdf), ("normalPDF", stats.norm.pdf), ("normalIDF", stats.norm.ppf)]
)
@pytest.mark.parametrize("point", [0.01, 0.3, 0.5, 0.77, 0.999])
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (-3.0, 0.25), (40.0, 12.5)])
def test_a_normal_distribution_is_scipys(name: str, oracle: Any, point: float, mean: float, deviation: float) -> None:
    """At points of its middle and its ends."""
    where = point if name == "normalIDF" else mean + (point - 0.5) * 6 * deviation

    assert called(name, where, mean, deviation) == pytest.approx(oracle(where, mean, deviation), rel=1e-9)


@pytest.mark.parametrize(
    ("name", "less", "same", "more"),
    [
        ("equal", 0, 1, 0),
        ("notEqual", 1, 0, 1),
        ("lessThan", 1, 0, 0),
        ("lessOrEqual", 1, 1, 0),
        ("greaterThan", 0, 0, 1),
        ("greaterOrEqual", 0, 1, 1),
    ],
)
def test_numbers_are_compared(name: str, less: float, same: float, more: float) -> None:
    """The first with the second; where one is missing nobody knows."""
    assert [called(name, 1, 2), called(name, 2, 2), called(name, 3, 2)] == [less, same, more]
    assert [called(name, None, 2), called(name, 2, None), called(name, None, None)] == [None] * 3


def test_texts_are_equal_or_not() -> None:
    """By what they say, not by when they were first met."""
    assert (called("equal", "red", "red"), called("equal", "red", "Red")) == (1, 0)
    assert (called("notEqual", "red", "red"), called("notEqual", "red", "blue")) == (0, 1)
    assert called("equal", "red", "") is None


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("and", {"TT": 1, "TF": 0, "TU": None, "FT": 0, "FF": 0, "FU": 0, "UT": None, "UF": 0, "UU": None}),
        ("or", {"TT": 1, "TF": 1, "TU": 1, "FT": 1, "FF": 0, "FU": None, "UT": 1, "UF": None, "UU": None}),
    ],
)
def test_what_is_unknown_decides_nothing(name: str, table: dict[str, float | None]) -> None:
    """Kleene's tables: a false part makes `and` false, a true one `or` true, whatever the other is."""
    say = {"T": True, "F": False, "U": None}

    assert {pair: called(name, say[pair[0]], say[pair[1]]) for pair in table} == table


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("and", (True, True, False), 0),
        ("and", (True, None, False), 0),
        ("and", (True, None, True), None),
        ("or", (False, None, True), 1),
        ("or", (False, False, None), None),
        ("or", (False, False, False), 0),
        ("not", (True,), 0),
        ("not", (False,), 1),
        ("not", (None,), None),
        ("isMissing", (None,), 1),
        ("isMissing", (0,), 0),
        ("isMissing", ("",), 1),
        ("isMissing", ("x",), 0),
        ("isNotMissing", (None,), 0),
        ("isNotMissing", (0,), 1),
        ("isNotMissing", ("x",), 1),
        ("isIn", (2, 1, 2), 1),
        ("isIn", (2, 2), 1),
        ("isIn", (3, 1, 2), 0),
        ("isIn", (None, 1, 2), 0),
        ("isIn", ("b", "a", "b"), 1),
        ("isIn", ("c", "a", "b"), 0),
        ("isNotIn", (2, 1, 2), 0),
        ("isNotIn", (3, 1, 2), 1),
        ("isNotIn", (None, 1, 2), 1),
        ("isNotIn", ("c", "a", "b"), 1),
    ],
)
def test_truth_values_and_sets(name: str, values: tuple[Value, ...], answer: float | None) -> None:
    """A missing value is in no set, and is always known to be missing."""
    assert called(name, *values) == answer


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ((True, 1, 2), 1),
        ((False, 1, 2), 2),
        ((None, 1, 2), None),
        ((True, 1), 1),
        ((False, 1), None),
        ((True, None, 2), None),
        ((False, None, 2), 2),
        ((True, "yes", "no"), "yes"),
        ((False, "yes", "no"), "no"),
        ((False, "yes"), None),
    ],
)
def test_if_has_one_of_two_answers(values: tuple[Value, ...], answer: Any) -> None:
    """And none where the question has none, or the answer that it chooses is not there."""
    assert called("if", *values) == answer


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("uppercase", ("red",), "RED"),
        ("uppercase", ("Straße",), "STRASSE"),
        ("lowercase", ("ReD",), "red"),
        ("uppercase", ("",), None),
        ("trimBlanks", ("  two words ",), "two words"),
        ("trimBlanks", ("\t x\n",), "x"),
        ("stringLength", ("four",), 4),
        ("stringLength", (" a ",), 3),
        ("stringLength", (1234,), 4),
        ("stringLength", (None,), None),
        ("substring", ("headrace", 1, 4), "head"),
        ("substring", ("headrace", 5, 4), "race"),
        ("substring", ("headrace", 5, 400), "race"),
        ("substring", ("headrace", 8, 1), "e"),
        ("substring", ("headrace", 9, 1), None),
        ("substring", ("headrace", 2, 0), None),
        ("substring", ("headrace", None, 1), None),
        ("substring", (20240131, 5, 2), "01"),
        ("concat", ("a", "b"), "ab"),
        ("concat", ("a", 1), "a1"),
        ("concat", (1, 2.5, "c"), "12.5c"),
        ("concat", ("a", None, "b"), "ab"),
        ("concat", (True, "x"), "truex"),
        ("concat", (3.0, "x"), "3x"),
    ],
)
def test_texts_are_made_of_texts_and_numbers(name: str, values: tuple[Value, ...], answer: Any) -> None:
    """A number is taken as the text that it is written as; the first place of a text is 1."""
    assert called(name, *values) == answer


@pytest.mark.parametrize(("start", "length"), [(0, 1), (-1, 3), (-100, 200), (0, 8), (1, -1), (3, -2), (0, 0)])
def test_a_part_of_a_text_that_begins_before_it_or_has_no_length_is_missing(start: int, length: int) -> None:
    """It is not counted from the end, as Python would."""
    assert called("substring", "headrace", start, length) is None


@given(st.text("abc", min_size=1, max_size=8), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=60)
def test_a_part_of_a_text_is_its_letters_from_a_place_on(text: str, start: int, length: int) -> None:
    """One letter at a time."""
    letters = [text[at - 1] for at in range(start, start + length) if at <= len(text)]

    assert called("substring", text, start, length) == ("".join(letters) or None)


NUMBERS_ONLY = sorted(
    name
    for name, each in FUNCTIONS.items()
    if name
    not in (
        "isMissing", "isNotMissing", "equal", "notEqual", "isIn", "isNotIn", "if", "uppercase", "lowercase",
        "trimBlanks", "stringLength", "substring", "concat", "lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual",
    )
)  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS_ONLY)
def test_a_function_of_numbers_refuses_a_text(name: str) -> None:
    """In whichever place: columns hold the numbers of words, and none of these means anything as a number."""
    least = max(1, FUNCTIONS[name].least)
    for place in range(least):
        values: list[Value] = ["red" if at == place else 1.0 for at in range(least)]
        with pytest.raises(BadPmml, match=r"^line 7: a function of numbers is given text$"):
            called(name, *values)


@pytest.mark.parametrize("name", ["equal", "notEqual", "lessThan", "greaterOrEqual", "isIn", "isNotIn"])
def test_a_text_is_not_compared_with_a_number(name: str) -> None:
    """The number of a word is nobody's business: `equal("red", 0)` held where red was the first word."""
    for values in (("red", 0), (0, "red")):
        with pytest.raises(BadPmml, match=r"^line 7: a text is compared with a number$"):
            called(name, *values)


@pytest.mark.parametrize("name", ["lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual"])
def test_texts_have_no_order(name: str) -> None:
    """Two languages sort them in two ways."""
    with pytest.raises(BadPmml, match=rf"^line 7: {name} of texts is not supported$"):
        called(name, "a", "b")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (("red", 1, 2), "a function of numbers is given text"),
        ((True, "yes", 2), "the two answers of if have different types"),
        ((True, 1, "no"), "the two answers of if have different types"),
    ],
)
def test_if_asks_a_truth_value_and_answers_one_kind_of_value(values: tuple[Value, ...], says: str) -> None:
    """Whichever answer a row would take."""
    with pytest.raises(BadPmml, match=rf"^line 7: {says}$"):
        called("if", *values)


def test_where_a_part_of_a_text_begins_is_a_number() -> None:
    """A word there would end the whole batch with an error of Python."""
    with pytest.raises(BadPmml, match=r"^line 7: a function of numbers is given text$"):
        called("substring", "headrace", "one", 2)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("+", 2, 2),
        ("modulo", 2, 2),
        ("pow", 2, 2),
        ("min", 1, 10_000),
        ("avg", 1, 10_000),
        ("exp", 1, 1),
        ("round", 1, 1),
        ("hypot", 2, 2),
        ("and", 2, 10_000),
        ("not", 1, 1),
        ("isIn", 2, 10_000),
        ("if", 2, 3),
        ("substring", 3, 3),
        ("concat", 2, 10_000),
        ("erf", 1, 1),
        ("stdNormalCDF", 1, 1),
        ("stdNormalPDF", 1, 1),
        ("stdNormalIDF", 1, 1),
        ("normalCDF", 3, 3),
        ("normalPDF", 3, 3),
        ("normalIDF", 3, 3),
    ],
)
def test_how_many_arguments_a_function_takes(name: str, least: int, most: int) -> None:
    """As the standard says; with others the document is refused when it is read."""
    assert (FUNCTIONS[name].least, FUNCTIONS[name].most) == (least, most)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_answers_with_as_few_arguments_as_it_takes(name: str) -> None:
    """What may be declared can be computed: no error of Python, whatever the numbers."""
    values: list[Value] = [1.0] * FUNCTIONS[name].least
    if name in ("uppercase", "lowercase", "trimBlanks", "stringLength"):
        values = ["word"]

    found = called(name, *values)

    assert found is None or isinstance(found, (float, str))


@pytest.mark.parametrize(
    ("name", "kinds", "kind"),
    [
        ("+", (WHOLE, WHOLE), WHOLE),
        ("+", (TRUTH, WHOLE), WHOLE),
        ("+", (WHOLE, SINGLE), SINGLE),
        ("+", (SINGLE, SINGLE), SINGLE),
        ("+", (SINGLE, DOUBLE), DOUBLE),
        ("-", (WHOLE, DOUBLE), DOUBLE),
        ("*", (DOUBLE, DOUBLE), DOUBLE),
        ("/", (WHOLE, WHOLE), WHOLE),
        ("/", (WHOLE, DOUBLE), DOUBLE),
        ("/", (SINGLE, WHOLE), SINGLE),
        ("modulo", (WHOLE, WHOLE), WHOLE),
        ("pow", (WHOLE, WHOLE), WHOLE),
        ("pow", (SINGLE, WHOLE), SINGLE),
        ("threshold", (DOUBLE, DOUBLE), WHOLE),
        ("sum", (WHOLE, WHOLE, WHOLE), WHOLE),
        ("sum", (WHOLE, SINGLE, WHOLE), SINGLE),
        ("max", (SINGLE, DOUBLE), DOUBLE),
        ("avg", (WHOLE, WHOLE), DOUBLE),
        ("exp", (WHOLE,), DOUBLE),
        ("exp", (SINGLE,), SINGLE),
        ("exp", (DOUBLE,), DOUBLE),
        ("ln", (TRUTH,), DOUBLE),
        ("log10", (SINGLE,), SINGLE),
        ("log10", (WHOLE,), DOUBLE),
        ("abs", (WHOLE,), WHOLE),
        ("floor", (DOUBLE,), DOUBLE),
        ("round", (SINGLE,), SINGLE),
        ("equal", (TEXT, TEXT), TRUTH),
        ("lessThan", (WHOLE, DOUBLE), TRUTH),
        ("and", (TRUTH, TRUTH), TRUTH),
        ("not", (TRUTH,), TRUTH),
        ("isMissing", (TEXT,), TRUTH),
        ("isIn", (WHOLE, WHOLE), TRUTH),
        ("if", (TRUTH, WHOLE, WHOLE), WHOLE),
        ("if", (TRUTH, WHOLE, DOUBLE), DOUBLE),
        ("if", (TRUTH, TEXT), TEXT),
        ("uppercase", (TEXT,), TEXT),
        ("stringLength", (TEXT,), WHOLE),
        ("concat", (TEXT, WHOLE), TEXT),
        ("erf", (SINGLE,), DOUBLE),
        ("hypot", (WHOLE, WHOLE), DOUBLE),
    ],
)
def test_the_type_of_an_answer_follows_from_those_of_its_arguments(
    name: str, kinds: tuple[str, ...], kind: str
) -> None:
    """Whole numbers stay whole where they can; a float with a whole number stays a float."""
    assert type_of(name, *kinds) == kind


def test_floats_are_rounded_after_each_step() -> None:
    """A tenth and two tenths of 32 bits, as whoever trained with floats had them."""
    one, two = float(np.float32(0.1)), float(np.float32(0.2))

    assert called("+", one, two, kinds=[SINGLE, SINGLE]) == float(np.float32(0.1) + np.float32(0.2))
    assert called("*", one, two, kinds=[SINGLE, SINGLE]) == float(np.float32(0.1) * np.float32(0.2))
    assert called("sum", one, two, one, kinds=[SINGLE] * 3) == float(
        np.float32(0.1) + np.float32(0.2) + np.float32(0.1)
    )
    assert called("+", one, two, kinds=[DOUBLE, SINGLE]) == one + two
    assert called("exp", one, kinds=[SINGLE]) == pytest.approx(float(np.exp(np.float32(0.1))), rel=1e-6)
