"""Elements with their lines, arrays of words, fields with their treatments, and rows to try a document with."""

import math

import numpy as np
import pytest

from headrace.pmml import BadPmml, load
from headrace.pmml.arrays import ArrayOps
from headrace.pmml.columns import Column
from headrace.pmml.fields import DataField, Interval, MiningField, Treated, treat
from headrace.pmml.sample import rows_for
from headrace.pmml.xml import read, words

from .examples import ALL

TEXT = b"""<?xml version="1.0"?>
<a:Root xmlns:a="urn:x" size="2.5">
  <Part name="one">first &amp; <!-- a remark --> last</Part>
  <Part name="two"/>

  <Other/>
</a:Root>"""


def test_an_element_knows_its_name_attributes_text_and_line() -> None:
    """Prefixes of namespaces are left out."""
    root = read(TEXT)

    assert (root.tag, root.number("size"), root.line) == ("Root", 2.5, 2)
    assert [(each.need("name"), each.line) for each in root.all("Part")] == [("one", 3), ("two", 4)]
    assert root.one("Part").text.split() == ["first", "&", "last"]
    assert root.one("Other").line == 6
    assert root.first("Nothing") is None


def test_what_is_asked_of_an_element_and_is_not_there_is_named() -> None:
    """With the line of the element."""
    root = read(TEXT)

    with pytest.raises(BadPmml, match="line 2: Root has no Third"):
        root.one("Third")
    with pytest.raises(BadPmml, match="line 4: Part has no attribute size"):
        root.all("Part")[1].need("size")
    with pytest.raises(BadPmml, match="line 6: element Other in Root is not supported"):
        root.only("Part")
    with pytest.raises(BadPmml, match="line 3: Part: name 'one' is not supported"):
        root.one("Part").choice("name", "two")
    with pytest.raises(BadPmml, match="line 3: Part: 'one' is no number"):
        root.one("Part").number("name")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 2  3", ["1", "2", "3"]),
        ('"new york" paris', ["new york", "paris"]),
        ('"say \\"so\\"" ""', ['say "so"', ""]),
        ("", []),
        ("\n a\t b \n", ["a", "b"]),
    ],
)
def test_an_array_is_split_into_its_words(text: str, found: list[str]) -> None:
    """Quotation marks hold white space together, and a backslash makes one part of a word."""
    assert words(text, 1) == found


def test_an_array_that_ends_within_quotation_marks_is_refused() -> None:
    """Something of it is missing."""
    with pytest.raises(BadPmml, match="line 7"):
        words('a "b', 7)


NUMBERS = [0.0, 1.0, 2.0, 5.0, -1.0, math.nan]


def treated(mining: MiningField, data: DataField | None = None) -> tuple[list[float], list[bool]]:
    """The numbers as a model takes them, and which rows are refused."""
    ops, told = ArrayOps(len(NUMBERS)), Treated[np.ndarray]()
    with np.errstate(all="ignore"):
        treat(ops, Column(np.array(NUMBERS), "double"), data, mining, told)
    refused = np.zeros(len(NUMBERS), dtype=bool) if told.refused is None else told.refused
    return [None if value != value else value for value in told.values["x"].data.tolist()], refused.tolist()  # type: ignore[misc]


def mined(**told: object) -> MiningField:
    """A field of a model."""
    return MiningField("x", "active", 1, **told)  # type: ignore[arg-type]


RANGED = DataField("x", "double", "continuous", 1, intervals=[Interval(0.0, 2.0, False, True)], absent=["5"])


def test_values_beyond_bounds_are_clamped_or_missing() -> None:
    """As the model says."""
    assert treated(mined(outliers="asExtremeValues", low=0.5, high=2.0))[0] == [0.5, 1.0, 2.0, 2.0, 0.5, None]
    assert treated(mined(outliers="asMissingValues", low=0.5, high=2.0))[0] == [None, 1.0, 2.0, None, None, None]
    assert treated(mined(low=0.5, high=2.0))[0] == [0.0, 1.0, 2.0, 5.0, -1.0, None]


def test_missing_values_are_replaced_or_refused() -> None:
    """Those that were beyond bounds, too."""
    told = mined(outliers="asMissingValues", low=0.5, high=2.0, replacement="7")
    assert treated(told)[0] == [7.0, 1.0, 2.0, 7.0, 7.0, 7.0]
    assert treated(mined(missing="returnInvalid"))[1] == [False] * 5 + [True]


def test_invalid_values_are_treated_as_the_model_says() -> None:
    """5 is a missing value by the dictionary; 2 and -1 are outside of its range."""
    assert treated(mined(), RANGED) == ([0.0, 1.0, None, None, None, None], [False, False, True, False, True, False])
    assert treated(mined(invalid="asIs"), RANGED) == ([0.0, 1.0, 2.0, None, -1.0, None], [False] * 6)
    assert treated(mined(invalid="asMissing", replacement="9"), RANGED)[0] == [0.0, 1.0, 9.0, 9.0, 9.0, 9.0]
    assert treated(mined(invalid="asValue", invalid_replacement="8"), RANGED)[0] == [0.0, 1.0, 8.0, None, 8.0, None]


def test_a_replacement_that_is_not_there_is_named() -> None:
    """`asValue` needs one."""
    with pytest.raises(BadPmml, match="'x' has no attribute invalidValueReplacement"):
        treated(mined(invalid="asValue"), RANGED)


@pytest.mark.parametrize(
    ("closure", "holds"),
    [
        ("closedClosed", [True, True, True]),
        ("closedOpen", [True, True, False]),
        ("openClosed", [False, True, True]),
        ("openOpen", [False, True, False]),
    ],
)
def test_an_interval_is_open_or_closed_at_each_end(closure: str, holds: list[bool]) -> None:
    """0, 1 and 2 between 0 and 2."""
    interval = Interval(0.0, 2.0, closure.startswith("open"), closure.endswith("Open"))

    assert interval.holds(ArrayOps(3), np.array([0.0, 1.0, 2.0])).tolist() == holds


def test_rows_to_try_lie_on_both_sides_of_each_threshold() -> None:
    """There a graph would differ first; some are missing, unknown and very large."""
    document = load(ALL["TreeModel: tree defaultChild"].encode())
    rows = rows_for(document, 2000)

    numbers = [value for value in rows["a"] if value is not None]
    assert {0.1, float(np.nextafter(0.1, 1)), float(np.nextafter(0.1, 0)), 1e15} <= set(numbers)
    assert 100 < rows["a"].count(None) < 300
    assert {"red", "green", "blue", "never heard of", None} <= set(rows["c"])
    assert rows == rows_for(document, 2000)


def test_rows_to_try_keep_what_a_field_promises() -> None:
    """Whole numbers are whole, truth values true or false, and what must not be missing is there."""
    whole = rows_for(load(ALL["functions of Apply: function modulo"].encode()), 200)
    truth = rows_for(load(ALL["RegressionModel: truth values as labels"].encode()), 200)
    there = rows_for(load(ALL["DataDictionary, MiningSchema: missing refused"].encode()), 200)

    assert {type(value) for value in whole["i"]} == {int, type(None)}
    assert {True, False, None} == set(truth["t"])
    assert None not in there["a"]
